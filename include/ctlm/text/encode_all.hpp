// SPDX-License-Identifier: MIT
// ctlm: many texts as tokens, with the threads of an executor.
#pragma once

#include "../core/executor.hpp"
#include "tokenizer.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The tokens of each text, in the order of the texts: what t.encode(text, how...) gives for each of them, on however
/// many threads. Neighbours are one task, as many as have 16 KB of text together, which take about a millisecond:
/// threads end at nearly the same time.
///
///     ctlm::pool<8> threads;
///     const auto tokens = ctlm::encode_all(t, ctlm::span<const std::string_view>(texts), threads);
///
/// What encode raises, this raises.
template <tokenizer T, executor E, class... How>
std::vector<std::vector<token>> encode_all(const T& t, span<const std::string_view> texts, E& exec, How... how) {
  constexpr std::size_t round_bytes = std::size_t{16} << 10;
  std::vector<std::size_t> rounds;  // the first text of each
  std::size_t bytes = round_bytes;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (bytes >= round_bytes) {
      rounds.push_back(i);
      bytes = 0;
    }
    bytes += texts[i].size() + 64;  // a text without bytes is some work, too
  }
  rounds.push_back(texts.size());
  std::vector<std::vector<token>> all(texts.size());
  exec.run(rounds.size() - 1, [&](std::size_t round, std::size_t) {
    for (std::size_t i = rounds[round]; i < rounds[round + 1]; ++i) all[i] = t.encode(texts[i], how...);
  });
  return all;
}

}}  // namespace ctlm
