// SPDX-License-Identifier: MIT
// ctlm: sums that are added up in the order in which they are written, for processors with 16 vector registers.
#pragma once

#include "../../backend/xsimd.hpp"

CTLM_INTRINSICS_BEGIN
namespace ctlm { inline namespace CTLM_ABI {

/// Says that a register is needed here. Compilers would otherwise make many products side by side before they add the
/// first to its sum, and the sums then go to memory and back. Changes no number and costs no instruction.
template <class Register>
CTLM_INLINE void keep_order([[maybe_unused]] Register& sum) {
#if CTLM_AVX2 && !CTLM_AVX512
  __asm__("" : "+x"(sum));
#endif
}
template <class T, class A>
CTLM_INLINE void keep_order(xsimd::batch<T, A>& sum) {
  keep_order(sum.data);
}

}}  // namespace ctlm
CTLM_INTRINSICS_END
