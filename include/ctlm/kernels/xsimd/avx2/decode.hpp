// SPDX-License-Identifier: MIT
// ctlm: 16-bit floating point rows to single precision, eight at a time.
#pragma once

#include "../../../arch/xsimd.hpp"
#include "../../../format/bf16.hpp"
#include "../../../format/f16.hpp"
#include "../../portable/decode.hpp"

namespace ctlm::inline CTLM_ABI {

#if CTLM_F16C
template <class A>
void decode_row(simd<A>, f16, const matrix<const f16>& m, std::size_t row, float* dst) {
  const std::uint16_t* src = m.data + row * m.cols;
  std::size_t i = 0;
  for (; i + 8 <= m.cols; i += 8)
    _mm256_storeu_ps(dst + i, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(src + i))));
  for (; i < m.cols; ++i) dst[i] = half_to_float(src[i]);
}
#endif

template <class A>
void decode_row(simd<A>, bf16, const matrix<const bf16>& m, std::size_t row, float* dst) {
  const std::uint16_t* src = m.data + row * m.cols;
  std::size_t i = 0;
  for (; i + 8 <= m.cols; i += 8) {
    const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(src + i)));
    _mm256_storeu_ps(dst + i, _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16)));
  }
  for (; i < m.cols; ++i) dst[i] = bfloat_to_float(src[i]);
}

}  // namespace ctlm::inline CTLM_ABI
