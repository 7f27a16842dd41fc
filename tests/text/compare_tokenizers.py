#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares ctlm::hf_tokenizer with `tokenizers`: ids and decoded texts of many texts that are hard to cut.

  compare_tokenizers.py COMPILER [-n LINES] [-f FLAGS] tokenizer.json ...

LINES: 200000 for each file. FLAGS, such as "-DCTLM_UTF8PROC=1 -lutf8proc", follow the compiler's others.
Needs tokenizers 0.23.3; not one of the tests, because it needs that and takes minutes.
"""
import argparse
import pathlib
import shlex
import struct
import subprocess
import sys
import tempfile

from tokenizers import Tokenizer

import nasty_texts

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = r"""
#include <ctlm/ctlm.hpp>
#include <ctlm/text/hf_tokenizer.hpp>
#include <cstdio>
int main(int, char** arguments) {
  const auto t = ctlm::hf_tokenizer::load(arguments[1]);
  if (!t) return std::puts(ctlm::explain(t.error()).text), 1;
  const auto write = [](const auto& list) {
    const auto n = static_cast<std::uint32_t>(list.size());
    std::fwrite(&n, 4, 1, stdout);
    std::fwrite(list.data(), sizeof list[0], n, stdout);
  };
  std::string text;
  for (std::uint32_t n = 0; std::fread(&n, 4, 1, stdin) == 1;) {
    text.resize(n);
    if (std::fread(text.data(), 1, n, stdin) != n) return 2;
    const auto ids = t->encode(text);
    write(ids);
    write(t->encode(text, ctlm::special_tokens::without));
    write(t->decode(ids));
    write(t->decode(ids, ctlm::special_tokens::with));
  }
}
"""


def lists(data):
    """The lists that the program has written, as bytes: two of numbers, two of characters, and so on."""
    at, k = 0, 0
    while at < len(data):
        size = struct.unpack_from("<I", data, at)[0] * (4 if k % 4 < 2 else 1)
        yield data[at + 4:at + 4 + size]
        at, k = at + 4 + size, k + 1


def compare(program, path, n):
    theirs = Tokenizer.from_file(path)
    theirs.no_truncation()
    theirs.no_padding()
    added = [t.content for t in theirs.get_added_tokens_decoder().values()]
    texts = nasty_texts.lines(n, 1, added)
    data = b"".join(struct.pack("<I", len(t.encode())) + t.encode() for t in texts)
    done = subprocess.run([program, path], input=data, capture_output=True)
    if done.returncode != 0:
        print(f"{path}: {done.stdout[:300].decode(errors='replace')} {done.stderr[:300].decode(errors='replace')}")
        return False
    ours, wrong = lists(done.stdout), 0
    for begin in range(0, len(texts), 1000):
        some = texts[begin:begin + 1000]
        full = [e.ids for e in theirs.encode_batch(some)]
        plain = [e.ids for e in theirs.encode_batch(some, add_special_tokens=False)]
        decoded = theirs.decode_batch(full)
        spelt = theirs.decode_batch(full, skip_special_tokens=False)
        for t, *expected in zip(some, full, plain, decoded, spelt):
            found = [list(memoryview(next(ours)).cast("i")) for _ in range(2)] + [next(ours).decode() for _ in range(2)]
            if found == expected:
                continue
            wrong += 1
            if wrong <= 5:
                k = next(k for k in range(4) if found[k] != expected[k])
                print(f"{path}: {t!r}\n  {['ids', 'ids', 'text', 'text'][k]} {found[k]!r}\n  not {expected[k]!r}")
    print(f"{path}: {len(texts)} texts, {wrong} differ")
    return wrong == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("compiler")
    parser.add_argument("-n", type=int, default=200000)
    parser.add_argument("-f", default="")
    parser.add_argument("files", nargs="+")
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source, program = pathlib.Path(folder) / "encode.cpp", pathlib.Path(folder) / "encode"
        source.write_text(PROGRAM)
        subprocess.run([a.compiler, "-std=c++20", "-O2", f"-I{ROOT / 'include'}", str(source), "-o", str(program),
                        *shlex.split(a.f)], check=True)
        sys.exit(0 if all([compare(str(program), f, a.n) for f in a.files]) else 1)


main()
