// A tokenizer.json of any bytes is refused in words, or is a tokenizer whose tokens exist, and whose text comes out the
// same at once and token by token.
#include "fuzz.hpp"

#include <ctlm/text/hf_tokenizer.hpp>

using namespace ctlm;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto t = hf_tokenizer::parse(text);
  if (!t) return fuzz::require_words(t.error()), 0;
  fuzz::succeeds([&] {
    for (const std::string& s : {std::string("ab <s> 12 don't caf\xC3\xA9\n\n\xFF  "), text.substr(0, 200)}) {
      const std::vector<token> ids = t->encode(s);
      for (const token id : ids) fuzz::require(t->has(id), "tokens exist");
      text_stream stream(*t, {.texts = {"never in it, and long"}, .tokens = {}});
      std::string pieces;
      for (const token id : ids) pieces.append(stream.push(id));
      pieces.append(stream.finish());
      fuzz::require(stream.stopped() || pieces == t->decode(ids), "pieces add up to the text");
    }
  });
  return 0;
}

void fuzz::seeds(const std::function<void(const std::string&)>& keep) {
  keep(
      R"({"added_tokens": [{"id": 3, "content": "<s>", "special": true, "lstrip": true}], "normalizer": {"type": "NFC"},
          "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": true},
                            {"type": "ByteLevel", "add_prefix_space": true, "use_regex": true}]},
          "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}},
                             {"Sequence": {"id": "A"}}], "special_tokens": {"<s>": {"ids": [3]}}},
          "decoder": {"type": "ByteLevel"},
          "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]], "ignore_merges": true}})");
  keep(
      R"({"normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"}, {"type": "Lowercase"},
                         {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]},
          "decoder": {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"},
                      {"type": "Strip", "content": " ", "start": 1, "stop": 1}]},
          "model": {"type": "BPE", "unk_token": "<unk>", "byte_fallback": true, "fuse_unk": true,
                    "vocab": {"<unk>": 0, "<0xC3>": 1, "a": 2, "b": 3, "ab": 4}, "merges": ["a b"]}})");
  keep(
      R"({"pre_tokenizer": {"type": "Metaspace", "replacement": "_", "prepend_scheme": "first", "split": true},
          "decoder": {"type": "Metaspace", "replacement": "_"},
          "model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0], ["a", -1.5], ["_ab", -2]]}})");
  keep(
      R"({"normalizer": {"type": "BertNormalizer", "strip_accents": false}, "pre_tokenizer": {"type": "BertPreTokenizer"},
          "decoder": {"type": "WordPiece"}, "post_processor": {"type": "BertProcessing", "sep": ["b", 2], "cls": ["a", 1]},
          "model": {"type": "WordPiece", "unk_token": "[UNK]", "vocab": {"[UNK]": 0, "a": 1, "b": 2, "##b": 3}}})");
  keep(
      R"({"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "\\p{N}{1,3}"}, "behavior": "MergedWithNext",
                            "invert": true}, "decoder": {"type": "BPEDecoder", "suffix": "b"},
          "model": {"vocab": {"a": 0, "<unk>": 1}, "unk_token": "<unk>"}})");
}
