// SPDX-License-Identifier: MIT
// ctlm: a tokenizer that was trained here as tokenizer.json, so that Hugging Face's `tokenizers` makes the same tokens.
#pragma once

#include "../io/replace.hpp"
#include "bpe.hpp"
#include "byte_letters.hpp"

#include <sys/stat.h>

namespace ctlm { inline namespace CTLM_ABI {

/// Tokens with a part of their own in a folder of Hugging Face: of the tokenizer's, or -1.
struct tokenizer_parts {
  token bos = -1;  ///< begins a text
  token eos = -1;  ///< ends a text, and generation
};

namespace save_tokenizer_detail {

/// Letters of bytes in a JSON string: the two that it cannot hold as they are get a backslash.
inline std::string quoted(std::string_view bytes) {
  std::string s = "\"";
  for (const char c : letters_of_bytes(bytes)) {
    if (c == '"' || c == '\\') s += '\\';
    s += c;
  }
  return s += '"';
}

/// The words of bpe::for_each_word, as a regular expression in a JSON string. Characters above U+007F are letters.
inline constexpr const char* words =
    R"( ?[A-Za-z\\x{80}-\\x{10FFFF}]+| ?[0-9]+| ?[^ \\t-\\r0-9A-Za-z\\x{80}-\\x{10FFFF}]+|)"
    R"([ \\t-\\r]+?(?= [^ \\t-\\r])|[ \\t-\\r]+)";

/// The text of a tokenizer.json; two tokens of the same bytes are errc::unsupported.
inline result<std::string> text_of(const bpe& tokens) {
  std::string vocabulary, merges;
  std::unordered_map<std::string_view, token> known;
  for (std::size_t i = 0; i < tokens.vocab(); ++i) {
    const auto t = static_cast<token>(i);
    if (!known.try_emplace(tokens.bytes_of(t), t).second)
      return failure{
          errc::unsupported,
          "ctlm: token {where} of this tokenizer has the bytes of token {token}: tokenizer.json cannot say so", i, 0,
          static_cast<std::size_t>(known[tokens.bytes_of(t)])};
    vocabulary.append(i == 0 ? "" : ",\n      ")
        .append(quoted(tokens.bytes_of(t)))
        .append(": ")
        .append(std::to_string(i));
  }
  for (const bpe::merge& m : tokens.merges()) {
    merges.append(merges.empty() ? "" : ",\n      ").append("[").append(quoted(tokens.bytes_of(m.left)));
    merges.append(", ").append(quoted(tokens.bytes_of(m.right))).append("]");
  }
  std::string s = R"({
  "version": "1.0",
  "truncation": null,
  "padding": null,
  "added_tokens": [],
  "normalizer": null,
  "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
    {"type": "Split", "pattern": {"Regex": ")";
  s.append(words).append(R"("}, "behavior": "Isolated", "invert": false},
    {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false}
  ]},
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
    "vocab": {
      )");
  s.append(vocabulary).append("\n    },\n    \"merges\": [");
  s.append(merges.empty() ? "" : "\n      ").append(merges).append("\n    ]\n  }\n}\n");
  return s;
}

inline std::string number_or_null(token t) { return t < 0 ? std::string("null") : std::to_string(t); }

// The three files; json_of(token) is how a part is spelt, as a string of JSON.
template <class Spell>
result<void> save_files(const std::string& folder, const std::string& tokenizer, std::size_t vocab,
                        const tokenizer_parts& parts, Spell json_of) {
  for (const token t : {parts.bos, parts.eos})
    if (t >= 0 && static_cast<std::size_t>(t) >= vocab)
      return failure{errc::invalid_argument, "ctlm: this tokenizer has no token {token}; it has {needed} tokens", 0,
                     vocab, static_cast<std::size_t>(t)};
  ::mkdir(folder.c_str(), 0777);  // if that fails, so does what follows, and says why
  if (const auto r = replace_file((folder + "/tokenizer.json").c_str(), tokenizer); !r) return r;
  std::string config =
      "{\n  \"tokenizer_class\": \"PreTrainedTokenizerFast\",\n  \"clean_up_tokenization_spaces\": false";
  std::string generation = "{\n  \"bos_token_id\": ";
  for (const auto& [key, t] : {std::pair("bos_token", parts.bos), std::pair("eos_token", parts.eos)})
    if (t >= 0) config.append(",\n  \"").append(key).append("\": ").append(json_of(t));
  generation.append(number_or_null(parts.bos)).append(",\n  \"eos_token_id\": ").append(number_or_null(parts.eos));
  if (const auto r = replace_file((folder + "/tokenizer_config.json").c_str(), config.append("\n}\n")); !r) return r;
  return replace_file((folder + "/generation_config.json").c_str(), generation.append("\n}\n"));
}
inline result<void> save(const std::string& folder, const bpe& tokens, const tokenizer_parts& parts) {
  const auto text = text_of(tokens);
  if (!text) return text.error();
  return save_files(folder, *text, tokens.vocab(), parts, [&](token t) { return quoted(tokens.bytes_of(t)); });
}

}  // namespace save_tokenizer_detail

/// Writes `folder`/tokenizer.json, tokenizer_config.json and generation_config.json beside what save_hf writes: with
/// `tokenizers` and `transformers`, every text in UTF-8 becomes the same tokens as here, and is got back from them.
///
/// Errors: errc::unsupported, where two tokens have the same bytes; invalid_argument, for a part that is no token;
/// those of replace_file.
inline result<void> save_hf_tokenizer(const char* folder, const bpe& tokens, const tokenizer_parts& parts = {}) {
  return or_out_of_memory("ctlm: there is no memory for a tokenizer.json",
                          [&] { return save_tokenizer_detail::save(folder, tokens, parts); });
}
/// The same for a token of each byte.
inline result<void> save_hf_tokenizer(const char* folder, const byte_tokenizer&, const tokenizer_parts& parts = {}) {
  return save_hf_tokenizer(folder, bpe(), parts);
}

}}  // namespace ctlm
