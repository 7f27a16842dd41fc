#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares ctlm::hf_tokenizer with `tokenizers`, tiktoken and sentencepiece: ids and decoded texts of many texts that are hard to cut.

  compare_tokenizers.py COMPILER [-n LINES] [-f FLAGS] FILE ...

FILE: a tokenizer.json; a .model of SentencePiece; a .gguf (with llama.cpp), or one and the tokenizer.json or .model that it was
made of, x.gguf=tokenizer.json; ranks of tiktoken and the name of a pattern, as in cl100k_base:ranks.tiktoken.
LINES: 200000 for each file. FLAGS, such as "-DCTLM_UTF8PROC=1 -lutf8proc", follow the compiler's others.
Needs tokenizers 0.23.3, tiktoken 0.14.0 and sentencepiece 0.2.3, for GGUF llama-cpp-python; not one of the tests, because it needs those and takes minutes.
"""
import argparse
import base64
import pathlib
import shlex
import struct
import subprocess
import sys
import tempfile

import nasty_texts

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = r"""
#include <ctlm/ctlm.hpp>
#include <ctlm/text/from_gguf.hpp>
#include <ctlm/text/sentencepiece.hpp>
#include <ctlm/text/tiktoken.hpp>
#include <cstdio>
ctlm::result<ctlm::hf_tokenizer> load(const std::string& kind, const char* path) {
  if (kind == "gguf") return ctlm::load_gguf_tokenizer(path);
  if (kind == "model") return ctlm::load_sentencepiece(path);
  if (kind == "json") return ctlm::hf_tokenizer::load(path);
  return ctlm::load_tiktoken(path, kind, {{"<|endoftext|>", 51000}, {"<|fim|>", 51001}});
}
int main(int, char** arguments) {
  const auto t = load(arguments[1], arguments[2]);
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


class Json:
    kind = "json"

    def __init__(self, path):
        from tokenizers import Tokenizer
        self.path, self.t = path, Tokenizer.from_file(path)
        self.t.no_truncation()
        self.t.no_padding()
        self.added = [t.content for t in self.t.get_added_tokens_decoder().values()]

    def of(self, texts):
        """For each text its tokens with those around it and without, and what they become without special tokens and with."""
        full = [e.ids for e in self.t.encode_batch(texts)]
        plain = [e.ids for e in self.t.encode_batch(texts, add_special_tokens=False)]
        return zip(full, plain, self.t.decode_batch(full), self.t.decode_batch(full, skip_special_tokens=False))


class Tiktoken:
    def __init__(self, name, path):
        import tiktoken
        import make_tiktoken
        special = {"<|endoftext|>": 51000, "<|fim|>": 51001}
        ranks = {base64.b64decode(a): int(b) for a, b in (line.split() for line in pathlib.Path(path).read_text().splitlines())}
        self.kind, self.path, self.added = name, path, [*special]
        self.t = tiktoken.Encoding(name, pat_str=make_tiktoken.patterns()[name], mergeable_ranks=ranks, special_tokens=special)

    def of(self, texts):
        for s in texts:
            ids = self.t.encode(s, allowed_special="all")
            yield ids, ids, self.t.decode([i for i in ids if i < 51000]), self.t.decode(ids)


class SentencePiece:
    kind = "model"

    def __init__(self, path):
        import sentencepiece
        self.path, self.t = path, sentencepiece.SentencePieceProcessor(model_file=path)
        self.added = [self.t.id_to_piece(i) for i in range(min(self.t.vocab_size(), 12))]

    def of(self, texts):
        for s in texts:
            ids = self.t.encode(s)
            text = self.t.decode(ids)
            yield ids, ids, text, text


class Gguf:
    kind = "gguf"

    def __init__(self, path):
        import llama_cpp
        self.path = path
        self.t = llama_cpp.Llama(path, vocab_only=True, verbose=False)
        n = self.t.n_vocab()
        vocabulary = llama_cpp.llama_model_get_vocab(self.t.model)
        control = [i for i in range(n) if llama_cpp.llama_vocab_is_control(vocabulary, i)]
        self.added = [llama_cpp.llama_vocab_get_text(vocabulary, i).decode() for i in control[:12]]

    def of(self, texts):
        for s in texts:
            yield self.t.tokenize(s.encode(), add_bos=True, special=True), self.t.tokenize(s.encode(), add_bos=False, special=True), None, None


class GgufOfJson(Json):
    kind = "gguf"

    def __init__(self, path, json):
        super().__init__(json)
        self.path = path


class GgufOfModel(SentencePiece):
    """Of T5: the token that ends a text is put behind it, and control symbols, which are found, do not occur."""
    kind = "gguf"

    def __init__(self, path, model):
        super().__init__(model)
        self.path = path
        self.added = [s for s in self.added if not self.t.is_control(self.t.piece_to_id(s)) and not self.t.is_unknown(self.t.piece_to_id(s))]

    def of(self, texts):
        for s in texts:
            ids = self.t.encode(s)
            yield ids + [self.t.eos_id()], ids, self.t.decode([i for i in ids if i != self.t.unk_id()]), None


def reference(file):
    if "=" in file:
        path, source = file.split("=", 1)
        return GgufOfModel(path, source) if source.endswith(".model") else GgufOfJson(path, source)
    if file.endswith(".gguf"):
        return Gguf(file)
    if file.endswith(".model"):
        return SentencePiece(file)
    kind, colon, path = file.partition(":")
    return Tiktoken(kind, path) if colon else Json(file)


def compare(program, file, n):
    theirs = reference(file)
    path = theirs.path
    texts = nasty_texts.lines(n, 1, theirs.added)
    data = b"".join(struct.pack("<I", len(t.encode())) + t.encode() for t in texts)
    done = subprocess.run([program, theirs.kind, path], input=data, capture_output=True)
    if done.returncode != 0:
        print(f"{path}: {done.stdout[:300].decode(errors='replace')} {done.stderr[:300].decode(errors='replace')}")
        return False
    ours, wrong = lists(done.stdout), 0
    for begin in range(0, len(texts), 1000):
        some = texts[begin:begin + 1000]
        for t, expected in zip(some, theirs.of(some)):
            found = [list(memoryview(next(ours)).cast("i")) for _ in range(2)] + [next(ours).decode() for _ in range(2)]
            if all(e is None or f == e for f, e in zip(found, expected)):
                continue
            wrong += 1
            if wrong <= 5:
                k = next(k for k in range(4) if expected[k] is not None and found[k] != expected[k])
                print(f"{path}: {t!r}\n  {['ids', 'ids', 'text', 'text'][k]} {found[k]!r}\n  not {expected[k]!r}")
    print(f"{file}: {len(texts)} texts, {wrong} differ")
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
