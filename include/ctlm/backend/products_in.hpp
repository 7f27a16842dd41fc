// SPDX-License-Identifier: MIT
// ctlm: a backend whose matrix products round what they multiply to a 16-bit format first.
#pragma once

#include "portable.hpp"

#include <concepts>

namespace ctlm { inline namespace CTLM_ABI {

/// B, but the operands of its matrix products are rounded to F (bf16 or f16), to nearest, ties to even. Sums stay in
/// single precision, and so does everything that is no product.
template <std::derived_from<portable> B, class F>
struct products_in : B {};

/// The same backend with products of unrounded numbers.
template <class B>
constexpr B exact_products(B backend) {
  return backend;
}
template <class B, class F>
constexpr B exact_products(products_in<B, F>) {
  return {};
}

}}  // namespace ctlm
