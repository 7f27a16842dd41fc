#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How fast a tokenizer.json encodes and decodes here and with Hugging Face's `tokenizers`, one thread each, in turns.

  versus_tokenizers.py COMPILER [-f FLAGS] [-t TEXT] tokenizer.json ...
  versus_tokenizers.py COMPILER --train [-t TEXT] [--size N] [--threads N]    trains one: 32000 tokens on 50 MB

Training: TEXT, or lines of all scripts, repeated to 50 MB; as many threads on both sides; the same merges, or it ends there.

TEXT: a file, repeated to 10 MB; without one, lines of all scripts (tests/text/nasty_texts.py). FLAGS, such as
"-DCTLM_UTF8PROC=1 -lutf8proc", follow the compiler's others. Prints MB of text per second, the best of three rounds.
"""
import argparse
import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "true" if "--train" in sys.argv else "false"
if "--threads" in sys.argv:  # read once, when the library is loaded
    os.environ["RAYON_NUM_THREADS"] = sys.argv[sys.argv.index("--threads") + 1]
ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests" / "text"))

import nasty_texts  # noqa: E402
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers  # noqa: E402

PROGRAM = r"""
#include <ctlm/ctlm.hpp>
#include <ctlm/text/hf_tokenizer.hpp>
#include <chrono>
#include <cstdio>
int main(int, char** arguments) {
  const auto t = ctlm::hf_tokenizer::load(arguments[1]).value();
  const std::string text = ctlm::read_file(arguments[2]).value();
  const auto seconds = [](auto f) {
    const auto begin = std::chrono::steady_clock::now();
    f();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  std::vector<std::vector<ctlm::token>> lines;
  const double encoding = seconds([&] {
    for (std::size_t i = 0; i < text.size();) {
      const std::size_t end = std::min(text.find('\n', i), text.size() - 1) + 1;
      lines.push_back(t.encode(std::string_view(text).substr(i, end - i)));
      i = end;
    }
  });
  std::size_t bytes = 0;
  const double decoding = seconds([&] { for (const auto& line : lines) bytes += t.decode(line).size(); });
  std::printf("%.9f %.9f %zu\n", encoding, decoding, bytes);
}
"""

TRAINER = r"""
#include <ctlm/ctlm.hpp>
#include <ctlm/text/train_tokenizer.hpp>
#include <chrono>
#include <cstdio>
int main(int, char** arguments) {  // TEXT SIZE THREADS FOLDER
  ctlm::pool<64> pool(std::stoul(arguments[3]));
  const auto begin = std::chrono::steady_clock::now();
  const std::string text = ctlm::read_file(arguments[1]).value();
  const auto trained = ctlm::train_tokenizer(ctlm::lines_of(text), {.vocab = std::stoul(arguments[2])}, pool).value();
  std::printf("%.9f\n", std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  ctlm::save_hf_tokenizer(arguments[4], trained).value();
}
"""
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def train_here(program, text_file, folder, a):
    done = subprocess.run([program, text_file, str(a.size), str(a.threads), str(folder / "trained")], capture_output=True, check=True)
    return float(done.stdout), json.loads((folder / "trained" / "tokenizer.json").read_text())["model"]["merges"]


def train_there(text_file, a):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    trainer = trainers.BpeTrainer(vocab_size=a.size, min_frequency=2, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    begin = time.perf_counter()
    t.train([str(text_file)], trainer)
    return time.perf_counter() - begin, json.loads(t.to_str())["model"]["merges"]


def compare_training(program, text_file, folder, megabytes, a):
    rounds = [(train_here(program, text_file, folder, a), train_there(text_file, a)) for _ in range(3)]
    if rounds[0][0][1] != rounds[0][1][1]:
        sys.exit("the merges differ")
    mine, other = (min(r[side][0] for r in rounds) for side in (0, 1))
    print(f"{a.size} tokens of {megabytes:.0f} MB, {a.threads} threads: {mine:.2f} s, tokenizers {other:.2f} s: {other / mine:.1f}x, "
          f"the same {len(rounds[0][0][1])} merges")


def ours(program, path, text_file):
    return [float(x) for x in subprocess.run([program, path, text_file], capture_output=True, check=True).stdout.split()[:2]]


def theirs(tokenizer, lines):
    begin = time.perf_counter()
    encoded = [e.ids for e in tokenizer.encode_batch(lines)]
    middle = time.perf_counter()
    tokenizer.decode_batch(encoded)
    return [middle - begin, time.perf_counter() - middle]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("compiler")
    parser.add_argument("-f", default="")
    parser.add_argument("-t")
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--size", type=int, default=32000)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("files", nargs="*")
    a = parser.parse_args()
    if not a.train and not a.files:
        parser.error("a tokenizer.json is needed, or --train")
    text = pathlib.Path(a.t).read_text() if a.t else "\n".join(s.replace("\n", " ") for s in nasty_texts.lines(20000, 5)) + "\n"
    size = len(text.encode())
    text *= max(1, (50_000_000 if a.train else 10_000_000) // size)
    megabytes, lines = len(text.encode()) / 1e6, [l + "\n" for l in text.split("\n")[:-1]]
    with tempfile.TemporaryDirectory() as folder:
        source, program, text_file = (pathlib.Path(folder) / n for n in ["encode.cpp", "encode", "text"])
        source.write_text(TRAINER if a.train else PROGRAM)
        text_file.write_text(text, newline="")
        subprocess.run([a.compiler, "-std=c++20", "-O3", "-march=native", f"-I{ROOT / 'include'}", str(source), "-o",
                        str(program), "-pthread", *shlex.split(a.f)], check=True)
        if a.train:
            return compare_training(str(program), text_file, pathlib.Path(folder), megabytes, a)
        for path in a.files:
            tokenizer = Tokenizer.from_file(path)
            tokenizer.no_truncation()
            tokenizer.no_padding()
            rounds = [(ours(str(program), path, str(text_file)), theirs(tokenizer, lines)) for _ in range(3)]
            for k, what in enumerate(["encodes", "decodes"]):
                mine, other = (min(r[side][k] for r in rounds) for side in (0, 1))
                print(f"{path} {what} {megabytes / mine:.1f} MB/s, tokenizers {megabytes / other:.1f} MB/s: {other / mine:.1f}x")


main()
