// SPDX-License-Identifier: MIT
// ctlm: a KV cache whose keys and values are rotated before they are stored.
//
// Rotating queries and keys alike changes no score, and an output of rotated values is the output, rotated. So the rows
// that are computed are rotated, once, and so is what comes out of attention, back; cached rows are read as they are. A
// Hadamard rotation spreads a large number in one place over all of them, so that a group's scale no longer follows
// that one number (Ashkboos et al. 2024, "QuaRot: Outlier-Free 4-Bit Inference in Rotated LLMs").
#pragma once

#include "../../kernels/hadamard.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Numbers stay as they are.
struct no_rotation {
  static constexpr const char* name = "none";               ///< for tables
  static constexpr bool fits(std::size_t) { return true; }  ///< any head
  template <class Backend, class T>
  static constexpr void forward(Backend, std::size_t, T*) {}  ///< nothing
  template <class Backend, class T>
  static constexpr void backward(Backend, std::size_t, T*) {}  ///< nothing
};

/// The orthonormal Walsh-Hadamard transform of a head's numbers; where their number is no power of two, of blocks of
/// the largest one that divides it. Its own inverse.
struct hadamard {
  /// For tables.
  static constexpr const char* name = "hadamard";
  /// Whether there is something to rotate in a head of n numbers, which must be even.
  static constexpr bool fits(std::size_t n) { return n > 0 && n % 2 == 0; }
  /// Rotates n numbers.
  template <class Backend, class T>
  static constexpr void forward(Backend backend, std::size_t n, T* x) {
    const std::size_t block = n & (~n + 1);
    for (std::size_t i = 0; i < n; i += block) hadamard_transform(backend, block, x + i);
  }
  /// Rotates them back.
  template <class Backend, class T>
  static constexpr void backward(Backend backend, std::size_t n, T* x) {
    forward(backend, n, x);
  }
};

/// A rotation of a head's numbers, and its inverse: the dot products of rotated rows are those of the rows. fits(n)
/// says whether heads of n numbers can be rotated.
template <class R>
concept head_rotation = requires(float* x) {
  { R::fits(std::size_t{}) } -> std::same_as<bool>;
  R::forward(portable{}, std::size_t{}, x);
  R::backward(portable{}, std::size_t{}, x);
};

/// Of kv_cache<>: keys and values are rotated by R before they are stored in P, a format or recent<...>.
template <class P, head_rotation R = hadamard>
struct rotated {};

}}  // namespace ctlm
