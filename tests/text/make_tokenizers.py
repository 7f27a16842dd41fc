#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes what tests/text/hf_tokenizer.cpp compares with: small models trained by `tokenizers`, the parts around them that
real models have, and what `tokenizers` makes of texts by them.

  make_tokenizers.py tests/text/tokenizers              writes cases.json; made with tokenizers 0.23.3
  make_tokenizers.py tests/text/tokenizers --files DIR  writes a tokenizer.json for each case, for compare_tokenizers.py

Of the first texts cases.json has the tokens; of all of them a checksum (FNV-1a) of the tokens and of the texts that they become,
without special tokens and with them.
"""
import json
import pathlib
import sys

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

import nasty_texts

SHOWN, ALL = 14, 90
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace("{1,3}", "")
O200K = "|".join([
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+"])
OWN = (r" ?[A-Za-z\x{80}-\x{10FFFF}]+| ?[0-9]+| ?[^ \t-\r0-9A-Za-z\x{80}-\x{10FFFF}]+|"
       r"[ \t-\r]+?(?= [^ \t-\r])|[ \t-\r]+")
DEEPSEEK = (r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|"
            r"\s*[\r\n]+|\s+(?!\S)|\s+")


def corpus():
    return [s for s in nasty_texts.SCRIPTS.values() for _ in range(6)] + nasty_texts.lines(300, 7)


def trained(model, trainer, pre_tokenizer=None, normalizer=None, texts=None):
    t = Tokenizer(model)
    if pre_tokenizer:
        t.pre_tokenizer = pre_tokenizer
    if normalizer:
        t.normalizer = normalizer
    t.train_from_iterator(texts or corpus(), trainer)
    return json.loads(t.to_str())["model"]


def train_models():
    """Models by name. Pieces that a case needs beside what was learnt are its added tokens."""
    quiet = {"show_progress": False}
    codes = [f"<0x{b:02X}>" for b in range(256)]
    meta = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    found = {
        "bytes": trained(models.BPE(), trainers.BpeTrainer(vocab_size=420, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), **quiet),
                         pre_tokenizers.ByteLevel(add_prefix_space=False)),
        "pieces": trained(models.BPE(), trainers.BpeTrainer(vocab_size=520, special_tokens=["<unk>", "<s>", "</s>", *codes], limit_alphabet=120, **quiet), meta),
        "marked": trained(models.BPE(), trainers.BpeTrainer(vocab_size=300, special_tokens=["[UNK]"], limit_alphabet=90, continuing_subword_prefix="##", **quiet),
                          pre_tokenizers.Whitespace()),
        "ended": trained(models.BPE(), trainers.BpeTrainer(vocab_size=260, special_tokens=["<unk>"], limit_alphabet=70, end_of_word_suffix="</w>", **quiet),
                         pre_tokenizers.WhitespaceSplit(), normalizers.Lowercase()),
        "word_piece": trained(models.WordPiece(unk_token="[UNK]"), trainers.WordPieceTrainer(vocab_size=360, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], limit_alphabet=120, **quiet),
                              pre_tokenizers.BertPreTokenizer(), normalizers.BertNormalizer()),
        "unigram": trained(models.Unigram(), trainers.UnigramTrainer(vocab_size=260, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>", **quiet), meta,
                           texts=[nasty_texts.SCRIPTS[k] for k in ["english", "french", "code", "arabic", "korean"] for _ in range(9)]),
        "words": {"type": "WordLevel", "vocab": {"[UNK]": 0, "the": 1, "fox": 2, "\u4e16\u754c": 3, "don": 4, "'": 5, "t": 6, "1": 7, "12": 8, ".": 9, "?!": 10}, "unk_token": "[UNK]"},
    }
    for piece in found["unigram"]["vocab"]:
        piece[1] = round(piece[1], 4)
    found["unigram"]["vocab"] += [[c, -20.0] for c in codes]
    found["bytes"]["vocab"].update({"\u0120foxes": 420, "don't": 421, "\u0120THE": 422})  # which no merges make
    unknown = {"pieces": "<unk>", "marked": "[UNK]", "ended": "<unk>"}
    for name, model in found.items():  # flags are the cases' affair
        for key in ["dropout", "fuse_unk", "byte_fallback", "ignore_merges"]:
            model.pop(key, None)
        if name in unknown:
            model["unk_token"] = unknown[name]
    return found


def added(content, number, **flags):
    every = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False}
    return {"id": number, "content": content, **every, **flags}


def split(written, behavior="Isolated", invert=False):
    return {"type": "Split", "pattern": {"Regex": written}, "behavior": behavior, "invert": invert}


def sequence(key, *steps):
    return {"type": "Sequence", key: list(steps)}


def template(before, after=()):
    def special(name):
        return {"SpecialToken": {"id": name, "type_id": 0}}
    numbers = {**before, **dict(after)}
    return {"type": "TemplateProcessing", "single": [*map(special, before), {"Sequence": {"id": "A", "type_id": 0}}, *map(special, dict(after))],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {k: {"id": k, "ids": [v], "tokens": [k]} for k, v in numbers.items()}}


LETTERS = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
WORDS = {**LETTERS, "use_regex": True}
META = "\u2581"
REPLACE = {"type": "Replace", "pattern": {"String": " "}, "content": META}
BACK = {"type": "Replace", "pattern": {"String": META}, "content": " "}
PIECES = [BACK, {"type": "ByteFallback"}, {"type": "Fuse"}]
STRIP = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
CHAT = [added("<|im_start|>", 423, special=True), added("<|im_end|>", 424, special=True), added("<tool>", 425)]


def meta(scheme, cuts):
    return {"type": "Metaspace", "replacement": META, "prepend_scheme": scheme, "split": cuts}


FUSED = {"fuse_unk": True, "byte_fallback": True}


def bytes_case(pre_tokenizer, **more):
    return {"model": "bytes", "pre_tokenizer": pre_tokenizer, "decoder": WORDS, **more}


def cases():
    """Parts by name; "flags" belong to the model; "needs" names a library without which ctlm refuses the case."""
    known = {
        "gpt2": bytes_case(WORDS, post_processor=WORDS),
        "roberta": bytes_case({**WORDS, "add_prefix_space": True}, added_tokens=[added("<s>", 423, special=True), added("</s>", 424, special=True), added("<mask>", 425, special=True, lstrip=True)],
                              post_processor={"type": "RobertaProcessing", "sep": ["</s>", 424], "cls": ["<s>", 423], "trim_offsets": True, "add_prefix_space": True}),
        "smollm": bytes_case(sequence("pretokenizers", {"type": "Digits", "individual_digits": True}, WORDS), added_tokens=CHAT),
        "digits": bytes_case(sequence("pretokenizers", {"type": "Digits", "individual_digits": False}, LETTERS)),
        "llama3": {"model": "bytes", "flags": {"ignore_merges": True}, "pre_tokenizer": sequence("pretokenizers", split(LLAMA3), LETTERS), "decoder": WORDS,
                   "added_tokens": [added("<|begin_of_text|>", 423, special=True)],
                   "post_processor": sequence("processors", WORDS, template({"<|begin_of_text|>": 423}))},
        "qwen2": bytes_case(sequence("pretokenizers", split(QWEN2), LETTERS), normalizer={"type": "NFC"}, added_tokens=CHAT, needs="utf8proc"),
        "o200k": bytes_case(sequence("pretokenizers", split(O200K), LETTERS)),
        "ctlm": bytes_case(sequence("pretokenizers", split(OWN), LETTERS)),
        "deepseek": bytes_case(sequence("pretokenizers", split(r"\p{N}{1,3}"), split("[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"), split(DEEPSEEK), LETTERS), needs="PCRE2"),
        "llama2": {"model": "pieces", "flags": FUSED, "normalizer": sequence("normalizers", {"type": "Prepend", "prepend": META}, REPLACE),
                   "decoder": sequence("decoders", *PIECES, STRIP), "post_processor": template({"<s>": 1}),
                   "added_tokens": [added("<unk>", 0, special=True), added("<s>", 1, special=True), added("</s>", 2, special=True)]},
        "mistral": {"model": "pieces", "flags": FUSED, "pre_tokenizer": meta("first", False), "decoder": sequence("decoders", *PIECES, STRIP),
                    "added_tokens": [added("<s>", 1, special=True), added("[INST]", 520, special=True)]},
        "gemma": {"model": "pieces", "flags": FUSED, "normalizer": REPLACE, "decoder": sequence("decoders", *PIECES),
                  "pre_tokenizer": {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False},
                  "added_tokens": [added("\n\n", 520), added("<eos>", 521, special=True)]},
        "unfused": {"model": "pieces", "pre_tokenizer": meta("always", True), "decoder": meta("always", True)},
        "bert": {"model": "word_piece", "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
                 "pre_tokenizer": {"type": "BertPreTokenizer"}, "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
                 "added_tokens": [added(n, i, special=True) for i, n in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])],
                 "post_processor": template({"[CLS]": 2}, {"[SEP]": 3}), "needs": "utf8proc"},
        "bert_cased": {"model": "word_piece", "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": False, "lowercase": False},
                       "pre_tokenizer": {"type": "BertPreTokenizer"}, "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": False},
                       "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}},
        "unigram": {"model": "unigram", "normalizer": sequence("normalizers", {"type": "Strip", "strip_left": True, "strip_right": True}, {"type": "Replace", "pattern": {"String": "  "}, "content": " "}),
                    "pre_tokenizer": sequence("pretokenizers", {"type": "WhitespaceSplit"}, meta("always", True)), "decoder": meta("always", True), "added_tokens": [added("</s>", 1, special=True)],
                    "post_processor": template({}, {"</s>": 1})},
        "unigram_bytes": {"model": "unigram", "flags": {"byte_fallback": True}, "pre_tokenizer": meta("never", True), "decoder": sequence("decoders", *PIECES)},
        "albert": {"model": "unigram", "normalizer": sequence("normalizers", {"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Lowercase"}),
                   "pre_tokenizer": meta("first", True), "decoder": meta("first", True), "needs": "utf8proc"},
        "marked": {"model": "marked", "pre_tokenizer": {"type": "Whitespace"}, "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True}},
        "ended": {"model": "ended", "normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "WhitespaceSplit"}, "decoder": {"type": "BPEDecoder", "suffix": "</w>"}},
        "words": {"model": "words", "pre_tokenizer": sequence("pretokenizers", {"type": "Whitespace"}, {"type": "Punctuation", "behavior": "Contiguous"})},
        "flags": bytes_case(WORDS, normalizer={"type": "Lowercase"}, added_tokens=[
            added("fox", 423, single_word=True), added("<L>", 424, lstrip=True), added("<R>", 425, rstrip=True), added("<LR>", 426, lstrip=True, rstrip=True),
            added("THE", 427, normalized=True), added("Lazy dog", 428, normalized=True, single_word=True), added("\u4e16\u754c", 429, single_word=True),
            added("<L><R>", 430, special=True), added("  ", 431), added("caf\u00c9", 432, normalized=True, rstrip=True), added("!", 0)]),
    }
    for behavior in ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]:
        for invert in [False, True]:
            known[f"split {behavior}{' inverted' if invert else ''}"] = bytes_case(
                sequence("pretokenizers", split(r"\p{N}", behavior, invert), {"type": "Punctuation", "behavior": behavior}, LETTERS))
    return known


def tokenizer_json(model, case):
    parts = {k: v for k, v in case.items() if k not in ("model", "flags", "needs")}
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None, "pre_tokenizer": None, "post_processor": None, "decoder": None, **parts, "model": {**case.get("flags", {}), **model}}


def checksum(data):
    h = 0x811C9DC5
    for byte in data:
        h = (h ^ byte) * 0x01000193 & 0xFFFFFFFF
    return h


def main():
    folder = pathlib.Path(sys.argv[1])
    if "--files" in sys.argv:
        stored = json.loads((folder / "cases.json").read_text())
        out = pathlib.Path(sys.argv[sys.argv.index("--files") + 1])
        out.mkdir(parents=True, exist_ok=True)
        for name, case in stored["cases"].items():
            case = {k: v for k, v in case.items() if k not in ("ids", "sums")}
            (out / f"{name.replace(' ', '_')}.json").write_text(json.dumps(tokenizer_json(stored["models"][case["model"]], case)))
        return
    found, described = train_models(), cases()
    words = ["fox", "<L>", " <R> ", "<LR>", "The", "LAZY DOG", "\u4e16\u754c", "<L><R>", "CAF\u00c9 ", "<mask>", "<|im_start|>", "</s>", "[INST]", "[MASK]", "<tool>"]
    texts = [t for t in nasty_texts.lines(4000, 3, words) if len(t) < 70]
    texts = ["", " ", "  a", "\n\n", "don't THE foxes", "fox <L> fox<R>  x", "caf\u00e9 \u4e16\u754c!", "12345 6", "<|im_start|>hi<|im_end|>\n", "\U0001f468\u200d\U0001f469", *texts[20:20 + ALL - 10]]
    for case in described.values():
        t = Tokenizer.from_str(json.dumps(tokenizer_json(found[case["model"]], case)))
        for token in case.get("added_tokens", []):  # numbers that a file has are not what counts
            token["id"] = t.token_to_id(token["content"])
        case["ids"] = [t.encode(s).ids for s in texts[:SHOWN]]
        case["sums"] = []
        for s in texts:
            ids = t.encode(s).ids
            decoded = [t.decode(ids, skip_special_tokens=skip).encode() for skip in (True, False)]
            case["sums"].append(checksum(b"".join(i.to_bytes(4, "little") for i in ids) + b"".join(decoded)))
    rows = [json.dumps(t, ensure_ascii=True) for t in texts]
    models_text = ",\n".join(f"{json.dumps(k)}: {json.dumps(v, ensure_ascii=False, separators=(',', ':'))}" for k, v in found.items())
    cases_text = ",\n".join(f"{json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in described.items())
    (folder / "cases.json").write_text('{"texts": [\n' + ",\n".join(rows) + '\n],\n"models": {\n' + models_text + '\n},\n"cases": {\n' + cases_text + "\n}}\n")


main()
