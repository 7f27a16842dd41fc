// SPDX-License-Identifier: MIT
// ctlm: numbers that are rounded to a 16-bit format when they are read.
#pragma once

#include "../../format/bf16.hpp"
#include "../../format/f16.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// x as format F stores it. What F stores is stored so already.
template <class F, class S>
constexpr float rounded_to(S x) {
  if constexpr (std::same_as<S, typename F::element>)
    return x;
  else
    return F::from(static_cast<float>(x));
}

/// A number that lies in memory as S and is read as F would have it.
template <class F, class S>
struct rounded_number {
  using format = F;
  using stored_type = S;
  S stored;
  constexpr operator float() const { return rounded_to<F>(stored); }
};

/// Whether S is a rounded_number.
template <class S>
inline constexpr bool is_rounded = false;
template <class F, class S>
inline constexpr bool is_rounded<rounded_number<F, S>> = true;

}}  // namespace ctlm
