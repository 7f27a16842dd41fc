// SPDX-License-Identifier: MIT
// ctlm: root mean square normalisation (Zhang and Sennrich 2019): y = x / rms(x) * weight. Rows of any finite numbers
// are normalised, those whose squares overflow too; a row with a NaN or an infinity becomes NaN.
#pragma once

#include "norm.hpp"
#include "overflow.hpp"

namespace ctlm { inline namespace CTLM_ABI {

struct rms_norm {
  static constexpr const char* name = "rms_norm";
  static constexpr bool has_bias = false;

  /// What the backward pass needs to know of a row.
  template <class T>
  struct statistics {
    T inverse;  // 1 / rms
  };

  template <class Backend, class T>
  static constexpr statistics<T> forward(Backend backend, std::size_t n, const T* x, const T* weight, const T* /*bias*/,
                                         T* y, float epsilon) {
    const T squares = sum(
        backend, n, [](const auto& v) { return v * v; }, x);
    T inverse = T(1) / math::sqrt(squares / T(n) + T(epsilon));
    if (!math::isfinite(squares)) inverse = inverse_deviation(backend, n, x, T(0));
    apply(backend, n, x, weight, y, inverse);
    return {inverse};
  }

  /// The forward pass again, from its statistics.
  template <class Backend, class T>
  static constexpr void repeat(Backend backend, std::size_t n, const T* x, const T* weight, const T* /*bias*/, T* y,
                               const statistics<T>& s) {
    apply(backend, n, x, weight, y, s.inverse);
  }

  /// dx += the gradient of one row.
  template <class Backend, class T>
  static constexpr void backward_input(Backend backend, std::size_t n, const T* x, const T* weight, const T* dy, T* dx,
                                       const statistics<T>& s) {
    const T inverse = s.inverse;
    if (inverse < cubes_vanish<T>) return backward_large(backend, n, x, weight, dy, dx, inverse);
    const T along = sum(
        backend, n, [](const auto& v, const auto& w, const auto& d) { return v * w * d; }, x, weight, dy);
    const T pull = along * inverse * inverse * inverse / T(n);
    elementwise(
        backend, n, [=](auto& out, const auto& v, const auto& w, const auto& d) { out += w * d * inverse - v * pull; },
        dx, x, weight, dy);
  }

  /// dweight += the gradient of n columns of one row.
  template <class Backend, class T>
  static constexpr void backward_weight(Backend backend, std::size_t n, const T* x, const T* dy, T* dweight,
                                        T* /*dbias*/, const statistics<T>& s) {
    const T inverse = s.inverse;
    elementwise(
        backend, n, [=](auto& out, const auto& v, const auto& d) { out += v * d * inverse; }, dweight, x, dy);
  }

 private:
  /// The same for a row so large that the cube of `inverse` loses its digits.
  template <class Backend, class T>
  CTLM_NOINLINE static constexpr void backward_large(Backend backend, std::size_t n, const T* x, const T* weight,
                                                     const T* dy, T* dx, T inverse) {
    const T along = sum(
                        backend, n, [=](const auto& v, const auto& w, const auto& d) { return v * inverse * w * d; }, x,
                        weight, dy) /
                    T(n);
    elementwise(
        backend, n,
        [=](auto& out, const auto& v, const auto& w, const auto& d) { out += (w * d - v * inverse * along) * inverse; },
        dx, x, weight, dy);
  }

  template <class Backend, class T>
  static constexpr void apply(Backend backend, std::size_t n, const T* x, const T* weight, T* y, T inverse) {
    elementwise(
        backend, n, [=](auto& out, const auto& v, const auto& w) { out = v * inverse * w; }, y, x, weight);
  }
};
static_assert(norm_policy<rms_norm>);

}}  // namespace ctlm
