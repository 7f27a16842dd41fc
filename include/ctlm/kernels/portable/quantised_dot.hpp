// SPDX-License-Identifier: MIT
// ctlm: rows of integer weights against activations in int8, portable.
#pragma once

#include "../../arch/portable.hpp"
#include "../../core/math.hpp"
#include "../../format/quantised.hpp"

namespace ctlm::inline CTLM_ABI {

/// A vector quantised on the fly, with the groups of the weights it will meet: x[i] = scale[g] * codes[i].
struct quantised_vector {
  std::int8_t* codes;  // [n]
  float* scales;       // [groups]
  float* sums;         // [groups] sum of the group's x: what a zero point or a minimum of the weights multiplies
};

template <quantised_format F>
constexpr void quantise_vector(portable, F, std::size_t n, const float* x, const quantised_vector& q) {
  const std::size_t size = F::group_size(n);
  for (std::size_t g = 0; g < F::groups(n); ++g) {
    const std::size_t first = g * size, count = smaller(size, n - first);
    float extreme = 0;
    for (std::size_t i = first; i < first + count; ++i) extreme = math::max(extreme, math::abs(x[i]));
    const float inverse = extreme > 0 ? 127.0f / extreme : 0.0f;
    int total = 0;
    for (std::size_t i = first; i < first + count; ++i) {
      const int code = math::round_to_int(x[i] * inverse);
      q.codes[i] = static_cast<std::int8_t>(code);
      total += code;
    }
    q.scales[g] = extreme / 127.0f;
    q.sums[g] = q.scales[g] * static_cast<float>(total);
  }
}

/// The dot product of row `row` of w with q. Products and sums within a group are exact integers.
template <quantised_format F>
constexpr float quantised_dot(portable, F, const matrix<const F>& w, std::size_t row, const quantised_vector& q) {
  const std::size_t n = w.cols, size = F::group_size(n), groups = F::groups(n);
  const auto* codes = w.codes + row * F::row_codes(n);
  float total = 0;
  for (std::size_t g = 0; g < groups; ++g) {
    std::int32_t products = 0;
    for (std::size_t i = g * size; i < smaller((g + 1) * size, n); ++i) products += F::get(codes, i) * q.codes[i];
    const float scale = half_to_float(w.scales[row * groups + g]);
    total += scale * q.scales[g] * static_cast<float>(products);
    if constexpr (F::has_min)
      total += half_to_float(w.minima[row * groups + g]) * q.sums[g];
    else if constexpr (F::zero != 0)
      total -= F::zero * scale * q.sums[g];
  }
  return total;
}

}  // namespace ctlm::inline CTLM_ABI
