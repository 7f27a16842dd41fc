#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How fast a tokenizer.json encodes and decodes here and with Hugging Face's `tokenizers`, one thread each, in turns.

  versus_tokenizers.py COMPILER [-f FLAGS] [-t TEXT] tokenizer.json ...

TEXT: a file, repeated to 10 MB; without one, lines of all scripts (tests/text/nasty_texts.py). FLAGS, such as
"-DCTLM_UTF8PROC=1 -lutf8proc", follow the compiler's others. Prints MB of text per second, the best of three rounds.
"""
import argparse
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests" / "text"))

import nasty_texts  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402

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
    parser.add_argument("files", nargs="+")
    a = parser.parse_args()
    text = pathlib.Path(a.t).read_text() if a.t else "\n".join(s.replace("\n", " ") for s in nasty_texts.lines(20000, 5)) + "\n"
    size = len(text.encode())
    text *= max(1, 10_000_000 // size)
    megabytes, lines = len(text.encode()) / 1e6, [l + "\n" for l in text.split("\n")[:-1]]
    with tempfile.TemporaryDirectory() as folder:
        source, program, text_file = (pathlib.Path(folder) / n for n in ["encode.cpp", "encode", "text"])
        source.write_text(PROGRAM)
        text_file.write_text(text, newline="")
        subprocess.run([a.compiler, "-std=c++20", "-O3", "-march=native", f"-I{ROOT / 'include'}", str(source), "-o",
                        str(program), *shlex.split(a.f)], check=True)
        for path in a.files:
            tokenizer = Tokenizer.from_file(path)
            tokenizer.no_truncation()
            tokenizer.no_padding()
            rounds = [(ours(str(program), path, str(text_file)), theirs(tokenizer, lines)) for _ in range(3)]
            for k, what in enumerate(["encodes", "decodes"]):
                mine, other = (min(r[side][k] for r in rounds) for side in (0, 1))
                print(f"{path} {what} {megabytes / mine:.1f} MB/s, tokenizers {megabytes / other:.1f} MB/s: {other / mine:.1f}x")


main()
