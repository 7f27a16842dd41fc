// A tokenizer.json of any bytes is refused, or is a tokenizer whose parts fit each other, no larger than the text.
#include "fuzz.hpp"

using namespace ctlm;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto root = json::parse(text, {}, heap_keys());
  if (!root) return fuzz::require_words(root.error()), 0;
  gguf_tokenizer t;
  hf_tokenizer_detail::reader reader(t);
  if (const auto r = reader.read(*root); !r) return fuzz::require_words(r.error()), 0;
  fuzz::require(t.kinds.size() == t.tokens.size(), "each token is of a kind");
  fuzz::require(t.scores.size() == (t.model == "llama" ? t.tokens.size() : 0), "pieces have scores");
  fuzz::require(t.tokens.size() <= text.size() && t.merges.size() <= text.size(), "all of it is in the text");
  if (const auto r = gguf_detail::check_tokenizer(t, text.size()); !r) fuzz::require_words(r.error());
  return 0;
}

void fuzz::seeds(const std::function<void(const std::string&)>& keep) {
  const std::string bytes =
      R"({"added_tokens": [{"id": 4, "content": "<|end|>", "special": true}], "normalizer": {"type": "NFC"},
          "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": true},
                            {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}]},
          "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<|end|>"}},
                             {"Sequence": {"id": "A"}}]},
          "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]}})";
  const std::string pieces =
      R"({"added_tokens": [{"id": 0, "content": "<unk>", "special": true}],
          "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"},
                         {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]},
          "model": {"type": "BPE", "unk_token": "<unk>", "byte_fallback": true,
                    "vocab": {"<unk>": 0, "<0x00>": 1, "a": 2, "b": 3, "ab": 4}, "merges": ["a b"]}})";
  keep(bytes);
  keep(pieces);
  keep(R"({"model": {"type": "Unigram", "vocab": [["a", -1.5]]}})");
}
