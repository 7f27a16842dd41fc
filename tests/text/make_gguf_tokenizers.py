#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes what tests/text/from_gguf.cpp compares with: GGUF files with the tokenizers of BERT and T5, written as llama.cpp's
convert_hf_to_gguf.py writes them, and what `tokenizers` and sentencepiece make of texts by what they were made of.

  make_gguf_tokenizers.py tests/text/gguf [--of TEST]    writes NAME.gguf and cases.json; made with gguf 0.19.0, tokenizers 0.23.3, sentencepiece 0.2.3

WordPiece is that of make_tokenizers.py, pieces are those of make_sentencepiece.py: run those two before. The unknown token of T5 is left out of texts, as one that
is special. NAME.json in the folder of
TEST gets the tokenizer.json of BERT's, for compare_tokenizers.py.
"""
import json
import pathlib
import sys

import gguf
import sentencepiece
from tokenizers import Tokenizer

import nasty_texts

HERE = pathlib.Path(__file__).resolve().parent
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
KIND = gguf.TokenType


def bert_json(lowercase):
    model = json.loads((HERE / "tokenizers" / "cases.json").read_text())["models"]["word_piece"]
    every = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    added = [{"id": i, "content": s, **every} for i, s in enumerate(SPECIAL)]
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
            "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": lowercase},
            "pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
            "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True}, "model": model}


def write(path, architecture, tokens, kinds, scores, more):
    out = gguf.GGUFWriter(path, architecture)
    out.add_tokenizer_model(architecture)
    out.add_token_list(tokens)
    out.add_token_types(kinds)
    if scores:
        out.add_token_scores(scores)
    more(out)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.close()


def write_bert(path, root):
    words = sorted(root["model"]["vocab"], key=root["model"]["vocab"].get)
    kinds = [KIND.CONTROL if w in SPECIAL else KIND.NORMAL for w in words]
    tokens = [w if k == KIND.CONTROL else w[2:] if w.startswith("##") else "\u2581" + w for w, k in zip(words, kinds)]

    def more(out):
        out.add_bos_token_id(2)
        out.add_sep_token_id(3)
        out.add_unk_token_id(1)
        out.add_pad_token_id(0)
        out.add_bool("tokenizer.ggml.normalizer.lowercase", root["normalizer"]["lowercase"])
    write(path, "bert", tokens, kinds, None, more)


def write_t5(path, model):
    from sentencepiece import sentencepiece_model_pb2
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model)
    rules = proto.normalizer_spec

    def more(out):
        out.add_add_space_prefix(rules.add_dummy_prefix)
        out.add_remove_extra_whitespaces(rules.remove_extra_whitespaces)
        if rules.precompiled_charsmap:
            out.add_precompiled_charsmap(rules.precompiled_charsmap)
        out.add_eos_token_id(2)
        out.add_unk_token_id(0)
    write(path, "t5", [p.piece.encode() for p in proto.pieces] + [b"[PAD0]"], [KIND(p.type) for p in proto.pieces] + [KIND.UNUSED],
          [p.score for p in proto.pieces] + [-10000.0], more)


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    lines = [s for s in nasty_texts.lines(3000, 11, ["[MASK]", "[SEP]", "<sep>", "fox"]) if len(s) < 60][:90]
    texts = ["", " ", "  a  b ", "\n\n", "The foxes don't.", "caf\u00e9 \u00c9T\u00c9 \u4e16\u754c!", "a<sep>b <sep>", "foxfoxes a fox", "\ufb01 \u00bd \uff11",
             "a" * 101, "[CLS] the [MASK]", "[PAD0]", *lines]
    cases = {}
    for name, lowercase in [("bert", True), ("bert_cased", False)]:
        root = bert_json(lowercase)
        write_bert(folder / f"{name}.gguf", root)
        t = Tokenizer.from_str(json.dumps(root))
        if "--of" in sys.argv:
            pathlib.Path(sys.argv[sys.argv.index("--of") + 1], f"{name}.json").write_text(json.dumps(root))
        cases[name] = [[t.encode(s).ids, t.decode(t.encode(s).ids)] for s in texts]
    for name, model in [("t5", "unigram"), ("t5_bytes", "unigram_bytes")]:
        model = (HERE / "sentencepiece" / f"{model}.model").read_bytes()
        write_t5(folder / f"{name}.gguf", model)
        t = sentencepiece.SentencePieceProcessor(model_proto=model)
        cases[name] = [[t.encode(s) + [2], t.decode([i for i in t.encode(s) if i != 0])] for s in texts]
    rows = lambda x: "[\n" + ",\n".join(json.dumps(i, separators=(",", ":")) for i in x) + "\n]"
    (folder / "cases.json").write_text('{"texts": ' + rows(texts) + ',\n"cases": {\n' +
                                       ",\n".join(f'"{k}": {rows(v)}' for k, v in cases.items()) + "\n}}\n")


main()
