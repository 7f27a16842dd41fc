// SPDX-License-Identifier: MIT
// ctlm: rows of 16-bit and 8-bit numbers to single precision, a register at a time.
#pragma once

#include "../../format/bf16.hpp"
#include "../../format/f16.hpp"
#include "../../format/f8.hpp"
#include "../portable/decode.hpp"
#include "widen.hpp"

CTLM_INTRINSICS_BEGIN
namespace ctlm { inline namespace CTLM_ABI {

template <class A, class F>
requires(plain_format<F> && !native_format<F> &&
         (sizeof(typename F::element) == 2 ||
          widens_in_registers<typename F::element, float>)) void decode_row(simd<A>, F, const matrix<const F>& m,
                                                                            std::size_t row, float* dst) {
  constexpr std::size_t w = lanes<float, A>;
  const auto* src = m.data + row * m.cols;
  std::size_t i = 0;
  for (; i + w <= m.cols; i += w) load_as<float, A>(src + i).store_unaligned(dst + i);
  for (; i < m.cols; ++i) dst[i] = src[i];
}

}}  // namespace ctlm
CTLM_INTRINSICS_END
