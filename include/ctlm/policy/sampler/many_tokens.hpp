// SPDX-License-Identifier: MIT
// ctlm: how the tokens of a large vocabulary are read in registers. The results are those of reading token after
// token.
#pragma once

#include "level_search.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace sampling_detail {

/// Numbers from low to high.
struct number_interval {
  float low, high;
};

/// The least number up to `most` of which f is false, where f is true of all smaller ones; `most` if there is none.
template <class F>
constexpr float least_without(F&& f, float most) {
  std::uint32_t low = order_of(-std::numeric_limits<float>::infinity()) - 1, high = order_of(most);
  while (high - low > 1) {
    const std::uint32_t middle = low + (high - low) / 2;
    (f(number_at<float>(middle)) ? low : high) = middle;
  }
  return number_at<float>(high);
}

/// Between which logits the keys are `least` or more: the further from the order's center, the smaller they are.
template <class Backend>
constexpr number_interval logits_reaching(const left_tokens<float, Backend>& left, const by_distance<float>& order,
                                          float least) {
  const auto out = [&](float logit, float side) {
    const float log2 = left.log2_of(logit);
    return side * (log2 - order.center) > 0.0f && order.of(log2) < least;
  };
  const float low = least_without([&](float logit) { return out(logit, -1); }, left.peak);
  const float high = least_without([&](float logit) { return !out(logit, 1); }, left.peak);
  return {low, out(high, 1) ? number_at<float>(order_of(high) - 1) : high};
}

/// The largest of all logits that is at most `most`: few blocks have larger ones.
template <class Backend>
CTLM_NOINLINE constexpr float largest_up_to(const left_tokens<float, Backend>& left, float most) {
  float largest = -std::numeric_limits<float>::infinity();
  const auto take = [&](float x) { largest = x <= most && x > largest ? x : largest; };
  for (std::size_t b = 0; b < left.blocks(); ++b) {
    take(left.most[b]);
    for (std::size_t i = 0; left.most[b] > most && i < left.block_size(b); ++i) take(left.x[b * left.stride() + i]);
  }
  return largest;
}

/// Multiplies each mass of a piece by its logarithm.
template <class Backend, class Reader>
constexpr void multiply_by_log2(const left_tokens<float, Backend>& left, Reader& pieces) {
  elementwise(
      left.backend, pieces.count,
      [peak = left.peak, base2 = left.base2](auto& y, const auto& v) {
        using math::product, math::select;
        using V = std::remove_reference_t<decltype(y)>;
        y = select(y > V(0.0f), product(y, product(v - V(peak), V(base2))), V(0.0f));
      },
      static_cast<float*>(pieces.mass), static_cast<const float*>(pieces.key));
}

}  // namespace sampling_detail

}}  // namespace ctlm
