// SPDX-License-Identifier: MIT
// ctlm: gradients of tensors that may not learn. Where there is no place for a gradient, it is not computed.
#pragma once

#include "linear.hpp"
#include "norm.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Whether G, the gradients of a model, has places for some of them alone.
template <class G>
inline constexpr bool learns_in_part = false;

/// The gradients of a gain or a bias, or of nothing: data is nullptr then.
template <class T>
struct chosen_numbers {
  T* data = nullptr;  ///< where they are added up
};

/// The gradients of a matrix in format F, or of nothing: its data is nullptr then.
template <native_format F>
struct chosen_matrix {
  using format = F;     ///< how they are stored
  matrix<F> numbers{};  ///< where they go; rows and columns are those of the matrix in either case
};

/// Where a gradient goes, or nullptr.
template <class T>
constexpr T* gradient_place(T* p) {
  return p;
}
template <class T>
constexpr T* gradient_place(const chosen_numbers<T>& p) {
  return p.data;
}

/// dbias[n] += column sums of dy[m][n].
template <class Backend, executor E, class T>
CTLM_NOINLINE constexpr void add_columns(Backend backend, E& exec, std::size_t m, std::size_t n, const T* dy,
                                         T* dbias) {
  parallel_for(exec, n, 256, [&](std::size_t first, std::size_t count, std::size_t) {
    for (std::size_t i = 0; i < m; ++i)
      elementwise(
          backend, count, [](auto& sum, const auto& d) { sum += d; }, dbias + first, dy + i * n + first);
  });
}

/// linear_backward_weight of a matrix and a bias that may not learn.
template <class Backend, executor E, class T, class Input, native_format F, class Workspace>
constexpr void linear_backward_weight(Backend backend, E& exec, std::size_t m, const T* dy, const Input* x,
                                      const chosen_matrix<F>& dw, bool accumulate, T* dbias, Workspace& ws) {
  if (dw.numbers.data != nullptr)
    linear_backward_weight(backend, exec, m, dy, x, dw.numbers, accumulate, dbias, ws);
  else if (dbias != nullptr)
    add_columns(backend, exec, m, dw.numbers.rows, dy, dbias);
}

/// norm_backward of a norm whose gains or biases may not learn: dx += ..., and the others where they have a place.
template <class Norm, class Backend, executor E, class T, class Bias, class S = typename Norm::template statistics<T>>
CTLM_NOINLINE constexpr void norm_backward(Norm, Backend backend, E& exec, std::size_t rows, std::size_t n, const T* x,
                                           const T* weight, const T* dy, T* dx, const chosen_numbers<T>& dweight,
                                           const Bias& dbias, const std::type_identity_t<S>* stats) {
  parallel_for(exec, rows, row_grain(n), [&](std::size_t first, std::size_t count, std::size_t) {
    for (std::size_t i = first; i < first + count; ++i)
      Norm::backward_input(backend, n, x + i * n, weight, dy + i * n, dx + i * n, stats[i]);
  });
  T* const gains = dweight.data;
  T* const biases = gradient_place(dbias);
  if (gains == nullptr) {
    if (biases != nullptr) add_columns(backend, exec, rows, n, dy, biases);
    return;
  }
  parallel_for(exec, n, 64, [&](std::size_t first, std::size_t count, std::size_t) {
    for (std::size_t i = 0; i < rows; ++i)
      Norm::backward_weight(backend, count, x + i * n + first, dy + i * n + first, gains + first,
                            biases == nullptr ? nullptr : biases + first, stats[i]);
  });
}

}}  // namespace ctlm
