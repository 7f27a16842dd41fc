// SPDX-License-Identifier: MIT
// ctlm: the tokenizer that a GGUF file has, out of its metadata.
#pragma once

#include "../memory/out_of_memory.hpp"
#include "gguf.hpp"
#include "gguf_tokenizer.hpp"

namespace ctlm { inline namespace CTLM_ABI {

namespace gguf_detail {

inline failure missing_key(const char* key) {
  return {errc::wrong_model, "ctlm: this GGUF file has no tokenizer: {name} is missing", 0, 0, 0, key};
}

// Reads one value after the other; the first failure stays.
class tokenizer_reader {
 public:
  explicit tokenizer_reader(const gguf_metadata& m) : metadata_(m) {}

  result<gguf_tokenizer> read() {
    text("tokenizer.ggml.model", t_.model);
    if (done_ && t_.model.empty()) return missing_key("tokenizer.ggml.model");
    text("tokenizer.ggml.pre", t_.pre);
    texts("tokenizer.ggml.tokens", t_.tokens);
    if (done_ && t_.tokens.empty()) return missing_key("tokenizer.ggml.tokens");
    texts("tokenizer.ggml.merges", t_.merges);
    kinds();
    scores();
    t_.add_bos = t_.model == "llama" || t_.pre == "llama3" || t_.pre == "llama-v3" || t_.pre == "llama-bpe";
    t_.add_space_prefix = t_.model == "llama";
    t_.add_eos = t_.model == "t5";
    usual_numbers();
    flag("tokenizer.ggml.add_bos_token", t_.add_bos);
    flag("tokenizer.ggml.add_eos_token", t_.add_eos);
    flag("tokenizer.ggml.add_space_prefix", t_.add_space_prefix);
    if (t_.model == "bert") number("tokenizer.ggml.cls_token_id", t_.bos);  // in older files
    number("tokenizer.ggml.bos_token_id", t_.bos);
    number("tokenizer.ggml.eos_token_id", t_.eos);
    number("tokenizer.ggml.unknown_token_id", t_.unknown);
    number("tokenizer.ggml.padding_token_id", t_.padding);
    number("tokenizer.ggml.seperator_token_id", t_.separator);  // as llama.cpp spells it
    flag("tokenizer.ggml.remove_extra_whitespaces", t_.removes_spaces);
    flag("tokenizer.ggml.normalizer.lowercase", t_.lowercase);
    t_.strip_accents = t_.lowercase;
    flag("tokenizer.ggml.normalizer.strip_accents", t_.strip_accents);
    bytes("tokenizer.ggml.precompiled_charsmap", t_.characters);
    text("tokenizer.chat_template", t_.chat_template);
    if (!done_) return done_.error();
    return result<gguf_tokenizer>(static_cast<gguf_tokenizer&&>(t_));
  }

 private:
  // Of tokens that have a part in a text, where the file does not say them and there are so many.
  void usual_numbers() {
    const auto usual = [&](token& to, token n) {
      if (static_cast<std::size_t>(n) < t_.tokens.size()) to = n;
    };
    if (t_.model == "bert") usual(t_.bos, 101), usual(t_.unknown, 100), usual(t_.separator, 102);
    if (t_.model == "t5") usual(t_.eos, 1), usual(t_.unknown, 2), usual(t_.padding, 0);
  }
  // f(value) -> result<void>, where there is such a value.
  template <class F>
  void with(const char* key, F f) {
    const gguf_value* const v = metadata_.find(key);
    if (done_ && v != nullptr) done_ = f(*v);
  }
  void text(const char* key, std::string& to) {
    with(key, [&](const gguf_value& v) -> result<void> {
      const auto s = v.as_string();
      if (!s) return s.error();
      to.assign(s->data(), s->size());
      return {};
    });
  }
  // f(element) -> result<void> for each element.
  template <class F>
  void each(const char* key, F f) {
    with(key, [&](const gguf_value& v) -> result<void> {
      const auto list = v.as_array();
      if (!list) return list.error();
      for (const gguf_value& e : *list)
        if (const result<void> r = f(e); !r) return r;
      return {};
    });
  }
  void texts(const char* key, std::vector<std::string>& to) {
    each(key, [&](const gguf_value& e) -> result<void> {
      const auto s = e.as_string();
      if (!s) return s.error();
      to.emplace_back(s->data(), s->size());
      return {};
    });
  }
  void bytes(const char* key, std::string& to) {
    with(key, [&](const gguf_value& v) -> result<void> {
      const auto list = v.as_array();
      if (!list) return list.error();
      if (list->type() != gguf_type::uint8 && list->type() != gguf_type::int8)
        return failure{errc::wrong_model, "ctlm: {name} in this GGUF file should be an array of bytes", 0, 0, 0, key};
      const auto stored = v.stored();
      to.assign(reinterpret_cast<const char*>(stored.data()), stored.size());
      return {};
    });
  }
  void flag(const char* key, bool& to) {
    with(key, [&](const gguf_value& v) -> result<void> {
      const auto b = v.as_bool();
      if (!b) return b.error();
      to = *b;
      return {};
    });
  }
  void number(const char* key, token& to) {
    with(key, [&](const gguf_value& v) -> result<void> {
      const auto n = v.as_integer();
      if (!n) return n.error();
      if (*n < 0 || static_cast<std::uint64_t>(*n) >= t_.tokens.size())
        return failure{errc::corrupt,
                       "ctlm: {name} in this GGUF file is token {had}, and there are {needed}",
                       0,
                       t_.tokens.size(),
                       static_cast<std::size_t>(*n),
                       key};
      to = static_cast<token>(*n);
      return {};
    });
  }
  // As many as there are tokens.
  result<void> check_count(const char* key, std::size_t n) const {
    if (n == t_.tokens.size()) return {};
    return failure{errc::corrupt,
                   "ctlm: {name} in this GGUF file has {had} elements, and there are {needed} tokens",
                   0,
                   t_.tokens.size(),
                   n,
                   key};
  }
  void kinds() {
    constexpr const char* key = "tokenizer.ggml.token_type";
    each(key, [&](const gguf_value& e) -> result<void> {
      const auto n = e.as_integer();
      if (!n) return n.error();
      if (*n < 1 || *n > 6)
        return failure{errc::unsupported,
                       "ctlm: {name} in this GGUF file has the value {had}; 1 to 6 are known",
                       0,
                       6,
                       static_cast<std::size_t>(*n),
                       key};
      t_.kinds.push_back(static_cast<gguf_token>(*n));
      return {};
    });
    if (t_.kinds.empty()) t_.kinds.assign(t_.tokens.size(), gguf_token::normal);
    if (done_) done_ = check_count(key, t_.kinds.size());
  }
  void scores() {
    constexpr const char* key = "tokenizer.ggml.scores";
    each(key, [&](const gguf_value& e) -> result<void> {
      const auto n = e.as_number();
      if (!n) return n.error();
      t_.scores.push_back(static_cast<float>(*n));
      return {};
    });
    if (done_ && !t_.scores.empty()) done_ = check_count(key, t_.scores.size());
  }

  const gguf_metadata& metadata_;
  gguf_tokenizer t_;
  result<void> done_;
};

}  // namespace gguf_detail

/// The tokenizer of a GGUF file. What the file does not say is as llama.cpp has it: "llama" puts `bos` and a space
/// before a text, and so does "gpt2" with the `bos` of Llama 3; "t5" puts `eos` behind it. Numbers of "bert" that are
/// not said are 101 for [CLS] (`bos`), 102 for [SEP] (`separator`) and 100 for [UNK]; of "t5" 1 for `eos`, 2 for
/// `unknown` and 0 for `padding`.
///
/// Errors: errc::wrong_model, where the file has none, or another type in its place; corrupt, with both counts;
/// unsupported, for a kind of token that is not known; out_of_memory.
inline result<gguf_tokenizer> read_gguf_tokenizer(const gguf_metadata& metadata) {
  return or_out_of_memory("ctlm: there is not enough memory for this tokenizer",
                          [&] { return gguf_detail::tokenizer_reader(metadata).read(); });
}

}}  // namespace ctlm
