// SPDX-License-Identifier: MIT
// ctlm: for AVX-512, keys between two levels are copied sixteen at a time: one instruction moves those of a mask
// together.
#pragma once

#include "../levels.hpp"

#if CTLM_AVX512
CTLM_INTRINSICS_BEGIN
namespace ctlm { inline namespace CTLM_ABI {

template <class A>
requires(lanes<float, A> == 16) CTLM_NOINLINE std::size_t
    pick_between(simd<A>, std::size_t n, const float* key, const float* weight, float least, float beyond,
                 float* key_to, float* weight_to) {
  const __m512 from = _mm512_set1_ps(least), to = _mm512_set1_ps(beyond);
  std::size_t count = 0, i = 0;
  for (; i + 16 <= n; i += 16) {
    const __m512 k = _mm512_loadu_ps(key + i);
    const __mmask16 in = _mm512_mask_cmp_ps_mask(_mm512_cmp_ps_mask(k, from, _CMP_GE_OQ), k, to, _CMP_LT_OQ);
    _mm512_storeu_ps(key_to + count, _mm512_maskz_compress_ps(in, k));
    _mm512_storeu_ps(weight_to + count, _mm512_maskz_compress_ps(in, _mm512_loadu_ps(weight + i)));
    count += static_cast<std::size_t>(std::popcount(static_cast<unsigned>(in)));
  }
  return count + pick_between(portable{}, n - i, key + i, weight + i, least, beyond, key_to + count, weight_to + count);
}

}}  // namespace ctlm
CTLM_INTRINSICS_END
#endif
