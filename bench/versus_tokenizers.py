#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How fast a tokenizer.json encodes and decodes here, with Hugging Face's `tokenizers` and with tiktoken, one thread each, in turns.

  versus_tokenizers.py COMPILER [-f FLAGS] [-t TEXT] [-b PROGRAM] tokenizer.json ...
  versus_tokenizers.py COMPILER --train [-t TEXT] [--size N] [--threads N]    trains one: 32000 tokens on 50 MB

Training: TEXT, or lines of all scripts, repeated to 50 MB; as many threads on both sides; the same merges, or it ends there.

TEXT: a file, repeated to 10 MB; without one, lines of all scripts (tests/text/nasty_texts.py). FLAGS, such as
"-DCTLM_UTF8PROC=1 -lutf8proc", follow the compiler's others. PROGRAM: where the program is kept; it is built if it is not there.
Prints MB of text per second, the best of three rounds, line by line; how much faster two threads encode; and how long one
megabyte of one letter takes, which is one word. tiktoken takes part where it is installed and the tokenizer is one that it has:
words of GPT-2, Llama 3 or Qwen 2, and numbers of tokens in the order of the merges.
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
#include <ctlm/text/encode_all.hpp>
#include <ctlm/text/train_tokenizer.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
int main(int, char** arguments) {  // TOKENIZER TEXT
  const auto t = ctlm::hf_tokenizer::load(arguments[1]).value();
  const std::string text = ctlm::read_file(arguments[2]).value();
  const auto seconds = [](auto f) {
    const auto begin = std::chrono::steady_clock::now();
    f();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  const std::vector<std::string_view> lines = ctlm::lines_of(text);
  const ctlm::span<const std::string_view> all(lines);
  std::vector<std::vector<ctlm::token>> tokens;
  std::size_t bytes = 0;
  ctlm::serial one;
  ctlm::pool<2> two(2);
  const double encoding = seconds([&] { tokens = ctlm::encode_all(t, all, one); });
  const double decoding = seconds([&] { for (const auto& line : tokens) bytes += t.decode(line).size(); });
  double on_one = 1e9, on_two = 1e9;
  for (int i = 0; i < 3; ++i) {
    tokens.clear();
    on_one = std::min(on_one, seconds([&] { tokens = ctlm::encode_all(t, all, one); }));
    tokens.clear();
    on_two = std::min(on_two, seconds([&] { tokens = ctlm::encode_all(t, all, two); }));
  }
  std::printf("%.9f %.9f %.9f", std::min(encoding, on_one), decoding, on_one / on_two);
  for (const char* letter : {"a", " ", "\xC3\xA9"}) {
    std::string word;
    while (word.size() < 1000000) word += letter;
    double best = 1e9;
    for (int i = 0; i < 5; ++i) best = std::min(best, seconds([&] { bytes += t.encode(word).size(); }));
    std::printf(" %.9f", best);
  }
  std::printf("\n");
  return bytes == 0;
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
    return [float(x) for x in subprocess.run([program, path, text_file], capture_output=True, check=True).stdout.split()]


def tiktoken_of(path):
    """The same tokenizer for tiktoken, or nothing."""
    try:
        import tiktoken
        import make_tiktoken
    except ImportError:
        return None
    root = json.loads(pathlib.Path(path).read_text())
    model, cut = root["model"], root.get("pre_tokenizer") or {}
    first = cut.get("pretokenizers", [cut])[0]
    pattern = make_tiktoken.patterns()["gpt2"] if first.get("type") == "ByteLevel" and first.get("use_regex", True) else first.get("pattern", {}).get("Regex")
    if model["type"] != "BPE" or root.get("normalizer") or not pattern or len(cut.get("pretokenizers", [])) > 2:
        return None
    bytes_of = make_tiktoken.bytes_of_letters()
    merges = [m if isinstance(m, list) else m.split(" ") for m in model["merges"]]
    made = [model["vocab"][a + b] for a, b in merges]
    if made != sorted(made):
        return None
    known = {*bytes_of, *(a + b for a, b in merges)}
    ranks = {bytes(bytes_of[c] for c in t): i for t, i in model["vocab"].items() if t in known}
    return tiktoken.Encoding("peer", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})


def of_tiktoken(peer, lines):
    begin = time.perf_counter()
    encoded = [peer.encode_ordinary(l) for l in lines]
    middle = time.perf_counter()
    for ids in encoded:
        peer.decode(ids)
    return [middle - begin, time.perf_counter() - middle], encoded


def theirs(tokenizer, lines):
    begin = time.perf_counter()
    encoded = [e.ids for e in tokenizer.encode_batch(lines)]
    middle = time.perf_counter()
    tokenizer.decode_batch(encoded)
    return [middle - begin, time.perf_counter() - middle]


def compare(program, path, text_file, lines, megabytes):
    tokenizer = Tokenizer.from_file(path)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    peer = tiktoken_of(path)
    if peer and [peer.encode_ordinary(l) for l in lines[:3000]] != [e.ids for e in tokenizer.encode_batch(lines[:3000])]:
        peer = None
    here, there, third = [], [], []
    for _ in range(3):
        here.append(ours(str(program), path, str(text_file)))
        there.append(theirs(tokenizer, lines))
        if peer:
            third.append(of_tiktoken(peer, lines)[0])
    best = [min(column) for column in zip(*here)]
    for k, what in enumerate(["encodes", "decodes"]):
        words = f"{path} {what} {megabytes / best[k]:.1f} MB/s"
        for name, rounds in (("tokenizers", there), ("tiktoken", third)):
            if rounds:
                other = min(r[k] for r in rounds)
                words += f", {name} {megabytes / other:.1f} MB/s: {other / best[k]:.1f}x"
        print(words)
    print(f"{path} two threads {max(r[2] for r in here):.2f}x; 1 MB of a {1000 * best[3]:.1f} ms, of spaces {1000 * best[4]:.1f} ms, of é {1000 * best[5]:.1f} ms")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("compiler")
    parser.add_argument("-f", default="")
    parser.add_argument("-t")
    parser.add_argument("-b")
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--size", type=int, default=32000)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("files", nargs="*")
    a = parser.parse_intermixed_args()
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
        program = pathlib.Path(a.b) if a.b else program
        if not program.exists():
            subprocess.run([a.compiler, "-std=c++20", "-O3", "-march=native", f"-I{ROOT / 'include'}", str(source), "-o",
                            str(program), "-pthread", *shlex.split(a.f)], check=True)
        if a.train:
            return compare_training(str(program), text_file, pathlib.Path(folder), megabytes, a)
        for path in a.files:
            compare(program, path, text_file, lines, megabytes)


main()
