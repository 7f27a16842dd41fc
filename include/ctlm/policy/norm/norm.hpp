// SPDX-License-Identifier: MIT
// ctlm: what a norm is.
#pragma once

#include "../../kernels/primitives.hpp"

#include <concepts>

namespace ctlm { inline namespace CTLM_ABI {

/// A norm turns a row of n numbers into another one. The spec says which tensors it has: a gain always, and a bias
/// where decoder_shape has `bias` and norm_kind::layer; a bias that is not there is nullptr.
///   N::name                     tells norms apart in fingerprints of files
///   N::statistics<T>            type of what the backward pass has to know of a row
///   N::forward(backend, n, x, weight, bias, y, epsilon)   writes y; returns the row's statistics
///   N::repeat(backend, n, x, weight, bias, y, statistics)   writes the same y again
///   N::backward_input(backend, n, x, weight, dy, dx, statistics)   dx += the gradient of x
///   N::backward_weight(backend, n, x, dy, dweight, dbias, statistics)   dweight += and dbias += the gradients of n
///                               columns of a row, x and dy being those columns; each depends on its column alone
template <class N>
concept norm_policy = requires(const float* x, float* y, const typename N::template statistics<float>& s) {
  { N::name } -> std::convertible_to<const char*>;
  { N::forward(portable{}, std::size_t{}, x, x, x, y, 1e-5f) } -> std::same_as<typename N::template statistics<float>>;
  N::repeat(portable{}, std::size_t{}, x, x, x, y, s);
  N::backward_input(portable{}, std::size_t{}, x, x, x, y, s);
  N::backward_weight(portable{}, std::size_t{}, x, x, y, y, s);
};

}}  // namespace ctlm
