// SPDX-License-Identifier: MIT
// ctlm: ranks of scores, for byte pair encoding whose file has scores instead of merges.
#pragma once

#include "bpe_model.hpp"

#include <algorithm>

namespace ctlm { inline namespace CTLM_ABI { namespace model_detail {

inline constexpr std::size_t longest_ranked = 1024;  // bytes of a token: all ways to cut it in two are looked up

// The highest score has rank 0, equal ones have equal ranks; what is not `made` has none. No score may be NaN.
inline std::vector<std::uint32_t> ranks_of(const std::vector<float>& scores, const std::vector<bool>& made) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < scores.size(); ++i)
    if (made[i]) order.push_back(i);
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  std::vector<std::uint32_t> ranks(scores.size(), bpe_model::unmade);
  std::uint32_t rank = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i > 0 && scores[order[i]] != scores[order[i - 1]]) ++rank;
    ranks[order[i]] = rank;
  }
  return ranks;
}

}}}  // namespace ctlm::model_detail
