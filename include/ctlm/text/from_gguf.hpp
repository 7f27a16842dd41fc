// SPDX-License-Identifier: MIT
// ctlm: a tokenizer that works, of the one that a GGUF file has.
#pragma once

#include "../io/read_gguf_tokenizer.hpp"
#include "hf_tokenizer.hpp"
#include "model/ranks.hpp"

#include <cmath>

namespace ctlm { inline namespace CTLM_ABI {

namespace from_gguf_detail {

inline failure refused(const char* what, std::string_view name) {
  return {errc::unsupported, what, 0, 0, 0, remember(span<const char>(name.data(), name.size()))};
}

inline bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}
// A vocabulary of ctlm's own bpe, which begins with the bytes in their order.
inline bool is_own(const gguf_tokenizer& t) {
  if (t.pre != "poro-chat" || t.tokens.size() < 256) return false;
  for (std::size_t b = 0; b < 256; ++b) {
    const char byte = static_cast<char>(static_cast<unsigned char>(b));
    if (t.tokens[b] != letters_of_bytes(std::string_view(&byte, 1))) return false;
  }
  return true;
}

// How a tokenizer of bytes cuts a text, by llama.cpp's names.
inline result<pre_tokenizer_detail::pre_tokenizer> cutting(const gguf_tokenizer& t) {
  using namespace pre_tokenizer_detail;
  const auto by = [](pattern_detail::pattern p) {
    return pre_tokenizer::of(split{static_cast<pattern_detail::pattern&&>(p), behaviour::isolated, false},
                             byte_level{false, false});
  };
  using pattern_detail::pattern;
  if (is_one_of(t.pre, {"gpt-2", "phi-2", "mpt", "olmo"})) return pre_tokenizer::of(byte_level{false, true});
  if (is_one_of(t.pre, {"smollm", "starcoder", "refact", "command-r"}))
    return pre_tokenizer::of(digits{true}, byte_level{false, true});
  if (is_one_of(t.pre, {"llama3", "llama-v3", "llama-bpe", "falcon3", "smaug-bpe", "dbrx"}))
    return by(pattern::of<pattern_detail::llama3>());
  if (is_one_of(t.pre, {"qwen2", "deepseek-r1-qwen", "stablelm2"})) return by(pattern::of<pattern_detail::qwen2>());
  if (is_one_of(t.pre, {"gpt-4o", "llama4"})) return by(pattern::of<pattern_detail::o200k>());
  if (is_own(t)) return by(pattern::of<pattern_detail::own_words>());
  return refused(
      "ctlm: how this GGUF file cuts text, '{name}' (tokenizer.ggml.pre), is not known; known are gpt-2, smollm, "
      "llama-bpe, smaug-bpe, qwen2, gpt-4o, and others that cut as these do",
      t.pre.empty() ? "none" : std::string_view(t.pre));
}

inline result<model_detail::vocabulary> words_of(const gguf_tokenizer& t, bool as_bytes) {
  model_detail::vocabulary words(as_bytes, t.tokens.size());
  for (std::size_t i = 0; i < t.tokens.size(); ++i)
    if (const auto r = words.add(static_cast<token>(i), t.tokens[i]); !r) return r.error();
  return result<model_detail::vocabulary>(static_cast<model_detail::vocabulary&&>(words));
}

// Pairs of bytes by rank.
inline result<void> make_bytes(const gguf_tokenizer& t, tokenizer_detail::parts& p) {
  auto cut = cutting(t);
  if (!cut) return cut.error();
  p.pre_tokenizer = static_cast<pre_tokenizer_detail::pre_tokenizer&&>(*cut);
  auto words = words_of(t, true);
  if (!words) return words.error();
  const bool ignore_merges = is_one_of(t.pre, {"llama3", "llama-v3", "llama-bpe", "falcon3"});
  auto bpe = model_detail::bpe_model::of(static_cast<model_detail::vocabulary&&>(*words), t.merges, ignore_merges);
  if (!bpe) {
    failure f = bpe.error();
    f.what = "ctlm: merge {where} of this GGUF file needs the token '{name}', which it has not";
    return f;
  }
  p.model = model_detail::model::of(static_cast<model_detail::bpe_model&&>(*bpe));
  p.decoder = decoder_detail::decoder::of(decoder_detail::byte_level{});
  return {};
}

// Pieces by score.
inline result<void> check_pieces(const gguf_tokenizer& t) {
  if (t.scores.size() != t.tokens.size())
    return failure{errc::corrupt, "ctlm: this GGUF file has {had} scores of its {needed} tokens", 0, t.tokens.size(),
                   t.scores.size()};
  for (std::size_t i = 0; i < t.tokens.size(); ++i) {
    if (std::isnan(t.scores[i]))
      return failure{errc::corrupt, "ctlm: token {token} of this GGUF file has a score that is no number", 0, 0, i};
    if (t.tokens[i].size() > model_detail::longest_ranked)
      return failure{errc::unsupported,
                     "ctlm: token {where} of this GGUF file has {had} bytes; at most {needed} are supported", i,
                     model_detail::longest_ranked, t.tokens[i].size()};
  }
  return {};
}
inline result<void> make_pieces(const gguf_tokenizer& t, tokenizer_detail::parts& p) {
  if (const auto r = check_pieces(t); !r) return r;
  auto words = words_of(t, false);
  if (!words) return words.error();
  std::vector<bool> made;
  std::size_t bytes = 0;
  token unknown = t.unknown;
  for (std::size_t i = 0; i < t.tokens.size(); ++i) {
    const gguf_token k = t.kinds[i];
    made.push_back(k == gguf_token::normal || k == gguf_token::user_defined);
    bytes += model_detail::byte_of_code(t.tokens[i]) >= 0 ? 1 : 0;
    if (unknown < 0 && k == gguf_token::unknown) unknown = static_cast<token>(i);
  }
  p.model = model_detail::model::of(
      model_detail::bpe_model::of({static_cast<model_detail::vocabulary&&>(*words),
                                   model_detail::ranks_of(t.scores, made), unknown, bytes >= 256, false}));
  normalizer_detail::sentence_piece spaces;
  spaces.adds_space = t.add_space_prefix;
  spaces.removes_spaces = false;
  p.normalizer = normalizer_detail::normalizer::of(static_cast<normalizer_detail::sentence_piece&&>(spaces));
  p.decoder = decoder_detail::decoder::of(
      decoder_detail::sentence_piece{unknown < 0 ? std::string() : t.tokens[static_cast<std::size_t>(unknown)],
                                     " \xE2\x81\x87 ", t.add_space_prefix, false});
  return {};
}

inline result<void> check_texts(const gguf_tokenizer& t) {
  for (std::size_t i = 0; i < t.tokens.size(); ++i)
    for (std::size_t at = 0; at < t.tokens[i].size();) {
      const unicode_detail::character c = unicode_detail::character_at(t.tokens[i], at);
      if (c.code == unicode_detail::no_character)
        return failure{errc::corrupt, "ctlm: token {token} of this GGUF file is no UTF-8", at, 0, i};
      at += c.length;
    }
  return {};
}

inline result<hf_tokenizer> made(const gguf_tokenizer& t) {
  tokenizer_detail::parts p;
  if (t.kinds.size() != t.tokens.size())
    return failure{errc::invalid_argument, "ctlm: this tokenizer has kinds of {had} tokens, and {needed} tokens", 0,
                   t.tokens.size(), t.kinds.size()};
  if (t.model != "gpt2" && t.model != "llama")
    return refused(
        "ctlm: the tokenizer of this GGUF file is of the kind '{name}' (tokenizer.ggml.model); known are gpt2 and "
        "llama",
        t.model);
  if (const auto r = check_texts(t); !r) return r.error();
  if (const auto r = t.model == "gpt2" ? make_bytes(t, p) : make_pieces(t, p); !r) return r.error();
  for (std::size_t i = 0; i < t.tokens.size(); ++i) {
    const gguf_token k = t.kinds[i];
    const bool special = k == gguf_token::control || k == gguf_token::unknown;
    if ((special || k == gguf_token::user_defined) && !t.tokens[i].empty() && p.added.find(t.tokens[i]) == nullptr)
      p.added.put({.content = t.tokens[i], .id = static_cast<token>(i), .special = special}, true);
  }
  if (t.add_bos && t.bos >= 0) p.around.before.push_back(t.bos);
  if (t.add_eos && t.eos >= 0) p.around.after.push_back(t.eos);
  return hf_tokenizer(static_cast<tokenizer_detail::parts&&>(p));
}

}  // namespace from_gguf_detail

/// The tokenizer that a GGUF file describes, with the tokens of llama.cpp: pairs of bytes ("gpt2") with a way of
/// cutting text that is known here, or pieces by score ("llama"). Control tokens that a text spells are found.
///
/// Errors: errc::unsupported, for another kind or another way to cut, by its name; corrupt, where the file contradicts
/// itself; invalid_argument, for a tokenizer with fewer kinds than tokens; out_of_memory.
inline result<hf_tokenizer> from_gguf(const gguf_tokenizer& t) {
  return or_failure(tokenizer_detail::no_memory, [&] { return from_gguf_detail::made(t); });
}
/// The same, of a GGUF file. Errors: those of gguf_file::open and read_gguf_tokenizer, too.
inline result<hf_tokenizer> load_gguf_tokenizer(const char* path) {
  return or_failure(tokenizer_detail::no_memory, [&]() -> result<hf_tokenizer> {
    const auto file = gguf_file::open(path);
    if (!file) return file.error();
    const auto t = read_gguf_tokenizer(file->metadata());
    if (!t) return t.error();
    return from_gguf(*t);
  });
}

}}  // namespace ctlm
