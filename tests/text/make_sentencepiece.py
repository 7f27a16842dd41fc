#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes what tests/text/sentencepiece.cpp compares with: small models of SentencePiece, and what sentencepiece makes of texts.

  make_sentencepiece.py tests/text/sentencepiece   writes NAME.model and cases.json; made with sentencepiece 0.2.3
  make_sentencepiece.py FOLDER --full              writes two models with large tables of characters, for compare_tokenizers.py
"""
import io
import json
import pathlib
import sys

import sentencepiece

import nasty_texts

TABLE = "table.tsv"  # characters that become others, some of them, as in NFKC: those of sentencepiece itself take 240 KB
RULES = {"\ufb01": "fi", "\u00bd": "1\u20442", "\uff11": "1", "\u00a0": " ", "\u3000": " ", "\u200b": "", "\t": " ", "\n": " ", "\ufdfa": "a b  c",
         "e\u0301": "\u00e9", "A": "a", "T": "t", "\u2003": " ", "\u2167": "VIII", "\u1112\u1161": "\ud558", "\u1112\u1161\u11ab": "\ud55c", "\x01": ""}
FULL = {
    "nfkc_cf": dict(model_type="bpe", vocab_size=400, character_coverage=0.98, normalization_rule_name="nfkc_cf", user_defined_symbols=["<sep>"]),
    "nmt_nfkc": dict(model_type="unigram", vocab_size=260, character_coverage=0.98, normalization_rule_name="nmt_nfkc", user_defined_symbols=["<sep>", "fox"]),
}
MODELS = {
    "bpe": dict(model_type="bpe", vocab_size=500, byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False,
                user_defined_symbols=["<sep>", "don't", "\u4e16\u754c"], control_symbols=["<turn>"]),
    "bpe_plain": dict(model_type="bpe", vocab_size=220, character_coverage=0.98, add_dummy_prefix=False, normalization_rule_tsv=TABLE,
                      unk_surface="?", user_defined_symbols=["<sep>"]),
    "unigram": dict(model_type="unigram", vocab_size=260, character_coverage=0.98, user_defined_symbols=["<sep>", "fox"],
                    control_symbols=["<turn>"], normalization_rule_tsv=TABLE),
    "unigram_bytes": dict(model_type="unigram", vocab_size=520, byte_fallback=True, character_coverage=0.98, remove_extra_whitespaces=False,
                          normalization_rule_name="identity"),
    "unigram_suffix": dict(model_type="unigram", vocab_size=240, character_coverage=0.98, treat_whitespace_as_suffix=True,
                           normalization_rule_name="identity", pad_id=3),
}


def train(options):
    texts = [s for k, s in nasty_texts.SCRIPTS.items() if k in ("english", "french", "code", "arabic", "korean", "chinese", "numbers", "marks") for _ in range(9)]
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(texts), model_writer=model, hard_vocab_limit=False, minloglevel=2, num_threads=1, **options)
    return model.getvalue()


def long_text(pieces):
    """Of pieces by chance: so long that sentencepiece begins its sums anew three times, which decides between pieces."""
    h, text = 1, []
    for _ in range(60000):
        h = (h * 1103515245 + 12345) & 0x7FFFFFFF
        text.append(pieces[(h >> 16) % len(pieces)])
    return "".join(text)


def checksum(ids):
    h = 0x811C9DC5
    for i in ids:
        h = (h ^ i) * 0x01000193 & 0xFFFFFFFF
    return h


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    points = lambda s: " ".join(f"{ord(c):X}" for c in s)
    pathlib.Path(TABLE).write_text("".join(f"{points(a)}\t{points(b)}\n" for a, b in RULES.items()))
    if "--full" in sys.argv:
        for name, options in FULL.items():
            (folder / f"{name}.model").write_bytes(train(options))
        return pathlib.Path(TABLE).unlink()
    texts = ["", " ", "  a  b ", "\n\n", "a<sep>b <sep> <turn>", "<s> </s><unk>", "don't  \u4e16\u754c", "\u2581a \u2581", "\ufb01 \u00bd \uff11", "12345 6", "foxfoxes a fox",
             "a\u200bb\u00a0c", *[s for s in nasty_texts.lines(3000, 9, ["<sep>", "<turn>", "</s>", "fox"]) if len(s) < 60][30:140]]
    cases = {}
    for name, options in MODELS.items():
        model = train(options)
        (folder / f"{name}.model").write_bytes(model)
        t = sentencepiece.SentencePieceProcessor(model_proto=model)
        ids = [t.encode(s) for s in texts]
        cases[name] = [[i, t.decode(i)] for i in ids]
        if name == "unigram_suffix":
            long_ids = t.encode(long_text([t.id_to_piece(i) for i in range(t.vocab_size())]))
    pathlib.Path(TABLE).unlink()
    rows = lambda x: "[\n" + ",\n".join(json.dumps(i, separators=(",", ":")) for i in x) + "\n]"
    (folder / "cases.json").write_text('{"texts": ' + rows(texts) + ',\n"cases": {\n' +
                                       ",\n".join(f'"{k}": {rows(v)}' for k, v in cases.items()) +
                                       f'\n}},\n"long": {{"ids": {len(long_ids)}, "sum": {checksum(long_ids)}}}}}\n')


main()
