// SPDX-License-Identifier: MIT
// ctlm: a tokenizer as GGUF files have it: its tokens, what they are, and how text becomes them.
#pragma once

#include "gguf_writer.hpp"

#include <string>
#include <vector>

namespace ctlm { inline namespace CTLM_ABI {

/// What a token is, with the values of GGUF files.
enum class gguf_token : std::int32_t {
  normal = 1,        ///< a piece of text
  unknown = 2,       ///< stands for what the vocabulary lacks
  control = 3,       ///< no text: the end of a turn, and the like
  user_defined = 4,  ///< a piece of text that is found before all else
  unused = 5,        ///< none: fills a vocabulary up
  byte = 6,          ///< a byte, spelt `<0x0A>`
};

/// A tokenizer for a GGUF file. Made by to_gguf (of a tokenizer of ctlm's) or read_hf_tokenizer; everything in it may
/// be changed: `words.eos = 10`.
struct gguf_tokenizer {
  std::string model;                ///< "gpt2": pairs of bytes by rank; "llama": pieces by score, of which pairs are
                                    ///< merged; "t5": pieces whose scores add up to most; "bert": WordPiece
  std::string pre;                  ///< of "gpt2": how text is cut into words, by llama.cpp's names
  std::vector<std::string> tokens;  ///< by number; of "gpt2" in letters that stand for bytes; of "bert" with U+2581
                                    ///< where a word begins
  std::vector<gguf_token> kinds;    ///< of each token
  std::vector<float> scores;        ///< of "llama" and "t5", of each token: the highest is the best
  std::vector<std::string> merges;  ///< of "gpt2": "left right", the first is merged first
  token bos = -1;                   ///< begins a text; -1: there is none
  token eos = -1;                   ///< ends a text
  token unknown = -1;               ///< what the vocabulary lacks
  token padding = -1;               ///< fills up
  bool add_bos = false;             ///< whether texts begin with `bos`
  bool add_eos = false;             ///< whether texts end with `eos`
  bool add_space_prefix = false;    ///< whether a space comes before a text
  std::string characters;           ///< of "t5": SentencePiece's table of characters that become others; may be empty
  bool removes_spaces = false;      ///< of "t5": spaces at the ends of a text, and all but one between words
  token separator = -1;             ///< of "bert": ends a text
  bool lowercase = true;            ///< of "bert"
  bool strip_accents = true;        ///< of "bert"
  std::string chat_template;        ///< how a conversation becomes a text, in Jinja; empty: not known

  /// Adds a token.
  void add(std::string spelt, gguf_token kind = gguf_token::normal) {
    tokens.push_back(static_cast<std::string&&>(spelt));
    kinds.push_back(kind);
  }
};

namespace gguf_detail {

/// Can it be the tokenizer of a model with this vocabulary?
inline result<void> check_tokenizer(const gguf_tokenizer& t, std::size_t vocab) {
  if (t.tokens.size() > vocab)
    return failure{errc::wrong_model, "ctlm: this tokenizer has {had} tokens, and the model's vocabulary is {needed}",
                   0, vocab, t.tokens.size()};
  const bool has_scores = t.model == "llama" || t.model == "t5";
  if (t.kinds.size() != t.tokens.size() || (has_scores && t.scores.size() != t.tokens.size()))
    return failure{errc::invalid_argument,
                   "ctlm: a tokenizer for a GGUF file needs a kind and, as pieces by score, a score for each of its "
                   "{needed} tokens",
                   0, t.tokens.size(), t.kinds.size()};
  const token of_text[] = {t.bos, t.eos, t.unknown, t.padding, t.separator};
  for (const token special : of_text)
    if (special >= 0 && static_cast<std::size_t>(special) >= vocab)
      return failure{errc::invalid_argument,
                     "ctlm: token {token} is to have a part in this tokenizer; the model's vocabulary is {needed}", 0,
                     vocab, static_cast<std::size_t>(special)};
  gguf_detail::name_index index;
  const std::size_t second = index.build(t.tokens.size(), [&](std::size_t i) { return std::string_view(t.tokens[i]); });
  if (second == t.tokens.size()) return {};
  return failure{
      errc::unsupported,
      "ctlm: token {where} of this tokenizer is spelt {name}, as one before it: llama.cpp reads no such file",
      second,
      0,
      0,
      remember(span<const char>(t.tokens[second]))};
}

/// All keys of a tokenizer, filled up to the model's vocabulary.
inline void put_tokenizer(gguf_writer& out, const gguf_tokenizer& t, std::size_t vocab) {
  std::vector<std::string> tokens = t.tokens;
  std::vector<std::int32_t> kinds;
  std::vector<float> scores = t.scores;
  for (const gguf_token k : t.kinds) kinds.push_back(static_cast<std::int32_t>(k));
  for (std::size_t i = tokens.size(); i < vocab; ++i) {
    std::string spelt("[PAD");
    tokens.push_back(spelt.append(std::to_string(i)).append("]"));
    kinds.push_back(static_cast<std::int32_t>(gguf_token::unused));
    if (!scores.empty()) scores.push_back(-1e9f);
  }
  out.set("tokenizer.ggml.model", t.model);
  if (!t.pre.empty()) out.set("tokenizer.ggml.pre", t.pre);
  out.set("tokenizer.ggml.tokens", span<const std::string>(tokens));
  if (!scores.empty()) out.set("tokenizer.ggml.scores", span<const float>(scores));
  out.set("tokenizer.ggml.token_type", span<const std::int32_t>(kinds));
  if (t.model == "gpt2") out.set("tokenizer.ggml.merges", span<const std::string>(t.merges));
  const struct {
    const char* key;
    token number;
  } special[] = {{"tokenizer.ggml.bos_token_id", t.bos},
                 {"tokenizer.ggml.eos_token_id", t.eos},
                 {"tokenizer.ggml.unknown_token_id", t.unknown},
                 {"tokenizer.ggml.padding_token_id", t.padding},
                 {"tokenizer.ggml.seperator_token_id", t.separator}};  // as llama.cpp spells it
  for (const auto& s : special)
    if (s.number >= 0) out.set(s.key, static_cast<std::uint32_t>(s.number));
  out.set("tokenizer.ggml.add_bos_token", t.add_bos);
  out.set("tokenizer.ggml.add_eos_token", t.add_eos);
  out.set("tokenizer.ggml.add_space_prefix", t.add_space_prefix);
  if (t.model == "bert") {
    out.set("tokenizer.ggml.normalizer.lowercase", t.lowercase);
    out.set("tokenizer.ggml.normalizer.strip_accents", t.strip_accents);
  }
  if (t.model == "t5") out.set("tokenizer.ggml.remove_extra_whitespaces", t.removes_spaces);
  if (!t.characters.empty())
    out.set("tokenizer.ggml.precompiled_charsmap",
            span<const std::uint8_t>(reinterpret_cast<const std::uint8_t*>(t.characters.data()), t.characters.size()));
  if (!t.chat_template.empty()) out.set("tokenizer.chat_template", t.chat_template);
}

}  // namespace gguf_detail

}}  // namespace ctlm
