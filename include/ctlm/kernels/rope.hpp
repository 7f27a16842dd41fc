// SPDX-License-Identifier: MIT
// ctlm: rotary position embedding (Su et al. 2021), in the layout of Hugging Face: element i of a head is paired with
// element i + head_dim/2.
#pragma once

#include "../core/executor.hpp"
#include "primitives.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The angle by which pair i of `rotated` numbers turns from one position to the next.
constexpr double rope_frequency(std::size_t rotated, std::size_t i, double theta) {
  return math::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(rotated));
}

/// Fills cosine and sine [rows][rotated/2] for positions first, first + 1, ... Angles are rounded to T as every
/// framework does, so that results agree with theirs.
template <class T>
constexpr void rope_angles(std::size_t rows, std::size_t rotated, std::size_t first, double theta, T* cosine, T* sine) {
  const std::size_t half = rotated / 2;
  for (std::size_t i = 0; i < half; ++i) {
    const T frequency = static_cast<T>(rope_frequency(rotated, i, theta));
    for (std::size_t r = 0; r < rows; ++r) {
      const T angle = static_cast<T>(first + r) * frequency;
      cosine[r * half + i] = static_cast<T>(math::cos(static_cast<double>(angle)));
      sine[r * half + i] = static_cast<T>(math::sin(static_cast<double>(angle)));
    }
  }
}

/// Rotates the first `rotated` numbers of `heads` heads that lie one after the other at x; direction -1 undoes it (the
/// backward pass).
template <class Backend, class T>
constexpr void rotate_heads(Backend backend, std::size_t heads, std::size_t head_dim, std::size_t rotated, T* x,
                            const T* cosine, const T* sine, T direction) {
  const std::size_t half = rotated / 2;
  for (std::size_t h = 0; h < heads; ++h) {
    elementwise(
        backend, half,
        [=](auto& low, auto& high, const auto& c, const auto& s) {
          const auto turned = low * c - high * s * direction;
          high = high * c + low * s * direction;
          low = turned;
        },
        x + h * head_dim, x + h * head_dim + half, cosine, sine);
  }
}

/// Rotates the first `heads` heads of every row; row r has the angles of row r % period.
template <class Backend, executor E, class T>
constexpr void rope(Backend backend, E& exec, std::size_t rows, std::size_t period, std::size_t heads,
                    std::size_t head_dim, std::size_t rotated, T* x, std::size_t stride, const T* cosine, const T* sine,
                    T direction) {
  parallel_for(
      exec, rows, larger(1, 8192 / (heads * head_dim)), [&](std::size_t first, std::size_t count, std::size_t) {
        for (std::size_t r = first; r < first + count; ++r) {
          const std::size_t angle = r % period * (rotated / 2);
          rotate_heads(backend, heads, head_dim, rotated, x + r * stride, cosine + angle, sine + angle, direction);
        }
      });
}

}}  // namespace ctlm
