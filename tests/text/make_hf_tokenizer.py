#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes what tests/text/save_hf_tokenizer.cpp compares with: texts as tokens of `tokenizers`, by a tokenizer.json that
ctlm has written.

  CTLM_TOKENIZER_FILES=tests/text/hf_tokenizer ctlm_tests "a tokenizer that was trained here*"    writes tokenizer.json
  make_hf_tokenizer.py tests/text/hf_tokenizer          writes encoded.json; made with tokenizers 0.23.3
"""
import json
import pathlib
import sys

from tokenizers import Tokenizer

TEXTS = ["", " ", "  ", "\n", "\n\n", "the cat", " the  cat ", "the\n\ncat sat\n  on\tthe mat", "    four\n\t \n x",
         "don't 'tis it's", "1234 and 12,345.67", "(a+b)!?... --\"quoted.\" ", "caf\u00e9 na\u00efve \u00fcber",
         "\u5b50\u66f0\uff1a\u5b78\u800c\u6642\u7fd2\u4e4b\uff0c", "\U0001f600 a\U0001f600b", "\x00\x01\x7f \x0b\x0c\r\n",
         "a\u00a0b\u2003c\u2028d", "the cat number 99 sat on the mat;\n\tand thought: caf\u00e9? "]

folder = pathlib.Path(sys.argv[1])
tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
rows = []
for text in TEXTS:
    ids = tokenizer.encode(text).ids
    assert tokenizer.decode(ids) == text, text
    rows.append({"text": text, "ids": ids})
(folder / "encoded.json").write_text("[\n" + ",\n".join(json.dumps(r) for r in rows) + "\n]\n")
