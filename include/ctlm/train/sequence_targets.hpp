// SPDX-License-Identifier: MIT
// ctlm: a head over sequences and its loss, in a micro-batch: rows become a vector, the vector numbers, and gradients
// go back the same way, one sequence at a time.
#pragma once

#include "../model/head_weights.hpp"
#include "../tensor/meaning.hpp"
#include "batch.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The memory that head and loss need: in the place of a chunked_head.
template <class M, class H>
struct sequence_pass {
  static constexpr std::size_t d = M::shape.d_model;              ///< numbers of a vector
  static constexpr std::size_t out_numbers = 2 * d + H::outputs;  ///< a vector, its gradient, and what it becomes

  /// Needs nothing else.
  template <class A>
  constexpr void place(A&) {}
};

/// What a head found in a micro-batch or a step.
struct head_sums {
  double loss = 0;          ///< the sum over sequences
  std::size_t right = 0;    ///< of a head with is_right: how many were
  std::size_t counted = 0;  ///< sequences that took part
};

/// Targets of a micro-batch of sequences. Of a sequence, its first rows count, the others are padding.
template <class M, class Batch, class H>
struct sequence_targets {
  using real = typename M::real;                                            ///< numbers of arithmetic
  using target = typename H::template target<real>;                         ///< what is wanted
  using weights = head_weights<M, H>;                                       ///< the head's
  static constexpr std::size_t d = M::shape.d_model;                        ///< numbers of a vector
  static constexpr std::size_t numbers = sequence_pass<M, H>::out_numbers;  ///< of scratch

  const std::size_t* lengths;  ///< [batch] rows that count, of each sequence; nullptr: all do
  const target* wanted;        ///< [batch][H::targets]; nullptr: outputs alone are computed
  const weights& head;         ///< its weights
  const weights& gradients;    ///< and their gradients
  bool first;                  ///< whether these are the first gradients of a step
  head_sums& sums;             ///< of the step so far
  real* outputs;               ///< [batch][H::outputs], which are written; or nullptr

  /// Rows of a sequence that count.
  constexpr std::size_t length(std::size_t sequence) const {
    return lengths == nullptr ? Batch::sequence : lengths[sequence];
  }
  /// Whether a sequence has a loss.
  constexpr bool takes_part(std::size_t sequence) const {
    return length(sequence) > 0 && wanted != nullptr && H::takes_part(wanted + sequence * H::targets);
  }

  /// The sum of the sequences' losses, and, unless `drows` is nullptr, `scale` times their gradients by the final rows
  /// and by the head's weights.
  template <class Context>
  constexpr double from_rows(Context& c, values<const real> rows, real scale, real* scratch, real* drows) const {
    real *const vector = scratch, *const dvector = vector + d, *const out = dvector + d;
    if (drows != nullptr && first)
      for (std::size_t i = 0; i < weights::count; ++i)
        for (real& x : gradients[i]) x = 0;
    double total = 0;
    for (std::size_t s = 0; s < Batch::batch; ++s) {
      const std::size_t from = s * Batch::sequence * d, n = length(s);
      const bool learns = takes_part(s);
      if (n > 0) {
        pool_rows<typename H::pooling>(c.backend, d, n, rows.data + from, vector);
        H::forward(c.backend, read(head), d, static_cast<const real*>(vector), out);
      }
      if (outputs != nullptr)
        for (std::size_t i = 0; i < H::outputs; ++i) outputs[s * H::outputs + i] = n > 0 ? out[i] : real(0);
      if (learns) total += loss_of(c.backend, s, out, scale);
      if (drows == nullptr) continue;
      if (learns)
        H::backward(c.backend, read(head), gradients.numbers(), d, static_cast<const real*>(vector),
                    static_cast<const real*>(out), dvector);
      pool_rows_backward<typename H::pooling>(c.backend, d, learns ? n : 0, Batch::sequence,
                                              static_cast<const real*>(dvector), drows + from);
    }
    sums.loss += total;
    return total;
  }

 private:
  static constexpr head_numbers<const real> read(const weights& w) { return w.numbers(); }

  template <class Backend>
  constexpr double loss_of(Backend backend, std::size_t sequence, real* out, real scale) const {
    const target* const own = wanted + sequence * H::targets;
    if constexpr (requires { H::is_right(static_cast<const real*>(out), own); })
      sums.right += H::is_right(static_cast<const real*>(out), own);
    ++sums.counted;
    return static_cast<double>(H::loss(backend, out, own, scale));
  }
};

}}  // namespace ctlm
