// SPDX-License-Identifier: MIT
// ctlm: what a stretch of numbers means, said by its type. A function that turns values into their gradients in place
// takes `values` and returns `gradients`: so nobody takes the one for the other by mistake.
#pragma once

#include "../core/types.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Numbers of the forward pass: logits, rows of the residual stream.
template <class T>
struct values {
  T* data = nullptr;
  constexpr operator values<const T>() const requires(!std::is_const_v<T>) { return {data}; }
  /// From element n on.
  constexpr values from(std::size_t n) const { return {data + n}; }
};

/// Derivatives of the loss by such numbers.
template <class T>
struct gradients {
  T* data = nullptr;
  constexpr operator gradients<const T>() const requires(!std::is_const_v<T>) { return {data}; }
  /// From element n on.
  constexpr gradients from(std::size_t n) const { return {data + n}; }
};

}}  // namespace ctlm
