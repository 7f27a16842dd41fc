// SPDX-License-Identifier: MIT
// ctlm: layer normalisation (Ba, Kiros, Hinton 2016): y = (x - mean) / deviation * weight + bias; bias may be absent.
// Rows of any finite numbers are normalised, those whose squares overflow too; a row with a NaN or an infinity becomes
// NaN.
#pragma once

#include "norm.hpp"
#include "overflow.hpp"

namespace ctlm { inline namespace CTLM_ABI {

struct layer_norm {
  static constexpr const char* name = "layer_norm";
  static constexpr bool has_bias = true;

  /// What the backward pass needs to know of a row.
  template <class T>
  struct statistics {
    T mean;
    T inverse;  // 1 / standard deviation
  };

  template <class Backend, class T>
  static constexpr statistics<T> forward(Backend backend, std::size_t n, const T* x, const T* weight, const T* bias,
                                         T* y, float epsilon) {
    const T mean = sum(
                       backend, n, [](const auto& v) { return v; }, x) /
                   T(n);
    const T squares = sum(
        backend, n, [=](const auto& v) { return (v - mean) * (v - mean); }, x);
    statistics<T> s{mean, T(1) / math::sqrt(squares / T(n) + T(epsilon))};
    if (!math::isfinite(squares)) {
      s.mean = large_mean(backend, n, x);
      s.inverse = inverse_deviation(backend, n, x, s.mean);
    }
    repeat(backend, n, x, weight, bias, y, s);
    return s;
  }

  /// The forward pass again, from its statistics.
  template <class Backend, class T>
  static constexpr void repeat(Backend backend, std::size_t n, const T* x, const T* weight, const T* bias, T* y,
                               const statistics<T>& s) {
    const T mean = s.mean, inverse = s.inverse;
    if (bias == nullptr) {
      elementwise(
          backend, n, [=](auto& out, const auto& v, const auto& w) { out = (v - mean) * inverse * w; }, y, x, weight);
    } else {
      elementwise(
          backend, n,
          [=](auto& out, const auto& v, const auto& w, const auto& b) { out = (v - mean) * inverse * w + b; }, y, x,
          weight, bias);
    }
  }

  /// dx += the gradient of one row.
  template <class Backend, class T>
  static constexpr void backward_input(Backend backend, std::size_t n, const T* x, const T* weight, const T* dy, T* dx,
                                       const statistics<T>& s) {
    const T mean = s.mean, inverse = s.inverse;
    const T total = sum(
                        backend, n, [](const auto& w, const auto& d) { return w * d; }, weight, dy) /
                    T(n);
    const T along =
        sum(
            backend, n, [=](const auto& v, const auto& w, const auto& d) { return (v - mean) * inverse * w * d; }, x,
            weight, dy) /
        T(n);
    elementwise(
        backend, n,
        [=](auto& out, const auto& v, const auto& w, const auto& d) {
          out += (w * d - total - (v - mean) * inverse * along) * inverse;
        },
        dx, x, weight, dy);
  }

  /// dweight and dbias += the gradient of n columns of one row.
  template <class Backend, class T>
  static constexpr void backward_weight(Backend backend, std::size_t n, const T* x, const T* dy, T* dweight, T* dbias,
                                        const statistics<T>& s) {
    const T mean = s.mean, inverse = s.inverse;
    elementwise(
        backend, n, [=](auto& out, const auto& v, const auto& d) { out += (v - mean) * inverse * d; }, dweight, x, dy);
    if (dbias != nullptr)
      elementwise(
          backend, n, [](auto& out, const auto& d) { out += d; }, dbias, dy);
  }
};
static_assert(norm_policy<layer_norm>);

}}  // namespace ctlm
