// SPDX-License-Identifier: MIT
// ctlm: sixteen rows of integer weights against activations in int8, portable.
#pragma once

#include "../../backend/portable.hpp"
#include "../../core/math.hpp"
#include "../../format/interleaved.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Numbers of a row of activations that share a scale: as many as of the weights that they will meet, but 32 where a
/// whole row of weights shares one. A few activations are much larger than all others, and what shares a scale with
/// them loses its last bits.
template <class F>
inline constexpr std::size_t input_group = F::group == per_channel ? code_chunk : F::group;
template <class F>
constexpr std::size_t input_groups(std::size_t cols) {
  return ceil_div(cols, input_group<F>);
}
/// The group of weights that group g of activations meets.
template <class F>
constexpr std::size_t weight_group(std::size_t g) {
  return F::group == per_channel ? 0 : g;
}

/// Rows of activations quantised on the fly: x[i] = scale[g] * codes[i], and zeros up to a whole tile.
struct quantised_rows {
  std::int8_t* codes = nullptr;  // [rows][code_stride]
  float* scales = nullptr;       // [rows][groups]
  std::int32_t* sums =
      nullptr;  // [rows][groups] sums of codes: what a zero point or a minimum of the weights multiplies
  std::size_t code_stride = 0;
  std::size_t groups = 0;

  constexpr quantised_rows row(std::size_t i) const {
    return {codes + i * code_stride, scales + i * groups, sums + i * groups, code_stride, groups};
  }
};

/// The inverse scale of a group whose largest magnitude is `extreme`; 0, which makes all codes 0, where it would
/// overflow.
constexpr float inverse_scale(float extreme) { return extreme > 0x1p-120f ? 127.0f / extreme : 0.0f; }

/// A group that holds a NaN or an infinity: its scale is NaN, and with it every product.
constexpr void quantise_not_finite(std::size_t count, std::int8_t* codes, float& scale, std::int32_t& sum) {
  for (std::size_t i = 0; i < count; ++i) codes[i] = 0;
  scale = std::numeric_limits<float>::quiet_NaN();
  sum = 0;
}

/// Quantises one row of n numbers, the first of q.
template <quantised_format F>
constexpr void quantise_row(portable, F, std::size_t n, const float* x, const quantised_rows& q) {
  constexpr std::size_t size = input_group<F>;
  for (std::size_t g = 0; g < input_groups<F>(n); ++g) {
    const std::size_t first = g * size, count = smaller(size, n - first);
    const std::uint32_t largest = math::largest_magnitude(count, x + first);
    if (largest >= math::infinite_bits<float>) {
      quantise_not_finite(count, q.codes + first, q.scales[g], q.sums[g]);
      continue;
    }
    const auto extreme = std::bit_cast<float>(largest);
    const float inverse = inverse_scale(extreme);
    std::int32_t total = 0;
    for (std::size_t i = first; i < first + count; ++i) {
      const int code = math::round_to_int(x[i] * inverse);
      q.codes[i] = static_cast<std::int8_t>(code);
      total += code;
    }
    q.scales[g] = extreme / 127.0f;
    q.sums[g] = total;
  }
  for (std::size_t i = n; i < q.code_stride; ++i) q.codes[i] = 0;
}

/// Twice the stored code that means zero, so that it is an integer for int2 as well.
template <class F>
inline constexpr int twice_stored_zero = F::has_min ? 2 * F::offset
                                                    : static_cast<int>(2.0f * F::numbers::zero) + 2 * F::offset;

/// Groups that are whole tiles, or of which a tile has a whole number: kernels exist for them that take a tile, or a
/// group's part of it, at a time.
template <class F>
inline constexpr bool vector_groups = F::group == per_channel || F::group % code_chunk == 0 ||
                                      (F::group % quad == 0 && code_chunk % F::group == 0);

/// The part of a tile that belongs to one group: vectors [first_vector(i), + vectors) of it, planes [first_plane(i), +
/// planes) of their bytes, for part i of `count`.
template <class F>
struct tile_part {
  static constexpr std::size_t quads = smaller(input_group<F>, code_chunk) / quad;
  static constexpr std::size_t count = code_chunk / quad / quads;
  static constexpr std::size_t vectors = smaller(quads, F::vectors), planes = quads / vectors;
  static constexpr std::size_t first_vector(std::size_t i) { return i * quads % F::vectors; }
  static constexpr std::size_t first_plane(std::size_t i) { return i * quads / F::vectors; }
};
/// f(std::integral_constant<std::size_t, i>) for i, which is less than Count.
template <std::size_t Count, class Call>
CTLM_INLINE constexpr void with_constant(std::size_t i, Call&& f) {
  if constexpr (Count == 1) {
    f(std::integral_constant<std::size_t, 0>{});
  } else {
    if (i + 1 == Count)
      f(std::integral_constant<std::size_t, Count - 1>{});
    else
      with_constant<Count - 1>(i, f);
  }
}

/// Rows of activations that quantised_stripe() is given at once at most.
constexpr std::size_t stripe_tokens(portable) { return 8; }

/// y[i][r] = row r of stripe `stripe` of w times row i of q; y is [m][stripe_rows]. Products and sums within a group
/// are exact integers.
template <class F>
constexpr void quantised_stripe(portable, F, const matrix<const F>& w, std::size_t stripe, std::size_t m,
                                const quantised_rows& q, float* y) {
  constexpr std::size_t size = input_group<F>;
  const std::size_t n = w.cols;
  const std::uint8_t* const codes = w.codes + stripe * F::stripe_bytes(n);
  for (std::size_t i = 0; i < m; ++i) {
    const quantised_rows x = q.row(i);
    float total[stripe_rows]{};
    for (std::size_t g = 0; g < input_groups<F>(n); ++g) {
      std::int32_t products[stripe_rows]{};
      for (std::size_t j = g * size; j < smaller((g + 1) * size, n); ++j) {
        const std::size_t quads = j % code_chunk / quad, shift = quads / F::vectors * F::low_bits;
        const std::uint8_t* p = codes + j / code_chunk * F::tile_bytes + quads % F::vectors * F::vector + j % quad;
        if constexpr (F::high_bits == 0) {
          for (std::size_t r = 0; r < stripe_rows; ++r)
            products[r] += ((p[r * quad] >> shift) & ((1 << F::bits) - 1)) * x.codes[j];
        } else {
          const std::size_t above = quads / F::high_vectors * F::high_bits;
          const std::uint8_t* h =
              codes + j / code_chunk * F::tile_bytes + F::low_bytes + quads % F::high_vectors * F::vector + j % quad;
          for (std::size_t r = 0; r < stripe_rows; ++r) {
            const int low = (p[r * quad] >> shift) & ((1 << F::low_bits) - 1);
            const int high = (h[r * quad] >> above) & ((1 << F::high_bits) - 1);
            products[r] += (low | high << F::low_bits) * x.codes[j];
          }
        }
      }
      const std::size_t s = (stripe * F::groups(n) + weight_group<F>(g)) * stripe_rows;
      for (std::size_t r = 0; r < stripe_rows; ++r) {
        const float scale = F::scale_format::scale(w.scales[s + r]);
        if constexpr (F::compact) {
          const std::int32_t parts = products[r] << F::scale_format::parts_log2;
          const auto exact = static_cast<float>(parts - w.minima[s + r] * x.sums[g]);
          total[r] += scale * (x.scales[g] / F::scale_format::parts) * exact;
          continue;
        }
        const auto exact = static_cast<float>(2 * products[r] - twice_stored_zero<F> * x.sums[g]);
        total[r] += scale * (0.5f * x.scales[g]) * exact;
        if constexpr (F::has_min)
          total[r] += F::scale_format::base(w.minima[s + r], scale) * (x.scales[g] * static_cast<float>(x.sums[g]));
      }
    }
    for (std::size_t r = 0; r < stripe_rows; ++r) y[i * stripe_rows + r] = total[r];
  }
}

}}  // namespace ctlm
