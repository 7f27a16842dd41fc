// SPDX-License-Identifier: MIT
// ctlm: what each of a layer's experts sees, of the rows that take it.
#pragma once

#include "../model/routing.hpp"
#include "inputs.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Rows of which the mean squares of inputs are known well.
inline constexpr std::size_t enough_rows = 32;

/// Sums over the inputs of one matrix of each expert of a layer. An expert that few rows took says too little by
/// itself: it gets the mean of all experts beside it.
template <class T, std::size_t experts>
struct expert_statistics {
  input_statistics<T> each[larger(1, experts)]{};  ///< those of one expert
  input_statistics<T> all{};                       ///< those of all of them, after add_up()

  /// Memory for the sums, those of products only where asked for; none if there are no experts.
  template <class A>
  static constexpr expert_statistics place(A& a, std::size_t columns, bool with_products) {
    expert_statistics s;
    if constexpr (experts > 0) {
      for (auto& one : s.each) one = input_statistics<T>::place(a, columns, with_products);
      s.all = input_statistics<T>::place(a, columns, with_products);
    }
    return s;
  }

  /// Forgets all rows.
  constexpr void clear() {
    if constexpr (experts > 0)
      for (auto& one : each) one.clear();
  }

  /// Adds up all experts, and what they lack to each: rows of the mean until there are `least`.
  template <class Backend, executor E>
  constexpr void complete(Backend backend, E& exec, std::size_t least) {
    all.clear();
    for (const auto& one : each) all.add_part(backend, exec, one, T(1), one.rows);
    for (auto& one : each) {
      if (one.rows >= least || all.rows == 0) continue;
      const std::size_t lacking = least - one.rows;
      one.add_part(backend, exec, all, static_cast<T>(lacking) / static_cast<T>(all.rows), lacking);
    }
  }
};

/// The inputs of experts in one model, kept so that those of the same token and expert in another can be compared with
/// them. The two may send a token to different experts.
template <class T>
struct kept_picks {
  T* rows[2]{};                    ///< [picks][d_model] of up_weight, [picks][d_ff] of down_weight
  std::uint32_t* place = nullptr;  ///< [rows][experts] 1 + the number of the pick among them; 0: there is none
  T* paired = nullptr;  ///< [rows][the wider of the two] those of one expert, in the order of the other model

  /// Memory for the picks of `count` rows; none if the shape has no experts.
  template <class A>
  static constexpr kept_picks place_for(A& a, const decoder_shape& s, std::size_t count) {
    kept_picks k;
    if (s.experts == 0) return k;
    k.rows[0] = a.template allocate<T>(count * s.experts_per_token * s.d_model);
    k.rows[1] = a.template allocate<T>(count * s.experts_per_token * s.d_ff);
    k.place = a.template allocate<std::uint32_t>(count * s.experts);
    k.paired = a.template allocate<T>(count * larger(s.d_model, s.d_ff));
    return k;
  }

  /// Notes where the picks of `count` rows are; `r` is how they were chosen when the rows were kept.
  constexpr void note(const decoder_shape& s, std::size_t count, const routing<T>& r) const {
    for (std::size_t i = 0; i < count * s.experts; ++i) place[i] = 0;
    for (std::size_t i = 0; i < count * s.experts_per_token; ++i) {
      const std::size_t pick = r.order[i];
      place[pick / s.experts_per_token * s.experts + r.experts[pick]] = static_cast<std::uint32_t>(i + 1);
    }
  }
};

/// One expert's matrix, whose inputs are looked at on their way into the product.
template <matrix_view View, class T>
struct observed_expert {
  using format = typename View::format;  ///< how the matrix is stored
  observed_matrix<View, T> seen;         ///< the matrix; no rows of an exact model
  const decoder_shape& shape;            ///< the model's sizes
  std::size_t expert;                    ///< which one it is
  const routing<T>& routed;              ///< which rows take it
  const kept_picks<T>* exact;            ///< what the exact model has there; or nullptr
  std::size_t which;                     ///< of kept_picks::rows
};

/// As every linear(): y = x W^T + terms; x is added to the statistics before. Where the exact model sends a row to
/// other experts, nothing is known of how far it moved.
template <class Backend, executor E, class View, class T, class Workspace>
constexpr void linear(Backend backend, E& exec, std::size_t m, const T* x, const observed_expert<View, T>& w,
                      const linear_terms<T>& terms, T* y, Workspace& ws) {
  auto seen = w.seen;
  if (w.exact != nullptr) {
    const std::size_t n = seen.matrix.cols, first = w.routed.first[w.expert];
    parallel_for(exec, m, 16, [&](std::size_t begin, std::size_t count, std::size_t) {
      for (std::size_t i = begin; i < begin + count; ++i) {
        const std::size_t row = w.routed.order[first + i] / w.shape.experts_per_token;
        const std::size_t place = w.exact->place[row * w.shape.experts + w.expert];
        const T* const from = place == 0 ? x + i * n : w.exact->rows[w.which] + (place - 1) * n;
        for (std::size_t j = 0; j < n; ++j) w.exact->paired[i * n + j] = from[j];
      }
    });
    seen.exact = w.exact->paired;
  }
  linear(backend, exec, m, x, seen, terms, y, ws);
}

}}  // namespace ctlm
