// SPDX-License-Identifier: MIT
// ctlm: the norm of what a part of a block adds to the residual stream, forward and backward (Gemma 2: Gemma Team
// 2024).
#pragma once

#include "../kernels/ops.hpp"
#include "block_state.hpp"
#include "declared_tensors.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// No such norm.
struct no_residual_norm {
  static constexpr bool present = false;  ///< whether what is added is normalised: no
};

/// The norm with the gains `weight`. The projection writes `branch`, [rows][d_model], which the backward pass reads.
template <class M>
struct residual_norm_of {
  static constexpr bool present = true;                     ///< whether what is added is normalised: yes
  using real = typename M::real;                            ///< numbers of arithmetic
  const real* gains;                                        ///< [d_model], the norm's weights
  real* branch;                                             ///< [rows][d_model], what the projection wrote
  typename M::norm::template statistics<real>* statistics;  ///< [rows] for the backward pass, or nullptr

  /// Normalises all rows of `branch` to `normed`, [rows][d_model], and keeps their statistics where there is room.
  template <class Context>
  constexpr void apply(Context& c, std::size_t rows, real* normed) const {
    norm_forward(typename M::norm{}, c.backend, *c.exec, rows, M::shape.d_model, static_cast<const real*>(branch),
                 gains, static_cast<const real*>(nullptr), normed, M::shape.norm_eps, statistics);
  }
};

/// The norm with the gains `weight` of this layer, as a residual_norm_of, where the shape has post_norms; otherwise a
/// no_residual_norm. `branch` is [rows][d_model]; `statistics` is [rows], or nullptr where no backward pass follows.
template <class M, tensor_id weight, class W, class T, class Statistics>
constexpr auto residual_norm([[maybe_unused]] const W& w, [[maybe_unused]] std::size_t layer,
                             [[maybe_unused]] T* branch, [[maybe_unused]] Statistics* statistics) {
  if constexpr (M::shape.post_norms)
    return residual_norm_of<M>{w.vector_of(weight, layer), branch, statistics};
  else
    return no_residual_norm{};
}

/// The gradient of the branch before its norm, written to b.dnormed: `dadded` itself where there is no norm. The gain's
/// gradients are added to g.
template <class M, tensor_id weight, class Context, class W, class G, class S, class B, class T, class Statistics>
constexpr const T* through_residual_norm([[maybe_unused]] Context& c, [[maybe_unused]] const W& w,
                                         [[maybe_unused]] const G& g, [[maybe_unused]] std::size_t layer,
                                         [[maybe_unused]] std::size_t rows, [[maybe_unused]] S* branch,
                                         [[maybe_unused]] const Statistics* statistics, const T* dadded,
                                         [[maybe_unused]] const B& b) {
  if constexpr (!M::shape.post_norms) {
    return dadded;
  } else {
    constexpr std::size_t d = M::shape.d_model;
    T* const scratch = b.dnormed;
    parallel_for(*c.exec, rows * d, 16384,
                 [&](std::size_t first, std::size_t n, std::size_t) { clear(n, scratch + first); });
    norm_backward(typename M::norm{}, c.backend, *c.exec, rows, d,
                  static_cast<const T*>(numbers_of(c, rows * d, branch, widening_parts(b).branch)),
                  w.vector_of(weight, layer), dadded, scratch, g.vector_of(weight, layer), static_cast<T*>(nullptr),
                  statistics);
    return scratch;
  }
}

}}  // namespace ctlm
