// SPDX-License-Identifier: MIT
// ctlm: the tokenizer.json of a tokenizer that was trained here.
#pragma once

#include "../pattern/llama3.hpp"
#include "../save_hf_tokenizer.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace training_detail {

// Patterns in JSON: Split at Llama 3's and Qwen 2's words, and then bytes.
inline constexpr const char* split_at_llama3 =
    R"({"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": )"
    R"("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|)"
    R"(\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}, "behavior": "Isolated", "invert": false}, )"
    R"({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false}]})";
inline constexpr const char* split_at_qwen2 =
    R"({"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": )"
    R"("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|)"
    R"(\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}, "behavior": "Isolated", "invert": false}, )"
    R"({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false}]})";

// A text in UTF-8 as a JSON string.
inline std::string json_string(std::string_view text) {
  constexpr const char* digits = "0123456789abcdef";
  std::string s = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20) {
      s.append("\\u00").append(1, digits[byte / 16]).append(1, digits[byte % 16]);
    } else {
      if (c == '"' || c == '\\') s += '\\';
      s += c;
    }
  }
  return s += '"';
}

struct parts_of_json {
  const std::vector<std::string>& spelt;
  const std::vector<bpe::merge>& merges;
  const std::vector<std::string>& special_tokens;
  const std::string &pre_tokenizer, &normalizer;
};

inline void append_added_tokens(std::string& s, const parts_of_json& p) {
  std::size_t id = 0;
  for (const std::string& content : p.special_tokens) {
    if (id == p.spelt.size() || p.spelt[id] != content) continue;  // it was named before
    s.append(id == 0 ? "\n    " : ",\n    ").append("{\"id\": ").append(std::to_string(id));
    ++id;
    s.append(", \"content\": ").append(json_string(content));
    s.append(R"(, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true})");
  }
}
inline std::string json_of(const parts_of_json& p) {
  std::string s = "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  \"added_tokens\": [";
  append_added_tokens(s, p);
  s.append("],\n  \"normalizer\": ").append(p.normalizer);
  s.append(",\n  \"pre_tokenizer\": ").append(p.pre_tokenizer);
  s.append(R"(,
  "post_processor": null,
  "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false},
  "model": {
    "type": "BPE",
    "dropout": null,
    "unk_token": null,
    "continuing_subword_prefix": null,
    "end_of_word_suffix": null,
    "fuse_unk": false,
    "byte_fallback": false,
    "ignore_merges": false,
    "vocab": {)");
  for (std::size_t i = 0; i < p.spelt.size(); ++i)
    s.append(i == 0 ? "\n      " : ",\n      ").append(json_string(p.spelt[i])).append(": ").append(std::to_string(i));
  s.append("\n    },\n    \"merges\": [");
  for (std::size_t i = 0; i < p.merges.size(); ++i) {
    s.append(i == 0 ? "\n      [" : ",\n      [");
    s.append(json_string(p.spelt[static_cast<std::size_t>(p.merges[i].left)])).append(", ");
    s.append(json_string(p.spelt[static_cast<std::size_t>(p.merges[i].right)])).append("]");
  }
  return s.append("\n    ]\n  }\n}\n");
}

}}}  // namespace ctlm::training_detail
