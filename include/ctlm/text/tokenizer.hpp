// SPDX-License-Identifier: MIT
// ctlm: what a tokenizer is, and the simplest one: a token for each byte.
#pragma once

#include "../core/span.hpp"
#include "../core/types.hpp"

#include <concepts>
#include <string>
#include <string_view>
#include <vector>

namespace ctlm { inline namespace CTLM_ABI {

/// What turns text into tokens below vocab(), and back: encode(text) and decode(tokens).
template <class T>
concept tokenizer = requires(const T& t, std::string_view text, span<const token> tokens) {
  { t.vocab() } -> std::convertible_to<std::size_t>;
  { t.encode(text) } -> std::convertible_to<std::vector<token>>;
  { t.decode(tokens) } -> std::convertible_to<std::string>;
};

/// Token t is byte t: nothing to train, nothing to load, every string survives.
struct byte_tokenizer {
  /// 256: a token for every byte.
  static constexpr std::size_t vocab() { return 256; }
  /// The bytes of the text.
  static std::vector<token> encode(std::string_view text) {
    std::vector<token> tokens(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) tokens[i] = static_cast<unsigned char>(text[i]);
    return tokens;
  }
  /// Tokens that are no bytes add nothing.
  static std::string decode(span<const token> tokens) {
    std::string text;
    for (token t : tokens)
      if (t >= 0 && t < 256) text += static_cast<char>(t);
    return text;
  }
};

}}  // namespace ctlm
