// SPDX-License-Identifier: MIT
// ctlm: few rows times rows that are stored in 16, 8 or 4 bits: what attention of a single token does with a KV cache.
// A register of them is decoded where it is used, and meets all the rows before the next is decoded. The numbers, and
// the order in which they are added, are those of rows that were decoded before (decode_codes.hpp, dot.hpp, gemm.hpp).
#pragma once

#include "../../format/bf16.hpp"
#include "../../format/f16.hpp"
#include "../../format/int4.hpp"
#include "../../format/int8.hpp"
#include "../portable/stored_rows.hpp"
#include "decode_codes.hpp"
#include "widen.hpp"

CTLM_INTRINSICS_BEGIN
namespace ctlm { inline namespace CTLM_ABI {

/// Rows that are multiplied together at most, and numbers of a row at most where its groups have scales of their own.
inline constexpr std::size_t most_stored_rows = 64, most_stored_columns = 256;

/// Reads registers of stored rows: of row j, its cursor has numbers [p, p + lanes) as load(p).
template <class A, class F>
struct row_reader;

/// Of numbers of 16 and 8 bits.
template <class A, class F>
requires(plain_format<F>&& widens_in_registers<typename F::element, float>) struct row_reader<A, F> {
  struct cursor {
    const typename F::element* row;
    CTLM_INLINE simd_batch<float, A> load(std::size_t p) const { return load_as<float, A>(row + p); }
  };
  const stored_rows<F>& rows;

  explicit row_reader(const stored_rows<F>& r, std::size_t) : rows(r) {}
  CTLM_INLINE cursor at(std::size_t j) const { return {rows.from.data + rows.row(j) * rows.from.cols}; }
  static constexpr std::size_t bytes(std::size_t columns) { return columns * sizeof(typename F::element); }
};

/// Formats whose rows are a scale times their codes. Kernels for them multiply with the codes alone, and the sums, or
/// the weights of the sums, with the scales.
template <class F>
inline constexpr bool scaled_rows = false;
template <class F>
requires(quantised_format<F> && !F::has_min && F::group == per_channel &&
         F::zero == 0) inline constexpr bool scaled_rows<F> = true;

/// Scales, and minima, of the groups of some rows in single precision.
template <class A, class F>
struct row_scales {
  static constexpr std::size_t room =
      most_stored_rows * (F::group == per_channel ? 1 : ceil_div(most_stored_columns, larger(1, F::group)));
  float scales[room];
  float bases[F::has_min ? room : 1];

  row_scales(const stored_rows<F>& r, std::size_t count) {
    const std::size_t groups = F::groups(r.from.cols), before = smaller(count, r.before);
    convert(r, r.first, before * groups, 0, groups);
    if (before < count) convert(r, r.row(before), (count - before) * groups, before * groups, groups);
  }

 private:
  void convert(const stored_rows<F>& r, std::size_t row, std::size_t n, std::size_t to, std::size_t groups) {
    decode_halves(r.from.scales + row * groups, n, scales + to);
    if constexpr (F::has_min) decode_halves(r.from.minima + row * groups, n, bases + to);
  }
  static void decode_halves(const std::uint16_t* from, std::size_t n, float* to) {
    constexpr std::size_t w = lanes<float, A>;
    const std::size_t whole = n / w * w;
    for (std::size_t i = 0; i < whole; i += w) {
      stored_vector<half, w> v;
      __builtin_memcpy(&v, from + i, sizeof v);
      const auto wide = widened_half<w>(simd<A>{}, v);
      __builtin_memcpy(to + i, &wide, sizeof wide);
    }
    for (std::size_t i = whole; i < n; ++i) to[i] = half_to_float(from[i]);
  }
};

/// Of codes of 8 and 4 bits. A code times its scale is exact: adding the base in the same instruction changes no bit.
template <class A, class F>
requires quantised_format<F>
struct row_reader<A, F> {
  using V = simd_batch<float, A>;
  static constexpr std::size_t w = lanes<float, A>;
  struct cursor {
    const typename F::element* row;
    const float* scales;
    const float* bases;

    CTLM_INLINE V load(std::size_t p) const {
      if constexpr (scaled_rows<F>) return codes(row, p);
      const std::size_t g = F::group == per_channel ? 0 : p / larger(1, F::group);
      const V scale(scales[g]), code = codes(row, p);
      if constexpr (F::has_min)
        return xsimd::fma(code, scale, V(bases[g]));
      else if constexpr (F::zero != 0)
        return (code - V(F::zero)) * scale;
      else
        return code * scale;
    }
  };
  const stored_rows<F>& rows;
  row_scales<A, F> scales;
  std::size_t groups, row_bytes;

  row_reader(const stored_rows<F>& r, std::size_t count)
      : rows(r), scales(r, count), groups(F::groups(r.from.cols)), row_bytes(F::row_codes(r.from.cols)) {}
  CTLM_INLINE cursor at(std::size_t j) const {
    return {rows.from.codes + rows.row(j) * row_bytes, scales.scales + j * groups,
            F::has_min ? scales.bases + j * groups : nullptr};
  }
  static constexpr std::size_t bytes(std::size_t columns) { return F::row_codes(columns); }

 private:
  CTLM_INLINE static V codes(const typename F::element* row, std::size_t p) {
    plain_vector<typename F::element, w> v;
    if constexpr (F::bits == 8) {
      __builtin_memcpy(&v, row + p, sizeof v);
    } else {
      constexpr std::size_t plane = code_chunk / 2;
      plain_vector<std::uint32_t, w / 4> fours;  // GCC shifts bytes one by one where they do not fill a register
      __builtin_memcpy(&fours, row + p / code_chunk * plane + p % plane, sizeof fours);
      fours = (p / plane % 2 == 0 ? fours : fours >> 4) & 0x0F0F0F0Fu;
      __builtin_memcpy(&v, &fours, sizeof v);
    }
    return std::bit_cast<V>(widened_codes<w>(simd<A>{}, v));
  }
};

template <class A, class F, std::size_t Columns>
requires(plain_format<F>&& std::same_as<typename F::compute, float> && !native_format<F> &&
         widens_in_registers<typename F::element, float>) inline constexpr bool multiplies_stored<simd<A>, F, Columns> =
    lanes<float, A> >= 4 && Columns % lanes<float, A> == 0;
template <class A, class F, std::size_t Columns>
requires(quantised_format<F> && (F::bits == 8 || F::bits == 4) &&
         !F::compact) inline constexpr bool multiplies_stored<simd<A>, F, Columns> =
    lanes<float, A> >= 4 && lanes<float, A> <= codes_at_once
    && Columns % code_chunk == 0 && Columns <= most_stored_columns &&
    (F::group == per_channel || F::group % code_chunk == 0);

/// Asks for the lines of a row that lies a tile further on: it is read next.
template <class A, class F>
CTLM_INLINE void look_ahead(const row_reader<A, F>& from, std::size_t j, std::size_t columns) {
  constexpr std::size_t line = 64;
  const std::size_t bytes = row_reader<A, F>::bytes(columns);
  const char* const next = reinterpret_cast<const char*>(from.at(j).row) + most_stored_rows * bytes;
  for (std::size_t at = 0; at < bytes; at += line) CTLM_PREFETCH_READ(next + at);
}

/// The dot products of Rows rows of q with rows [j, j + Columns) of `keys`.
template <std::size_t Rows, std::size_t Columns, class A, class F, std::size_t... S>
CTLM_INLINE void stored_dots(std::index_sequence<S...>, std::size_t k, const float* q, std::size_t q_stride,
                             const row_reader<A, F>& keys, std::size_t j, float* c, std::size_t ldc) {
  using V = simd_batch<float, A>;
  V total[] = {(static_cast<void>(S), V(0.0f))...};
  typename row_reader<A, F>::cursor key[Columns];
  for (std::size_t n = 0; n < Columns; ++n) {
    key[n] = keys.at(j + n);
    look_ahead(keys, j + n, k);
  }
  for (std::size_t p = 0; p < k; p += lanes<float, A>) {
    V x[Rows];
    for (std::size_t i = 0; i < Rows; ++i) x[i] = V::load_unaligned(q + i * q_stride + p);
    for (std::size_t n = 0; n < Columns; ++n) {
      const V y = key[n].load(p);
      for (std::size_t i = 0; i < Rows; ++i) total[i * Columns + n] = xsimd::fma(x[i], y, total[i * Columns + n]);
    }
  }
  float sums[ceil_div(Rows * Columns, 4) * 4];
  many_sums<float, A>(std::index_sequence<S...>{}, total, sums);
  for (std::size_t i = 0; i < Rows; ++i)
    for (std::size_t n = 0; n < Columns; ++n) c[i * ldc + j + n] = sums[i * Columns + n];
}

/// out[r][p ... p + Vectors registers) += sum over j of weights[r][j] times numbers p ... of row j of `values`.
template <std::size_t Rows, std::size_t Vectors, class A, class F, std::size_t... S>
CTLM_INLINE void add_stored_rows(std::index_sequence<S...>, std::size_t count, std::size_t columns,
                                 const float* weights, std::size_t ldw, const row_reader<A, F>& values, std::size_t p,
                                 float* out, std::size_t ldo) {
  using V = simd_batch<float, A>;
  constexpr std::size_t w = lanes<float, A>;
  V total[] = {(static_cast<void>(S), V(0.0f))...};
  for (std::size_t j = 0; j < count; ++j) {
    const auto value = values.at(j);
    if (p == 0) look_ahead(values, j, columns);
    V x[Rows];
    for (std::size_t i = 0; i < Rows; ++i) x[i] = V(weights[i * ldw + j]);
    for (std::size_t n = 0; n < Vectors; ++n) {
      const V y = value.load(p + n * w);
      for (std::size_t i = 0; i < Rows; ++i) total[i * Vectors + n] = xsimd::fma(x[i], y, total[i * Vectors + n]);
    }
  }
  auto put = [&](std::size_t s) CTLM_LAMBDA_INLINE {
    float* const to = out + s / Vectors * ldo + p + s % Vectors * w;
    (total[s] + V::load_unaligned(to)).store_unaligned(to);
  };
  (put(S), ...);
}

/// f(std::integral_constant<std::size_t, rows>, first row) for m rows, four at a time.
template <class Call>
CTLM_INLINE void four_rows_at_once(std::size_t m, Call&& f) {
  std::size_t i = 0;
  for (; i + 4 <= m; i += 4) f(std::integral_constant<std::size_t, 4>{}, i);
  if (m - i == 3) f(std::integral_constant<std::size_t, 3>{}, i);
  if (m - i == 2) f(std::integral_constant<std::size_t, 2>{}, i);
  if (m - i == 1) f(std::integral_constant<std::size_t, 1>{}, i);
}

/// c[i][j] = q[i] . row j, for m rows of q, of k numbers each, and `count` stored rows.
template <class A, class F>
void stored_products(simd<A>, std::size_t m, std::size_t count, std::size_t k, const float* q, std::size_t q_stride,
                     const stored_rows<F>& rows, float* c, std::size_t ldc) {
  const row_reader<A, F> keys(rows, count);
  four_rows_at_once(m, [&]<std::size_t Rows>(std::integral_constant<std::size_t, Rows>, std::size_t i) {
    auto columns = [&]<std::size_t Columns>(std::integral_constant<std::size_t, Columns>, std::size_t j)
                       CTLM_LAMBDA_INLINE {
                         stored_dots<Rows, Columns, A>(std::make_index_sequence<Rows * Columns>{}, k, q + i * q_stride,
                                                       q_stride, keys, j, c + i * ldc, ldc);
                       };
    std::size_t j = 0;
    for (; j + 4 <= count; j += 4) columns(std::integral_constant<std::size_t, 4>{}, j);
    for (; j < count; ++j) columns(std::integral_constant<std::size_t, 1>{}, j);
  });
  if constexpr (scaled_rows<F>)
    for (std::size_t i = 0; i < m; ++i)
      for (std::size_t j = 0; j < count; ++j) c[i * ldc + j] *= keys.scales.scales[j];
}

/// out[i] += sum over j of weights[i][j] times row j, for m rows of weights and `count` stored rows of n numbers.
template <class A, class F>
void add_stored_products(simd<A>, std::size_t m, std::size_t n, std::size_t count, const float* weights,
                         std::size_t ldw, const stored_rows<F>& rows, float* out, std::size_t ldo) {
  const row_reader<A, F> values(rows, count);
  four_rows_at_once(m, [&]<std::size_t Rows>(std::integral_constant<std::size_t, Rows>, std::size_t i) {
    constexpr std::size_t w = lanes<float, A>;
    constexpr std::size_t most = vector_registers<A> == 32 || Rows < 4 ? 4 : 2;  // sums that registers hold
    const float* of_rows = weights + i * ldw;
    std::size_t stride = ldw;
    [[maybe_unused]] float scaled[scaled_rows<F> ? Rows * most_stored_rows : 1];
    if constexpr (scaled_rows<F>) {
      for (std::size_t r = 0; r < Rows; ++r)
        for (std::size_t j = 0; j < count; ++j)
          scaled[r * most_stored_rows + j] = weights[(i + r) * ldw + j] * values.scales.scales[j];
      of_rows = scaled;
      stride = most_stored_rows;
    }
    auto vectors = [&]<std::size_t Vectors>(std::integral_constant<std::size_t, Vectors>, std::size_t p)
                       CTLM_LAMBDA_INLINE {
                         add_stored_rows<Rows, Vectors, A>(std::make_index_sequence<Rows * Vectors>{}, count, n,
                                                           of_rows, stride, values, p, out + i * ldo, ldo);
                       };
    std::size_t p = 0;
    for (; p + most * w <= n; p += most * w) vectors(std::integral_constant<std::size_t, most>{}, p);
    for (; p < n; p += w) vectors(std::integral_constant<std::size_t, 1>{}, p);
  });
}

}}  // namespace ctlm
CTLM_INTRINSICS_END
