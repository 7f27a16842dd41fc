// SPDX-License-Identifier: MIT
// ctlm: queries and keys normalised head by head, before they turn (Henry et al. 2020, "Query-Key Normalization"; as in
// Qwen3 and Gemma 3), forward and backward.
#pragma once

#include "../kernels/chosen.hpp"
#include "declared_tensors.hpp"

namespace ctlm { inline namespace CTLM_ABI {

namespace head_norms_detail {

/// The gains of head h: of queries first, then of keys.
template <class M, class W>
constexpr auto gains_of(const W& w, std::size_t layer, std::size_t h) {
  return w.vector_of(h < M::shape.heads ? tensor_id::q_norm_weight : tensor_id::k_norm_weight, layer);
}

}  // namespace head_norms_detail

/// Queries and keys of all rows of qkv [rows][qkv_dim], in place. Models without such norms: nothing happens.
template <class M, class Context, class W, class T>
constexpr void normalise_heads(Context& c, const W& w, std::size_t layer, std::size_t rows, T* qkv) {
  constexpr decoder_shape s = M::shape;
  if constexpr (s.qk_norm) {
    parallel_for(*c.exec, rows, row_grain(s.qkv_dim()), [&](std::size_t first, std::size_t count, std::size_t) {
      for (std::size_t r = first; r < first + count; ++r)
        for (std::size_t h = 0; h < s.heads + s.kv_heads; ++h) {
          T* const x = qkv + r * s.qkv_dim() + h * s.head_dim;
          M::norm::forward(c.backend, s.head_dim, static_cast<const T*>(x), head_norms_detail::gains_of<M>(w, layer, h),
                           static_cast<const T*>(nullptr), x, s.norm_eps);
        }
    });
  }
}

/// The backward pass: `raw` is qkv before its norm; dqkv holds the gradients of what it became, and gets its own. Those
/// of the gains are added to g. `statistics` is scratch, [rows][heads + kv_heads]; `scratch` has room for qkv.
template <class M, class Context, class W, class G, class T, class Statistics>
constexpr void normalise_heads_backward(Context& c, const W& w, const G& g, std::size_t layer, std::size_t rows,
                                        const T* raw, T* dqkv, Statistics* statistics, T* scratch) {
  constexpr decoder_shape s = M::shape;
  constexpr std::size_t heads = s.heads + s.kv_heads, dim = s.head_dim;
  parallel_for(*c.exec, rows, row_grain(s.qkv_dim()), [&](std::size_t first, std::size_t count, std::size_t) {
    for (std::size_t r = first; r < first + count; ++r)
      for (std::size_t h = 0; h < heads; ++h) {
        const std::size_t at = r * s.qkv_dim() + h * dim;
        const T* const gains = head_norms_detail::gains_of<M>(w, layer, h);
        auto& statistic = statistics[r * heads + h];
        statistic =
            M::norm::forward(c.backend, dim, raw + at, gains, static_cast<const T*>(nullptr), scratch + at, s.norm_eps);
        for (std::size_t i = 0; i < dim; ++i) {
          scratch[at + i] = dqkv[at + i];
          dqkv[at + i] = T(0);
        }
        M::norm::backward_input(c.backend, dim, raw + at, gains, static_cast<const T*>(scratch) + at, dqkv + at,
                                statistic);
      }
  });
  // Rows are taken in order by whoever has the columns, so that sums do not depend on the number of threads.
  parallel_for(*c.exec, dim, 16, [&](std::size_t first, std::size_t count, std::size_t) {
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t h = 0; h < heads; ++h) {
        const std::size_t at = r * s.qkv_dim() + h * dim + first;
        T* const dgains = gradient_place(head_norms_detail::gains_of<M>(g, layer, h));
        if constexpr (!std::is_pointer_v<decltype(head_norms_detail::gains_of<M>(g, layer, h))>)
          if (dgains == nullptr) continue;
        M::norm::backward_weight(c.backend, count, raw + at, static_cast<const T*>(scratch) + at, dgains + first,
                                 static_cast<T*>(nullptr), statistics[r * heads + h]);
      }
  });
}

}}  // namespace ctlm
