#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes what tests/text/tiktoken.cpp compares with: a small file of ranks, and what tiktoken makes of texts by the patterns
that it has for its encodings.

  make_tiktoken.py tests/text/tiktoken            writes small.tiktoken and cases.json; made with tiktoken 0.14.0
  make_tiktoken.py FOLDER --gpt2 ENCODER MERGES   writes GPT-2's ranks as a file, gpt2.tiktoken, for compare_tokenizers.py
"""
import base64
import json
import pathlib
import sys

import tiktoken
import tiktoken_ext.openai_public as public
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

import nasty_texts

SPECIALS = {"<|endoftext|>": 500, "<|fim_prefix|>": 501}


def patterns():
    """The patterns that there are, without ranks."""
    public.load_tiktoken_bpe = public.data_gym_to_mergeable_bpe_ranks = lambda *_, **__: {}
    return {name: getattr(public, name)()["pat_str"] for name in ["gpt2", "cl100k_base", "o200k_base"]}


def bytes_of_letters():
    seen = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [b for b in range(256) if b not in seen]
    return {chr(b): b for b in seen} | {chr(0x100 + i): b for i, b in enumerate(hidden)}


def file_of(ranks):
    return b"".join(base64.b64encode(t) + b" %d\n" % r for t, r in sorted(ranks.items(), key=lambda x: x[1]))


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    letters = bytes_of_letters()
    if "--gpt2" in sys.argv:
        encoder = json.loads(pathlib.Path(sys.argv[3]).read_text())
        ranks = {bytes(letters[c] for c in t): r for t, r in encoder.items() if t != "<|endoftext|>"}
        (folder / "gpt2.tiktoken").write_bytes(file_of(ranks))
        return
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    texts = [s for s in nasty_texts.SCRIPTS.values() for _ in range(6)] + nasty_texts.lines(300, 7)
    t.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=400, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    ranks = {bytes(letters[c] for c in k): v for k, v in t.get_vocab().items()}
    for whole in [b" whole", b"\n\n\n", b"1234"]:  # which no pairs make
        ranks[whole] = len(ranks)
    (folder / "small.tiktoken").write_bytes(file_of(ranks))
    texts = ["", " ", "  a", "\n\n", "a \n \n ", "a\n\n\n", " whole whole", "12345 6", "don'T I'LL he's '\u017f", "<|endoftext|>x<|fim_prefix|>",
             *[s for s in nasty_texts.lines(3000, 5, [*SPECIALS]) if len(s) < 60][30:110]]
    cases = {}
    for name, pattern in patterns().items():
        e = tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=ranks, special_tokens=SPECIALS)
        cases[name] = [e.encode(s, allowed_special="all") for s in texts]
    rows = lambda x: "[\n" + ",\n".join(json.dumps(i, separators=(",", ":")) for i in x) + "\n]"
    (folder / "cases.json").write_text('{"texts": ' + rows(texts) + ',\n"cases": {\n' +
                                       ",\n".join(f'"{k}": {rows(v)}' for k, v in cases.items()) + "\n}}\n")


if __name__ == "__main__":
    main()
