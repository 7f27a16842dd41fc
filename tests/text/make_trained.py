#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes what tests/text/train_tokenizer.cpp compares with: what `tokenizers` learns from texts with its BpeTrainer.

  make_trained.py tests/text/trained DATA    writes cases.json; made with tokenizers 0.23.3

Of each case it has the first merges, as pairs of numbers, and a checksum (FNV-1a) of all tokens and merges. Texts are lines with
their ends; small ones are stored, others are files of the folder DATA, which the test may lack.
"""
import json
import pathlib
import random
import re
import sys

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

import nasty_texts

SHOWN = 60
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CODE = """int main(int argc, char** argv) {\n  for (int i = 0; i < argc; ++i) {\n    std::printf("%d: %s\\n", i, argv[i]);
  }\n  return argc > 1 ? 0 : 1;\n}\n\nstatic int sum(const int* first, int n) {\n  int total = 0;
  for (int i = 0; i < n; ++i) {\n    total += first[i];\n  }\n  return total;\n}\n"""


def byte_level(use_regex=True):
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": use_regex}


def split(pattern):
    return {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}, byte_level(False)]}


PRE = {"gpt2": byte_level(), "llama3": split(LLAMA3), "qwen2": split(LLAMA3.replace("{1,3}", "")),
       "gpt2_digits": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level()]},
       "whole lines": byte_level(False)}


def texts():
    r = random.Random(5)
    stored = {"mixed": "\n".join(t.replace("\n", " ") for t in nasty_texts.lines(150, 3) if len(t) < 60) + "\n" + CODE}
    for name, letters, n in [("few letters", "ab", 700), ("three letters", "abc ", 1500), ("runs", "aaab", 900)]:
        stored[name] = "".join(r.choice(letters) for _ in range(n))
    stored["a line of one letter"] = "a" * 500 + "\n" + "a" * 33
    return stored


def cases(stored):
    rows = [{"text": t, "pre": p, "vocab": 400} for t in stored for p in ("gpt2", "llama3", "whole lines")]
    rows += [{"text": t, "pre": "whole lines", "vocab": 5000, "min_frequency": 1, "all_bytes": False} for t in stored if t != "mixed"]
    rows += [{"text": t, "pre": "whole lines", "vocab": 300, "min_frequency": 1, "all_bytes": False, "longest_token": n} for t in stored for n in (1, 2, 3, 5)]
    rows += [
        {"text": "mixed", "pre": "qwen2", "vocab": 500, "min_frequency": 1, "special_tokens": ["<|im_start|>", "a tag", "re", "\u00e9", "a", "a", "in"]},
        {"text": "mixed", "pre": "gpt2_digits", "vocab": 600, "min_frequency": 3, "special_tokens": ["<s>"], "all_bytes": False},
        {"text": "mixed", "pre": "gpt2", "vocab": 300, "min_frequency": 2, "all_bytes": False, "most_letters": 4},
        {"text": "three letters", "pre": "gpt2", "vocab": 60, "min_frequency": 0, "all_bytes": False, "most_letters": 3},
        {"text": "mixed", "pre": "llama3", "vocab": 420, "normalizer": {"type": "Lowercase"}},
    ]
    for name in ["tinyshakespeare.txt", "wikitext2_valid.txt", "tang300.json", "lunyu.json", "gpt2_encoder.json"]:
        rows += [{"text": name, "pre": p, "vocab": v, "special_tokens": ["<|endoftext|>"]} for p, v in [("gpt2", 2000), ("llama3", 6000), ("qwen2", 1000)]]
    return rows


def fnv(h, data):
    for byte in data:
        h = (h ^ byte) * 0x01000193 & 0xFFFFFFFF
    return h


def learn(text, case):
    t = Tokenizer(models.BPE())
    parts = {"version": "1.0", "model": json.loads(t.to_str())["model"], "pre_tokenizer": PRE[case["pre"]], "normalizer": case.get("normalizer"),
             "added_tokens": [], "truncation": None, "padding": None, "post_processor": None, "decoder": None}
    t = Tokenizer.from_str(json.dumps(parts))
    options = {"vocab_size": case["vocab"], "min_frequency": case.get("min_frequency", 2), "special_tokens": case.get("special_tokens", []), "show_progress": False,
               "initial_alphabet": pre_tokenizers.ByteLevel.alphabet() if case.get("all_bytes", True) else []}
    if "most_letters" in case:
        options["limit_alphabet"] = case["most_letters"]
    if "longest_token" in case:
        options["max_token_length"] = case["longest_token"]
    t.train_from_iterator(re.findall(r"[^\n]*\n|[^\n]+", text), trainers.BpeTrainer(**options))
    model = json.loads(t.to_str())["model"]
    ids = model["vocab"]
    return [k for k, _ in sorted(ids.items(), key=lambda kv: kv[1])], [[ids[a], ids[b]] for a, b in model["merges"]]


def main():
    folder, data = map(pathlib.Path, sys.argv[1:3])
    stored = texts()
    rows = []
    for case in cases(stored):
        text = stored.get(case["text"]) or (data / case["text"]).read_bytes().decode()
        tokens, merges = learn(text, case)
        h = 0x811C9DC5
        for token in tokens:
            h = fnv(h, token.encode() + b"\n")
        for a, b in merges:
            h = fnv(h, f"{a} {b}\n".encode())
        rows.append(case | {"tokens": len(tokens), "merges": len(merges), "sum": h, "first": merges[:SHOWN if case["text"] in stored else 8]})
    lines = ",\n".join(json.dumps(r, separators=(",", ":")) for r in rows)
    (folder / "cases.json").write_text(json.dumps({"pre": PRE, "texts": stored}, indent=0)[:-2] + ',\n"cases": [\n' + lines + "\n]}\n")


main()
