// SPDX-License-Identifier: MIT
// ctlm: contrastive learning (InfoNCE: van den Oord et al. 2018): sequences become vectors, those of a pair alike and
// all others of the batch apart. What comes of it is a model of embeddings.
#pragma once

#include "../kernels/cross_entropy.hpp"
#include "../tensor/meaning.hpp"
#include "batch.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// What contrast() is told.
struct contrast_options {
  float temperature = 0.05f;  ///< similarities, of -1 to 1, are divided by it; above 0
};

/// What contrast() and match() found, before the update.
struct contrast_result {
  double loss = 0;      ///< mean over pairs, in nats; of a guess: log(pairs of a micro-batch)
  double accuracy = 0;  ///< the share of first sequences whose nearest second one is their own
};

/// Sequences as vectors: the mean of the final rows whose target is not ignore_token, made as long as 1.
template <class M, class Batch>
struct pooled_rows {
  using real = typename M::real;                      ///< numbers of arithmetic
  static constexpr std::size_t d = M::shape.d_model;  ///< numbers in a vector

  const token* tokens;  ///< [rows] targets, of which it only matters whether they are ignore_token

  /// Whether a row takes part.
  constexpr bool counts(std::size_t row) const { return tokens[row] != ignore_token; }
  /// Rows of a sequence that take part, at least 1. Raises errc::invalid_argument if there are none.
  constexpr std::size_t length(std::size_t sequence) const {
    std::size_t n = 0;
    for (std::size_t r = 0; r < Batch::sequence; ++r) n += counts(sequence * Batch::sequence + r);
    check(n > 0, errc::invalid_argument,
          "ctlm: all targets of sequence {where} are ignore_token: nothing is left to make a vector of", sequence);
    return n;
  }
  /// Vectors [batch][d], and how long they were before they were made as long as 1: lengths [batch].
  template <class Context>
  constexpr void pool(Context& c, values<const real> rows, real* vectors, real* lengths) const {
    for (std::size_t s = 0; s < Batch::batch; ++s) {
      real* const v = vectors + s * d;
      const real part = real(1) / static_cast<real>(length(s));
      clear(d, v);
      for (std::size_t r = s * Batch::sequence; r < (s + 1) * Batch::sequence; ++r)
        if (counts(r))
          elementwise(
              c.backend, d, [=](auto& to, const auto& x) { to = to + x * part; }, v, rows.data + r * d);
      lengths[s] = math::sqrt(dot(c, v, v));
      const real factor = real(1) / lengths[s];
      elementwise(
          c.backend, d, [=](auto& to) { to *= factor; }, v);
    }
  }
  /// The sum of the products of two vectors' numbers.
  template <class Context>
  static constexpr real dot(Context& c, const real* a, const real* b) {
    return sum(
        c.backend, d, [](const auto& x, const auto& y) { return x * y; }, a, b);
  }
};

/// Targets of a micro-batch of pairs: sequences 2i and 2i + 1 belong together.
template <class M, class Batch>
struct contrast_targets : pooled_rows<M, Batch> {
  using base = pooled_rows<M, Batch>;  ///< how sequences become vectors
  using base::d;
  using typename base::real;
  static_assert(Batch::batch % 2 == 0, "ctlm: contrasts come in pairs: config.batch must be even");
  static constexpr std::size_t pairs = Batch::batch / 2;  ///< of a micro-batch

  /// Numbers of scratch.
  static constexpr std::size_t numbers = 2 * Batch::batch * d + pairs * pairs + Batch::batch + pairs;

  const contrast_options& options;  ///< of the run
  contrast_result& sums;            ///< over the pairs of the step so far

  /// The sum of the pairs' losses, and, unless `drows` is nullptr, `scale` times their gradients by the final rows.
  template <class Context>
  constexpr double from_rows(Context& c, values<const real> rows, real scale, real* scratch, real* drows) const {
    real* const vectors = scratch;
    real* const dvectors = vectors + Batch::batch * d;
    real* const alike = dvectors + Batch::batch * d;
    real* const lengths = alike + pairs * pairs;
    real* const losses = lengths + Batch::batch;
    this->pool(c, rows, vectors, lengths);
    const real cold = real(1) / static_cast<real>(options.temperature);
    token own[pairs]{};
    for (std::size_t i = 0; i < pairs; ++i) {
      own[i] = static_cast<token>(i);
      for (std::size_t j = 0; j < pairs; ++j)
        alike[i * pairs + j] = base::dot(c, vectors + 2 * i * d, vectors + (2 * j + 1) * d) * cold;
      if (alike[i * pairs + i] == maximum(c.backend, pairs, static_cast<const real*>(alike + i * pairs)))
        sums.accuracy += 1;
    }
    cross_entropy(c.backend, *c.exec, pairs, pairs, alike, own, scale, losses);
    double total = 0;
    for (std::size_t i = 0; i < pairs; ++i) total += static_cast<double>(losses[i]);
    sums.loss += total;
    if (drows != nullptr) {
      clear(Batch::batch * d, dvectors);
      for (std::size_t i = 0; i < pairs; ++i)
        for (std::size_t j = 0; j < pairs; ++j) {
          const real slope = alike[i * pairs + j] * cold;
          const std::size_t a = 2 * i * d, b = (2 * j + 1) * d;
          add(c, slope, vectors + b, dvectors + a);
          add(c, slope, vectors + a, dvectors + b);
        }
      to_rows(c, vectors, dvectors, lengths, drows);
    }
    return total;
  }

 private:
  template <class Context>
  static constexpr void add(Context& c, real factor, const real* from, real* to) {
    elementwise(
        c.backend, d, [=](auto& y, const auto& x) { y = y + x * factor; }, to, from);
  }
  /// Gradients of vectors to gradients of rows.
  template <class Context>
  constexpr void to_rows(Context& c, const real* vectors, const real* dvectors, const real* lengths,
                         real* drows) const {
    clear(Batch::rows * d, drows);
    for (std::size_t s = 0; s < Batch::batch; ++s) {
      const real *const v = vectors + s * d, *const dv = dvectors + s * d;
      const real along = base::dot(c, v, dv), part = real(1) / (lengths[s] * static_cast<real>(this->length(s)));
      for (std::size_t r = s * Batch::sequence; r < (s + 1) * Batch::sequence; ++r)
        if (this->counts(r))
          elementwise(
              c.backend, d, [=](auto& to, const auto& x, const auto& g) { to = (g - x * along) * part; }, drows + r * d,
              v, dv);
    }
  }
};

}}  // namespace ctlm
