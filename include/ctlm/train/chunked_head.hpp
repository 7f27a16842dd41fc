// SPDX-License-Identifier: MIT
// ctlm: head and loss over the rows of a micro-batch, some rows at a time: logits of all rows never exist at once.
#pragma once

#include "../kernels/distillation.hpp"
#include "../model/embedding_scale.hpp"
#include "../model/vocabulary.hpp"
#include "../policy/head/head.hpp"
#include "../policy/loss/cross_entropy_loss.hpp"
#include "batch.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Targets that are tokens, one for each row of a micro-batch.
template <class Loss>
struct token_targets {
  const token* tokens;  ///< [rows]; ignore_token: this row takes no part

  /// The losses of rows [first, first + n), to losses[n]; the logits become `scale` times their gradients, and are
  /// returned.
  template <class Context, class T>
  constexpr gradients<T> loss(Context& c, std::size_t first, std::size_t n, std::size_t outputs, values<T> logits,
                              T scale, T* losses) const {
    return Loss::apply(c.backend, *c.exec, n, outputs, logits, tokens + first, scale, losses);
  }
};

/// The same of a loss with options.
template <class Loss>
requires requires { typename Loss::options; }
struct token_targets<Loss> {
  const token* tokens;
  const typename Loss::options& options;

  template <class Context, class T>
  constexpr gradients<T> loss(Context& c, std::size_t first, std::size_t n, std::size_t outputs, values<T> logits,
                              T scale, T* losses) const {
    return Loss::apply(c.backend, *c.exec, n, outputs, logits, tokens + first, scale, losses, options);
  }
};

/// Tokens, whose cross entropy is found, and how many of them were the most probable ones.
struct judged_targets {
  const token* tokens;  ///< [rows]
  std::size_t& right;   ///< the count so far

  /// The same as token_targets.
  template <class Context, class T>
  constexpr gradients<T> loss(Context& c, std::size_t first, std::size_t n, std::size_t outputs, values<T> logits,
                              T scale, T* losses) const {
    for (std::size_t r = 0; r < n; ++r) {
      const token t = tokens[first + r];
      const T* const x = logits.data + r * outputs;
      if (t != ignore_token && x[static_cast<std::size_t>(t)] == maximum(c.backend, outputs, x)) ++right;
    }
    cross_entropy(c.backend, *c.exec, n, outputs, logits.data, tokens + first, scale, losses);
    return {logits.data};
  }
};

/// Targets that are a teacher's distributions (distil).
template <class Teacher>
struct teacher_targets {
  Teacher* teacher;  ///< has read the same tokens

  /// The same as token_targets: here the loss is the cross entropy between the teacher's distribution and the row's.
  template <class Context, class T>
  constexpr gradients<T> loss(Context& c, std::size_t first, std::size_t n, std::size_t outputs, values<T> logits,
                              T scale, T* losses) const {
    soft_cross_entropy(c.backend, *c.exec, n, outputs, logits.data, teacher->logits(first, n), scale, losses);
    return {logits.data};
  }
};

/// How distil() compares a student with its teacher.
struct distillation_options {
  float temperature = 1;  ///< both models' logits are divided by it, which shows improbable tokens; above 0
  bool reverse = false;   ///< whether the student is to be sure where the teacher is, and not the other way round
};

/// The same by a divergence with options.
template <class Teacher>
struct divergence_targets {
  Teacher* teacher;                     ///< has read the same tokens
  const distillation_options& options;  ///< temperature and direction

  /// The same as token_targets.
  template <class Context, class T>
  constexpr gradients<T> loss(Context& c, std::size_t first, std::size_t n, std::size_t outputs, values<T> logits,
                              T scale, T* losses) const {
    distillation(c.backend, *c.exec, n, outputs, logits.data, teacher->logits(first, n), T(options.temperature),
                 options.reverse, scale, losses);
    return {logits.data};
  }
};

/// A head and a loss over all rows of a micro-batch, 256 rows at a time: so at most 256 rows of logits are in memory.
template <class M, class Batch, class Head>
class chunked_head {
  using real = typename M::real;
  static constexpr std::size_t d = M::shape.d_model;
  static constexpr std::size_t outputs = Head::template outputs<M>;
  static constexpr std::size_t chunk = smaller(Batch::rows, 256);  // rows of logits alive at once
  // Capped logits are kept beside their gradients, which need them.
  static constexpr bool capped = M::shape.logit_cap > 0 && std::same_as<Head, vocabulary_head>;

 public:
  /// Numbers that the caller lends as `out`.
  static constexpr std::size_t out_numbers = chunk * outputs * (capped ? 2 : 1);

  /// Asks an arena for a loss for each row.
  template <class A>
  constexpr void place(A& a) {
    losses_ = a.template allocate<real>(Batch::rows);
  }

  /// Logits of rows [first, first + n), n being at most 256.
  template <class Context, class W>
  static constexpr values<real> logits(Context& c, const W& w, values<const real> rows, std::size_t first,
                                       std::size_t n, values<real> out) {
    Head::forward(c, w, n, rows.from(first * d), out);
    if constexpr (capped) cap_logits(c.backend, *c.exec, n * outputs, static_cast<real>(M::shape.logit_cap), out.data);
    return out;
  }

  /// The sum of the rows' losses.
  template <class Context, class W, class Targets>
  constexpr double loss(Context& c, const W& w, values<const real> rows, const Targets& targets, values<real> out) {
    for (std::size_t first = 0; first < Batch::rows; first += chunk) {
      const std::size_t n = smaller(chunk, Batch::rows - first);
      targets.loss(c, first, n, outputs, logits(c, w, rows, first, n, out), real(0), losses_ + first);
    }
    return total();
  }

  /// The rows' losses, [rows], as the last pass left them.
  constexpr const real* losses() const { return losses_; }

  /// The sum of the rows' losses, and gradients times `scale`: those of the rows are written to drows [rows][d_model],
  /// those of the head's weights to g (added where `accumulate`).
  template <class Context, class W, class G, class Targets>
  constexpr double gradient(Context& c, const W& w, const G& g, values<const real> rows, const Targets& targets,
                            real scale, values<real> out, gradients<real> drows, bool accumulate) {
    for (std::size_t first = 0; first < Batch::rows; first += chunk) {
      const std::size_t n = smaller(chunk, Batch::rows - first);
      const values<real> chunk_logits = logits(c, w, rows, first, n, out);
      if constexpr (capped) keep(n * outputs, out.data);
      const gradients<real> dout = targets.loss(c, first, n, outputs, chunk_logits, scale, losses_ + first);
      if constexpr (capped)
        cap_logits_backward(c.backend, *c.exec, n * outputs, static_cast<real>(M::shape.logit_cap),
                            static_cast<const real*>(out.data) + chunk * outputs, dout.data);
      Head::backward(c, w, g, n, rows.from(first * d), gradients<const real>{dout.data}, drows.from(first * d),
                     accumulate || first > 0);
    }
    return total();
  }

 private:
  static constexpr void keep(std::size_t n, real* logits) {
    for (std::size_t i = 0; i < n; ++i) logits[chunk * outputs + i] = logits[i];
  }
  constexpr double total() const {
    double sum = 0;
    for (std::size_t r = 0; r < Batch::rows; ++r) sum += static_cast<double>(losses_[r]);
    return sum;
  }

  real* losses_ = nullptr;  // [rows]
};

/// What goes through head and loss in a micro-batch: heads over rows do it some rows at a time.
template <class M, class Batch, class Head>
struct head_pass_of {
  using type = chunked_head<M, Batch, Head>;
};

}}  // namespace ctlm
