// SPDX-License-Identifier: MIT
// ctlm: few rows times rows of codes of 4 bits, and of 8 bits in groups, 32 codes with one scale at a time: keys as
// integers, values in single precision, whose scales are part of the weights.
#pragma once

#include "../elementwise.hpp"
#include "word_rows.hpp"

CTLM_INTRINSICS_BEGIN
namespace ctlm { inline namespace CTLM_ABI {

/// Formats whose rows are multiplied chunk by chunk, 32 codes with one scale.
template <class F>
inline constexpr bool stored_in_chunks = false;
template <class F>
requires quantised_format<F>
inline constexpr bool stored_in_chunks<F> = F::bits == 4 || (F::bits == 8 && !scaled_rows<F>);

namespace stored_detail {

/// How many registers a chunk's codes take as words, and they.
#if CTLM_AVX512
inline constexpr std::size_t chunk_words = 1;
CTLM_INLINE void chunk_as_words(const std::int8_t* from, words (&to)[chunk_words]) { to[0] = codes_as_words(from); }
CTLM_INLINE void chunk_as_words(const std::uint8_t* from, words (&to)[chunk_words]) {
  const __m128i packed = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)), four = _mm_set1_epi8(15);
  const __m128i low = _mm_and_si128(packed, four), high = _mm_and_si128(_mm_srli_epi16(packed, 4), four);
  to[0] = _mm512_cvtepi8_epi16(_mm256_set_m128i(high, low));
}
#else
inline constexpr std::size_t chunk_words = 2;
CTLM_INLINE void chunk_as_words(const std::int8_t* from, words (&to)[chunk_words]) {
  to[0] = codes_as_words(from);
  to[1] = codes_as_words(from + 16);
}
CTLM_INLINE void chunk_as_words(const std::uint8_t* from, words (&to)[chunk_words]) {
  const __m128i packed = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)), four = _mm_set1_epi8(15);
  to[0] = _mm256_cvtepu8_epi16(_mm_and_si128(packed, four));
  to[1] = _mm256_cvtepu8_epi16(_mm_and_si128(_mm_srli_epi16(packed, 4), four));
}
#endif

/// The group of a chunk of a row.
template <class F>
constexpr std::size_t group_of_chunk(std::size_t chunk) {
  return F::group == per_channel ? 0 : chunk * code_chunk / larger(1, F::group);
}

/// The exact sums of products of a chunk of words and a chunk of codes, in as many parts as a register has lanes.
template <class A>
CTLM_INLINE simd_batch<float, A> chunk_products(const std::int16_t* q, const words (&codes)[chunk_words]) {
  words sum{};
  for (std::size_t i = 0; i < chunk_words; ++i)
    sum = add_word_products(sum, load_words(q + i * (sizeof(words) / 2)), codes[i]);
  return xsimd::to_float(std::bit_cast<simd_batch<std::int32_t, A>>(sum));
}

/// The same with ones: what is multiplied by a number that is added to every code.
template <std::size_t Rows, class A>
struct chunk_sums {
  simd_batch<float, A> of[Rows][most_stored_columns / code_chunk];

  CTLM_INLINE chunk_sums(std::size_t k, const word_rows<Rows>& q) {
    words ones[chunk_words];
    for (words& w : ones) w = std::bit_cast<words>(simd_batch<std::int16_t, A>(std::int16_t{1}));
    for (std::size_t i = 0; i < Rows; ++i)
      for (std::size_t chunk = 0; chunk < k / code_chunk; ++chunk)
        of[i][chunk] = chunk_products<A>(q.numbers[i] + chunk * code_chunk, ones);
  }
};

/// Sums of products of Rows rows of words with rows [j, j + Columns) of codes, their scales and minima.
template <std::size_t Rows, std::size_t Columns, class A, class F, std::size_t... S>
CTLM_INLINE void chunk_dots(std::index_sequence<S...>, std::size_t k, const word_rows<Rows>& q,
                            const chunk_sums<Rows, A>& whole, const row_reader<A, F>& keys, std::size_t j,
                            float (*c)[most_stored_rows]) {
  using V = simd_batch<float, A>;
  V total[] = {(static_cast<void>(S), V(0.0f))...};
  typename row_reader<A, F>::cursor key[Columns];
  auto begin = [&](std::size_t n) CTLM_LAMBDA_INLINE {
    if (n >= Columns) return;
    key[n] = keys.at(j + n);
    look_ahead(keys, j + n, k);
  };
  (begin(S), ...);
  for (std::size_t chunk = 0; chunk < k / code_chunk; ++chunk) {
    const std::size_t group = group_of_chunk<F>(chunk);
    words codes[chunk_words];
    auto add = [&](std::size_t s) CTLM_LAMBDA_INLINE {
      const std::size_t n = s / Rows, i = s % Rows;
      if (i == 0) chunk_as_words(key[n].row + chunk * F::row_codes(code_chunk), codes);
      V& to = total[i * Columns + n];
      V sum = chunk_products<A>(q.numbers[i] + chunk * code_chunk, codes);
      if constexpr (!F::has_min && F::zero != 0)
        sum = xsimd::fma(whole.of[i][chunk], V(-static_cast<float>(F::zero)), sum);
      to = xsimd::fma(sum, V(key[n].scales[group]), to);
      if constexpr (F::has_min) to = xsimd::fma(whole.of[i][chunk], V(key[n].bases[group]), to);
      keep_order(to);
    };
    (add(S), ...);
  }
  float sums[ceil_div(Rows * Columns, 4) * 4];
  many_sums<float, A>(std::index_sequence<S...>{}, total, sums);
  for (std::size_t i = 0; i < Rows; ++i)
    for (std::size_t n = 0; n < Columns; ++n) c[i][j + n] = sums[i * Columns + n];
}

/// What codes are multiplied by instead of the numbers they stand for: the weights of rows times scales; and
/// what minima, or the code that is zero, come to.
template <std::size_t Rows, class A, class F>
struct code_weights {
  static constexpr std::size_t most_groups = row_scales<A, F>::room / most_stored_rows;
  float of[most_groups][Rows][most_stored_rows];
  float base[most_groups][Rows]{};

  CTLM_INLINE code_weights(std::size_t count, std::size_t groups, const float* weights, std::size_t ldw,
                           const row_scales<A, F>& scales) {
    for (std::size_t g = 0; g < groups; ++g) {
      float own[2][most_stored_rows];  // scales and minima of the group, one behind the other
      for (std::size_t j = 0; j < count; ++j) {
        own[0][j] = scales.scales[j * groups + g];
        if constexpr (F::has_min) own[1][j] = scales.bases[j * groups + g];
      }
      for (std::size_t i = 0; i < Rows; ++i) {
        const float* const w = weights + i * ldw;
        for (std::size_t j = 0; j < count; ++j) of[g][i][j] = w[j] * own[0][j];
        if constexpr (F::has_min)
          base[g][i] = sum(
              simd<A>{}, count, [](const auto& x, const auto& b) { return x * b; }, w,
              static_cast<const float*>(own[1]));
        else if constexpr (F::zero != 0)
          base[g][i] = -static_cast<float>(F::zero) *
                       sum(
                           simd<A>{}, count, [](const auto& x) { return x; }, static_cast<const float*>(of[g][i]));
      }
    }
  }
};

/// Codes [n * lanes, (n + 1) * lanes) of a chunk.
template <class A>
CTLM_INLINE simd_batch<float, A> register_of_chunk(const std::int8_t* from, std::size_t n) {
  constexpr std::size_t w = lanes<float, A>;
  plain_vector<std::int8_t, w> v;
  __builtin_memcpy(&v, from + n * w, sizeof v);
  return std::bit_cast<simd_batch<float, A>>(widened_codes<w>(simd<A>{}, v));
}
/// Codes of 4 bits.
template <class A>
CTLM_INLINE simd_batch<float, A> register_of_chunk(const std::uint8_t* from, std::size_t n) {
  using V = simd_batch<float, A>;
#if CTLM_AVX512
  const __m512i wide = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  const __m512i code = n == 0 ? _mm512_and_si512(wide, _mm512_set1_epi32(15)) : _mm512_srli_epi32(wide, 4);
  return V(_mm512_cvtepi32_ps(code));
#else
  const __m256i wide = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from + n % 2 * 8)));
  const __m256i code = n < 2 ? _mm256_and_si256(wide, _mm256_set1_epi32(15)) : _mm256_srli_epi32(wide, 4);
  return V(_mm256_cvtepi32_ps(code));
#endif
}

/// out[i][numbers of Vectors registers of a chunk, from register `first` on] += the sum over j of weights[i][j] times
/// those codes of row j, and base[i].
template <std::size_t Rows, std::size_t Vectors, class A, class F, std::size_t... S>
CTLM_INLINE void add_chunk(std::index_sequence<S...>, std::size_t count, std::size_t columns, std::size_t chunk,
                           std::size_t first, const float (*weights)[most_stored_rows], const float* base,
                           const row_reader<A, F>& values, float* out, std::size_t ldo) {
  using V = simd_batch<float, A>;
  constexpr std::size_t w = lanes<float, A>;
  V total[] = {(static_cast<void>(S), V(0.0f))...};
  for (std::size_t j = 0; j < count; ++j) {
    if (chunk == 0 && first == 0) look_ahead(values, j, columns);
    const auto* const from = values.at(j).row + chunk * F::row_codes(code_chunk);
    V x[Rows];
    for (std::size_t i = 0; i < Rows; ++i) x[i] = V(weights[i][j]);
    for (std::size_t n = 0; n < Vectors; ++n) {
      const V y = register_of_chunk<A>(from, first + n);
      for (std::size_t i = 0; i < Rows; ++i) total[i * Vectors + n] = xsimd::fma(x[i], y, total[i * Vectors + n]);
    }
  }
  auto put = [&](std::size_t s) CTLM_LAMBDA_INLINE {
    float* const to = out + s / Vectors * ldo + chunk * code_chunk + (first + s % Vectors) * w;
    (total[s] + V(base[s / Vectors]) + V::load_unaligned(to)).store_unaligned(to);
  };
  (put(S), ...);
}

}  // namespace stored_detail

/// c[i][j] = q[i] . row j for rows of codes of 4 bits, and of 8 bits in groups or with minima.
template <class A, class F>
requires(stored_in_chunks<F> && sizeof(simd_batch<float, A>) == sizeof(stored_detail::words)) void stored_products(
    simd<A>, std::size_t m, std::size_t count, std::size_t k, const float* q, std::size_t q_stride,
    const stored_rows<F>& rows, float* c, std::size_t ldc) {
  using namespace stored_detail;
  const row_reader<A, F> keys(rows, count);
  four_rows_at_once(m, [&]<std::size_t Rows>(std::integral_constant<std::size_t, Rows>, std::size_t i) {
    constexpr std::size_t most = vector_registers<A> == 32 ? 4 : 2;  // columns whose sums registers hold
    const word_rows<Rows> few(k, q + i * q_stride, q_stride);
    const chunk_sums<Rows, A> whole(k, few);
    float sums[Rows][most_stored_rows];
    std::size_t j = 0;
    for (; j + most <= count; j += most)
      chunk_dots<Rows, most, A>(std::make_index_sequence<Rows * most>{}, k, few, whole, keys, j, sums);
    for (; j < count; ++j) chunk_dots<Rows, 1, A>(std::make_index_sequence<Rows>{}, k, few, whole, keys, j, sums);
    for (std::size_t r = 0; r < Rows; ++r)
      for (std::size_t n = 0; n < count; ++n) c[(i + r) * ldc + n] = sums[r][n] * few.scales[r];
  });
}

/// out[i] += sum over j of weights[i][j] times row j for rows of those codes.
template <class A, class F>
requires(stored_in_chunks<F> && sizeof(simd_batch<float, A>) == sizeof(stored_detail::words)) void add_stored_products(
    simd<A>, std::size_t m, std::size_t n, std::size_t count, const float* weights, std::size_t ldw,
    const stored_rows<F>& rows, float* out, std::size_t ldo) {
  using namespace stored_detail;
  const row_reader<A, F> values(rows, count);
  four_rows_at_once(m, [&]<std::size_t Rows>(std::integral_constant<std::size_t, Rows>, std::size_t i) {
    constexpr std::size_t vectors = code_chunk / lanes<float, A>;
    constexpr std::size_t held = F::bits == 8 ? 3 : 2;  // rows whose sums registers hold, beside what unpacks codes
    constexpr std::size_t most = vector_registers<A> == 16 && Rows > held ? 2 : vectors;
    const code_weights<Rows, A, F> scaled(count, F::groups(n), weights + i * ldw, ldw, values.scales);
    for (std::size_t chunk = 0; chunk < n / code_chunk; ++chunk) {
      const std::size_t group = group_of_chunk<F>(chunk);
      auto add = [&](std::size_t first) CTLM_LAMBDA_INLINE {
        add_chunk<Rows, most, A>(std::make_index_sequence<Rows * most>{}, count, n, chunk, first, scaled.of[group],
                                 scaled.base[group], values, out + i * ldo, ldo);
      };
      add(0);
      if constexpr (most < vectors) add(most);
    }
  });
}

}}  // namespace ctlm
CTLM_INTRINSICS_END
