// SPDX-License-Identifier: MIT
// ctlm: tokenizers of ctlm's as those of a GGUF file.
#pragma once

#include "../io/gguf_tokenizer.hpp"
#include "bpe.hpp"
#include "byte_letters.hpp"
#include "llama2c_tokenizer.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Pairs of bytes, as llama.cpp's "gpt2". The tokens have the same numbers there, and the same texts. A text becomes
/// the same tokens except where llama.cpp cuts it into other words (docs/models.md). Throws std::bad_alloc.
inline gguf_tokenizer to_gguf(const bpe& tokens) {
  gguf_tokenizer t;
  t.model = "gpt2";
  t.pre = "poro-chat";  // which cuts prose most nearly as ctlm does; "gpt-2" does so with code
  const auto spelt = [&](token i) { return letters_of_bytes(tokens.bytes_of(i)); };
  for (std::size_t i = 0; i < tokens.vocab(); ++i) t.add(spelt(static_cast<token>(i)));
  for (const bpe::merge& m : tokens.merges()) t.merges.push_back(spelt(m.left).append(" ").append(spelt(m.right)));
  return t;
}
/// A token for each byte: the same without pairs.
inline gguf_tokenizer to_gguf(const byte_tokenizer&) { return to_gguf(bpe()); }

/// Pieces by score, as llama.cpp's "llama": the same tokens for every text, a space and the beginning-of-sequence token
/// before it included. Throws std::bad_alloc.
inline gguf_tokenizer to_gguf(const llama2c_tokenizer& pieces) {
  gguf_tokenizer t;
  t.model = "llama";
  for (std::size_t i = 0; i < pieces.vocab(); ++i) {
    const std::string& piece = pieces.spelling(static_cast<token>(i));
    const bool special = i < 3;
    std::string spelt;
    for (const char c : piece) c == ' ' ? spelt += "\xE2\x96\x81" : spelt += c;
    constexpr const char* names[] = {"<unk>", "<s>", "</s>"};
    const bool byte = i < 3 + 256 && piece.size() == 6 && piece.starts_with("<0x");
    t.add(special ? names[i] : spelt, i == 0    ? gguf_token::unknown
                                      : special ? gguf_token::control
                                      : byte    ? gguf_token::byte
                                                : gguf_token::normal);
    t.scores.push_back(pieces.score(static_cast<token>(i)));
  }
  t.unknown = 0;
  t.bos = llama2c_tokenizer::bos;
  t.eos = llama2c_tokenizer::eos;
  t.add_bos = t.add_space_prefix = true;
  return t;
}

}}  // namespace ctlm
