// SPDX-License-Identifier: MIT
// ctlm: few rows times rows of 8-bit codes that have one scale each, as integers.
#pragma once

#include "word_rows.hpp"

CTLM_INTRINSICS_BEGIN
namespace ctlm { inline namespace CTLM_ABI {

namespace stored_detail {

/// The exact sums of products of Rows rows with rows [j, j + Columns) of codes.
template <std::size_t Rows, std::size_t Columns, class A, class F, std::size_t... S>
CTLM_INLINE void word_dots(std::index_sequence<S...>, std::size_t k, const word_rows<Rows>& q,
                           const row_reader<A, F>& keys, std::size_t j, std::int32_t (*c)[most_stored_rows]) {
  words total[] = {(static_cast<void>(S), words{})...};
  const std::int8_t* key[Columns];
  auto begin = [&](std::size_t s) CTLM_LAMBDA_INLINE {
    if (s >= Columns) return;
    key[s] = keys.at(j + s).row;
    look_ahead(keys, j + s, k);
  };
  (begin(S), ...);
  for (std::size_t p = 0; p < k; p += sizeof(words) / 2) {
    words y{};
    auto add = [&](std::size_t s) CTLM_LAMBDA_INLINE {
      const std::size_t n = s / Rows, i = s % Rows;
      if (i == 0) y = codes_as_words(key[n] + p);
      words& to = total[i * Columns + n];
      to = add_word_products(to, load_words(q.numbers[i] + p), y);
      keep_order(to);
    };
    (add(S), ...);
  }
  const simd_batch<std::int32_t, A> numbers[] = {std::bit_cast<simd_batch<std::int32_t, A>>(total[S])...};
  std::int32_t sums[ceil_div(Rows * Columns, 4) * 4];
  many_sums<std::int32_t, A>(std::index_sequence<S...>{}, numbers, sums);
  for (std::size_t i = 0; i < Rows; ++i)
    for (std::size_t n = 0; n < Columns; ++n) c[i][j + n] = sums[i * Columns + n];
}

}  // namespace stored_detail

/// c[i][j] = q[i] . row j for rows of codes with one scale each.
template <class A>
requires(sizeof(simd_batch<float, A>) ==
         sizeof(stored_detail::words)) void stored_products(simd<A>, std::size_t m, std::size_t count, std::size_t k,
                                                            const float* q, std::size_t q_stride,
                                                            const stored_rows<int8<>>& rows, float* c,
                                                            std::size_t ldc) {
  using namespace stored_detail;
  const row_reader<A, int8<>> keys(rows, count);
  four_rows_at_once(m, [&]<std::size_t Rows>(std::integral_constant<std::size_t, Rows>, std::size_t i) {
    const word_rows<Rows> few(k, q + i * q_stride, q_stride);
    std::int32_t sums[Rows][most_stored_rows];
    constexpr std::size_t most = vector_registers<A> == 16 && Rows > 3 ? 3 : 4;  // columns whose sums registers hold
    std::size_t j = 0;
    for (; j + most <= count; j += most)
      word_dots<Rows, most, A>(std::make_index_sequence<Rows * most>{}, k, few, keys, j, sums);
    for (; j < count; ++j) word_dots<Rows, 1, A>(std::make_index_sequence<Rows>{}, k, few, keys, j, sums);
    for (std::size_t r = 0; r < Rows; ++r)
      for (std::size_t n = 0; n < count; ++n)
        c[(i + r) * ldc + n] = static_cast<float>(sums[r][n]) * (few.scales[r] * keys.scales.scales[n]);
  });
}

}}  // namespace ctlm
CTLM_INTRINSICS_END
