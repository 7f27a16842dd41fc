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

inline result<void> check_pieces(const gguf_tokenizer& t) {
  if (t.scores.size() != t.tokens.size())
    return failure{errc::corrupt, "ctlm: this GGUF file has {had} scores of its {needed} tokens", 0, t.tokens.size(),
                   t.scores.size()};
  for (std::size_t i = 0; i < t.tokens.size(); ++i) {
    if (std::isnan(t.scores[i]) || (t.model == "t5" && std::isinf(t.scores[i])))
      return failure{errc::corrupt, "ctlm: token {token} of this GGUF file has a score that is no number", 0, 0, i};
    if (t.tokens[i].size() > model_detail::longest_ranked)
      return failure{errc::unsupported,
                     "ctlm: token {where} of this GGUF file has {had} bytes; at most {needed} are supported", i,
                     model_detail::longest_ranked, t.tokens[i].size()};
  }
  return {};
}
// The unknown token: by its number, or by what it is.
inline token unknown_of(const gguf_tokenizer& t) {
  token unknown = t.unknown;
  for (std::size_t i = 0; i < t.tokens.size() && unknown < 0; ++i)
    if (t.kinds[i] == gguf_token::unknown) unknown = static_cast<token>(i);
  return unknown;
}
inline result<void> check_unknown(const gguf_tokenizer& t) {
  if (unknown_of(t) >= 0) return {};
  failure f =
      refused("ctlm: this GGUF file has no unknown token, which a tokenizer of the kind '{name}' needs", t.model);
  f.code = errc::corrupt;
  return f;
}
inline bool has_all_bytes(const gguf_tokenizer& t) {
  std::size_t bytes = 0;
  for (const std::string& s : t.tokens) bytes += model_detail::byte_of_code(s) >= 0 ? 1 : 0;
  return bytes >= 256;
}
inline decoder_detail::decoder pieces_back(const gguf_tokenizer& t, token unknown, bool removes_spaces) {
  return decoder_detail::decoder::of(
      decoder_detail::sentence_piece{unknown < 0 ? std::string() : t.tokens[static_cast<std::size_t>(unknown)],
                                     " \xE2\x81\x87 ", t.add_space_prefix || removes_spaces, removes_spaces});
}
// Pieces by score, of which pairs are merged.
inline result<void> make_pieces(const gguf_tokenizer& t, tokenizer_detail::parts& p) {
  if (const auto r = check_pieces(t); !r) return r;
  auto words = words_of(t, false);
  if (!words) return words.error();
  std::vector<bool> made;
  for (const gguf_token k : t.kinds) made.push_back(k == gguf_token::normal || k == gguf_token::user_defined);
  const token unknown = unknown_of(t);
  p.model = model_detail::model::of(
      model_detail::bpe_model::of({static_cast<model_detail::vocabulary&&>(*words),
                                   model_detail::ranks_of(t.scores, made), unknown, has_all_bytes(t), false}));
  normalizer_detail::sentence_piece spaces;
  spaces.adds_space = t.add_space_prefix;
  spaces.removes_spaces = false;
  p.normalizer = normalizer_detail::normalizer::of(static_cast<normalizer_detail::sentence_piece&&>(spaces));
  p.decoder = pieces_back(t, unknown, false);
  return {};
}
// Pieces whose scores add up to most, with the tokens of `sentencepiece`.
inline result<void> make_unigram(const gguf_tokenizer& t, tokenizer_detail::parts& p) {
  if (const auto r = check_pieces(t); !r) return r;
  if (const auto r = check_unknown(t); !r) return r;
  auto words = words_of(t, false);
  if (!words) return words.error();
  using role = model_detail::unigram::role;
  normalizer_detail::sentence_piece spaces;
  if (!spaces.characters.read(t.characters))
    return failure{errc::corrupt, "ctlm: the table of characters of this GGUF file is damaged"};
  spaces.adds_space = t.add_space_prefix;
  spaces.removes_spaces = t.removes_spaces;
  std::vector<role> roles;
  for (std::size_t i = 0; i < t.tokens.size(); ++i) {
    const bool chosen = t.kinds[i] == gguf_token::user_defined;
    if (chosen && !t.tokens[i].empty()) spaces.kept.add(t.tokens[i], static_cast<std::uint32_t>(i));
    roles.push_back(chosen ? role::chosen : t.kinds[i] == gguf_token::normal ? role::learnt : role::none);
  }
  const token unknown = unknown_of(t);
  p.model = model_detail::model::of(
      model_detail::unigram::of({static_cast<model_detail::vocabulary&&>(*words), t.scores,
                                 static_cast<std::vector<role>&&>(roles), unknown, has_all_bytes(t)}));
  p.normalizer = normalizer_detail::normalizer::of(static_cast<normalizer_detail::sentence_piece&&>(spaces));
  p.decoder = pieces_back(t, unknown, t.removes_spaces);
  return {};
}

// WordPiece, with the tokens of `tokenizers`, and spelt as in a vocab.txt: where a word goes on, "##" comes before the
// letters; GGUF files have none there, and U+2581 where a word begins.
inline std::string word_piece_of(const gguf_tokenizer& t, std::size_t i) {
  constexpr std::string_view mark = "\xE2\x96\x81";
  const std::string& s = t.tokens[i];
  if (t.kinds[i] == gguf_token::control) return s;
  return s.starts_with(mark) ? s.substr(mark.size()) : std::string("##").append(s);
}
inline result<void> make_word_pieces(const gguf_tokenizer& t, tokenizer_detail::parts& p) {
  if (const auto r = check_unknown(t); !r) return r;
  model_detail::vocabulary words(false, t.tokens.size());
  for (std::size_t i = 0; i < t.tokens.size(); ++i)
    if (const auto r = words.add(static_cast<token>(i), word_piece_of(t, i)); !r) return r.error();
  p.model = model_detail::model::of(
      model_detail::word_piece::of(static_cast<model_detail::vocabulary&&>(words), unknown_of(t)));
  p.normalizer = normalizer_detail::normalizer::of(
      normalizer_detail::bert{.strip_accents = t.strip_accents, .lowercases = t.lowercase});
  p.pre_tokenizer = pre_tokenizer_detail::pre_tokenizer::of(pre_tokenizer_detail::bert{});
  p.decoder = decoder_detail::decoder::of(decoder_detail::word_piece{"##", true});
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

inline result<void> make_model(const gguf_tokenizer& t, tokenizer_detail::parts& p) {
  if (t.model == "gpt2") return make_bytes(t, p);
  if (t.model == "llama") return make_pieces(t, p);
  if (t.model == "t5") return make_unigram(t, p);
  if (t.model == "bert") return make_word_pieces(t, p);
  return refused(
      "ctlm: the tokenizer of this GGUF file is of the kind '{name}' (tokenizer.ggml.model); known are gpt2, llama, t5 "
      "and bert",
      t.model);
}
// Those that a text may spell. What the user has chosen, the unigram model finds itself.
inline void add_tokens(const gguf_tokenizer& t, tokenizer_detail::parts& p) {
  for (std::size_t i = 0; i < t.tokens.size(); ++i) {
    const gguf_token k = t.kinds[i];
    const bool special = k == gguf_token::control || k == gguf_token::unknown;
    const bool chosen = k == gguf_token::user_defined && t.model != "t5";
    const std::string text = t.model == "bert" ? word_piece_of(t, i) : t.tokens[i];
    if ((special || chosen) && !text.empty() && p.added.find(text) == nullptr)
      p.added.put({.content = text, .id = static_cast<token>(i), .special = special}, true);
  }
}
inline result<hf_tokenizer> made(const gguf_tokenizer& t) {
  tokenizer_detail::parts p;
  if (t.kinds.size() != t.tokens.size())
    return failure{errc::invalid_argument, "ctlm: this tokenizer has kinds of {had} tokens, and {needed} tokens", 0,
                   t.tokens.size(), t.kinds.size()};
  if (const auto r = check_texts(t); !r) return r.error();
  if (const auto r = make_model(t, p); !r) return r.error();
  add_tokens(t, p);
  const bool is_bert = t.model == "bert";
  const token last = is_bert ? t.separator : t.eos;
  if ((t.add_bos || is_bert) && t.bos >= 0) p.around.before.push_back(t.bos);
  if ((t.add_eos || is_bert) && last >= 0) p.around.after.push_back(last);
  return hf_tokenizer(static_cast<tokenizer_detail::parts&&>(p));
}

}  // namespace from_gguf_detail

/// The tokenizer that a GGUF file describes, with the tokens of llama.cpp: pairs of bytes ("gpt2") with a way of
/// cutting text that is known here, or pieces by score ("llama"); or with those of what the file was made of: a unigram
/// model ("t5") with the tokens of `sentencepiece`, WordPiece ("bert") with those of `tokenizers`. Control tokens that
/// a text spells are found.
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
