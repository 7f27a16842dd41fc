#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes include/ctlm/text/unicode_tables.hpp: what text/unicode.hpp knows of characters.

  make_unicode_tables.py > include/ctlm/text/unicode_tables.hpp     needs unicodedata2==16.0.0, tokenizers==0.23.3

Unicode 16 is what the regular expressions of `tokenizers` know. Other parts of it have tables of other versions of
Unicode (punctuation of 7, digits of 17): what these say is asked of `tokenizers` itself, character by character.
"""
import textwrap

import unicodedata2 as unicode
from tokenizers import normalizers, pre_tokenizers

assert unicode.unidata_version == "16.0.0"
CATEGORIES = "Cn Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Cs Co".split()
LAST = 0x10FFFF


def runs(value):
    """[(first, length, value)] of all characters."""
    found = []
    for c in range(LAST + 1):
        v = value(chr(c))
        if found and found[-1][2] == v:
            found[-1][1] += 1
        else:
            found.append([c, 1, v])
    return found


lowercase = normalizers.Lowercase()


def lower_of(c):
    if 0xD800 <= ord(c) < 0xE000:
        return ord(c)
    lower = lowercase.normalize_str(c)
    return ord(lower) if len(lower) == 1 else ord(c)


def lowered():
    """(first, last, step, distance) of characters with a small form."""
    found = []
    for c in range(LAST + 1):
        distance = lower_of(chr(c)) - c
        if distance == 0:
            continue
        if found and found[-1][3] == distance:
            first, last, step, _ = found[-1]
            if c - last in (1, 2) and (first == last or c - last == step):
                found[-1][1:3] = c, c - last
                continue
        found.append([c, c, 1, distance])
    return found


def composed_second():
    """Characters that may become one with what stands before them."""
    seconds = set(range(0x1161, 0x1176)) | set(range(0x11A8, 0x11C3))  # of Hangul
    for c in range(LAST + 1):
        parts = unicode.decomposition(chr(c)).split()
        if len(parts) == 2 and not parts[0].startswith("<") and unicode.normalize("NFC", chr(c)) == chr(c):
            seconds.add(int(parts[1], 16))
    return seconds


def is_cut(pre_tokenizer):
    """Whether it takes a character for something else than a letter."""
    return lambda c: not 0xD800 <= ord(c) < 0xE000 and len(pre_tokenizer.pre_tokenize_str("a" + c + "a")) > 1


def is_removed(normalizer):
    return lambda c: not 0xD800 <= ord(c) < 0xE000 and normalizer.normalize_str("a" + c + "a") == "aa"


def bert(**parts):
    every = dict.fromkeys(["clean_text", "handle_chinese_chars", "strip_accents", "lowercase"], False)
    return normalizers.BertNormalizer(**{**every, **parts})


def table(name, kind, numbers, comment):
    body = textwrap.fill(", ".join(str(n) for n in numbers), 120, initial_indent="  ", subsequent_indent="  ")
    print(f"/// {comment}\ninline constexpr {kind} {name}[] = {{\n{body}}};\n")


print("""// SPDX-License-Identifier: MIT
// ctlm: Unicode 16.0.0 in runs of characters, made by tools/make_unicode_tables.py from Python's unicodedata2.
#pragma once

#include <cstdint>

// clang-format off
namespace ctlm { inline namespace CTLM_ABI { namespace unicode_detail {
""".replace("#include <cstdint>", '#include "../core/types.hpp"'))
categories = runs(unicode.category)
table("category_runs", "std::uint32_t", [n * 32 + CATEGORIES.index(c) for _, n, c in categories],
      "Runs of one category from U+0000 on: 32 times the number of characters, and the category.")
blocks = {tuple(unicode.category(chr(c)) for c in range(b, b + 256)) for b in range(0, LAST + 1, 256)}
print(f"/// How many different blocks of 256 characters there are.\ninline constexpr std::size_t category_blocks = {len(blocks)};\n")
table("lower_runs", "std::int32_t", [n for first, last, step, d in lowered() for n in (first, last, step, d)],
      "Characters with a small form: the first, the last, the step, the distance to the small form.")
seconds = composed_second()


def pairs(name, holds, comment):
    flat = [n for first, length, v in runs(holds) if v for n in (first, first + length - 1)]
    table(name, "std::uint32_t", flat, "Pairs (first, last): " + comment)


pairs("not_surely_composed", lambda c: unicode.normalize("NFC", c) != c or unicode.combining(c) != 0 or ord(c) in seconds,
      "texts without these characters are in form NFC.")
digits = is_cut(pre_tokenizers.Digits(individual_digits=True))
pairs("newer_digits", lambda c: digits(c) and unicode.category(c)[0] != "N", "what Digits cuts beside numbers.")
pairs("punctuation", is_cut(pre_tokenizers.Punctuation()), "what Punctuation cuts.")
pairs("bert_control", is_removed(bert(clean_text=True)), "what BertNormalizer's clean_text removes.")
pairs("bert_accents", is_removed(bert(strip_accents=True)), "what BertNormalizer's strip_accents removes.")
pairs("accents", is_removed(normalizers.StripAccents()), "what StripAccents removes.")
print("}}}  // namespace ctlm::unicode_detail\n// clang-format on")
