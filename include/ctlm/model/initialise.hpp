// SPDX-License-Identifier: MIT
// ctlm: the weights that a model starts with, as GPT-2 draws them (Radford et al. 2019).
#pragma once

#include "../core/rng.hpp"
#include "quantise.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Standard deviations of what `initialise` draws.
struct deviations {
  /// Of embeddings and projections; those into the residual stream are smaller by sqrt(2 * layers). Factors are such
  /// that their product has it.
  double matrices = 0.02;
  double vectors = 0;  ///< of gains, around 1, and of biases, around 0
};

namespace initialise_detail {

constexpr double deviation_of(const tensor_info& t, const decoder_shape& shape, const deviations& d) {
  if (!t.decays()) return d.vectors;
  if (t.role != tensor_role::into_residual) return d.matrices;
  return d.matrices / math::sqrt(2.0 * static_cast<double>(shape.layers));
}

/// The same of a factor: that of each of two factors whose product has that of a matrix.
constexpr double deviation_of_factor(const tensor_info& t, const decoder_shape& shape, const deviations& d) {
  const double of_matrix = deviation_of(t, shape, d);
  const std::size_t rank = t.is_matrix() ? rank_of(shape, t.id) : 0;
  return rank == 0 ? of_matrix : math::sqrt(of_matrix / math::sqrt(static_cast<double>(rank)));
}

/// The next n numbers of a tensor.
template <class T>
CTLM_NOINLINE constexpr void draw(rng& random, double mean, double deviation, std::size_t n, T* to) {
  for (std::size_t j = 0; j < n; ++j)
    to[j] = static_cast<T>(deviation == 0 ? mean : mean + random.normal() * deviation);
}

}  // namespace initialise_detail

/// Fills all weights, in any format, with normally distributed numbers: the same ones for the same seed on every
/// machine. Gains start at 1 and biases at 0. A format that is not the numbers themselves takes a row of scratch on the
/// stack, 4 bytes for every number of the model's longest row.
template <class Shape, format F>
constexpr void initialise(const weight_views<Shape, F>& weights, std::uint64_t seed, const deviations& d = {}) {
  using stored_format = typename weight_views<Shape, F>::format;
  using real = typename F::compute;
  rng random{mix(seed)};
  weights.for_each([&](const tensor_info& t, auto values) {
    constexpr bool in_factors = Shape::value.is_factored();
    const double deviation = in_factors ? initialise_detail::deviation_of_factor(t, Shape::value, d)
                                        : initialise_detail::deviation_of(t, Shape::value, d);
    const double mean = t.role == tensor_role::gain ? 1 : 0;
    if constexpr (std::same_as<decltype(values), span<real>>) {
      initialise_detail::draw(random, mean, deviation, values.size(), values.data());
    } else if constexpr (native_format<stored_format>) {
      initialise_detail::draw(random, mean, deviation, t.size(), values.data);
    } else {
      real row[longest_row(weight_views<Shape, F>::tensors)]{};
      for (std::size_t r = 0; r < t.layers * t.rows; ++r) {
        initialise_detail::draw(random, mean, deviation, t.cols, row);
        stored_format::encode(values, r, row);
      }
    }
  });
}

}}  // namespace ctlm
