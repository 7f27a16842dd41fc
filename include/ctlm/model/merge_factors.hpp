// SPDX-License-Identifier: MIT
// ctlm: the weights of a model with factored projections as those of the same model with whole matrices.
#pragma once

#include "factored.hpp"
#include "quantise.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Row `row` of W = diag(d) U diag(s) V, [k], to `to`. `scratch` has k numbers, or most_rank of them if that is more.
template <class View, class N, class T>
constexpr void product_row(const factored_matrix<View, N>& w, std::size_t row, T* to, T* scratch) {
  using format = typename std::remove_const_t<typename View::format>;
  const std::size_t k = w.v.cols;
  for (std::size_t j = 0; j < k; ++j) to[j] = 0;
  for (std::size_t r = 0; r < w.rank; ++r) {
    T u = 0;
    format::decode(w.u, row, r, 1, &u);
    const T factor = w.d[row] * u * w.s[r];
    format::decode(w.v, r, 0, k, scratch);
    for (std::size_t j = 0; j < k; ++j) to[j] += factor * scratch[j];
  }
}

namespace merge_detail {

template <tensor_id id, class From, class To>
constexpr void merge(const From& from, const To& to, typename From::format::compute* row) {
  using real = typename From::format::compute;
  constexpr std::size_t longest = longest_row(To::tensors);
  for (std::size_t l = 0; l < To::shape.layers; ++l) {
    const auto target = to.matrix_of(id, l);
    for (std::size_t r = 0; r < target.rows; ++r) {
      real scratch[longest]{};
      product_row(from.template matrix_of<id>(l), r, row, scratch);
      To::format::encode(target, r, row);
    }
  }
}

template <tensor_id id, class From, class To>
constexpr void merge_if_factored(const From& from, const To& to, typename From::format::compute* row) {
  if constexpr (rank_of(From::shape, id) > 0) merge<id>(from, to, row);
}

}  // namespace merge_detail

/// Writes weights with factored projections, in any format, to `to`, those of the model without factored<>, in any
/// format: products are multiplied out, the rest is copied. Takes two rows of scratch on the stack, as long as the
/// model's longest.
template <class Whole, class Factors, class From, class To>
constexpr void merge_factors(const weight_views<factored_shape<Whole, Factors>, From>& from,
                             const weight_views<Whole, To>& to) {
  using source = typename weight_views<factored_shape<Whole, Factors>, From>::format;
  using target = typename weight_views<Whole, To>::format;
  using real = typename To::compute;
  static_assert(std::same_as<typename source::compute, real>, "ctlm: these two formats compute in different numbers");
  real row[longest_row(weight_views<Whole, To>::tensors)]{};
  for (const tensor_info& t : weight_views<Whole, To>::tensors) {
    const std::size_t i = t.index();
    if (!from.has(t.id)) continue;
    if (!t.is_matrix())
      for (std::size_t j = 0; j < t.size(); ++j) to.raw_vector(i)[j] = from.raw_vector(i)[j];
    else
      for (std::size_t r = 0; r < t.layers * t.rows; ++r) {
        source::decode(from.raw_matrix(i), r, 0, t.cols, row);
        target::encode(to.raw_matrix(i), r, row);
      }
  }
  merge_detail::merge_if_factored<tensor_id::qkv_weight>(from, to, row);
  merge_detail::merge_if_factored<tensor_id::out_weight>(from, to, row);
  merge_detail::merge_if_factored<tensor_id::up_weight>(from, to, row);
  merge_detail::merge_if_factored<tensor_id::down_weight>(from, to, row);
}

}}  // namespace ctlm
