// SPDX-License-Identifier: MIT
// ctlm: ranks that fall while a model with factored projections learns: by a schedule, or by how much of the sum of
// squares the strongest directions have. What is dropped costs nothing from then on. Not part of <ctlm/ctlm.hpp>.
#pragma once

#include "trainer.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// A rank that falls evenly from `first` to `last` between two steps.
struct rank_schedule {
  std::size_t first = 1;  ///< before step `from`, and at it
  std::size_t last = 1;   ///< from step `to` on; at most `first`
  std::size_t from = 0;   ///< the step from which it falls
  std::size_t to = 0;     ///< the step at which it has fallen

  /// The rank of a step.
  constexpr std::size_t at(std::size_t step) const {
    if (step >= to) return last;
    if (step <= from) return first;
    return first - (first - last) * (step - from) / (to - from);
  }
};

namespace narrow_detail {

/// f(weights) for all numbers of a trainer that are laid out as its weights are: these, and the optimizer's.
template <class T, class F>
void for_each_copy(T& t, F&& f) {
  using weights = typename T::model::weights;
  t.for_each_state([&](const char* name, void* data, std::size_t bytes) {
    const bool is_copy = __builtin_strcmp(name, "weights") == 0 || __builtin_strncmp(name, "moment", 6) == 0;
    if (is_copy) f(weights::bind({static_cast<std::byte*>(data), bytes}).value());
  });
}

/// The share of direction r: the square of the length of diag(d) u_r s_r v_r.
template <class W>
double energy_of(const W& w, std::size_t r) {
  double left = 0, right = 0;
  for (std::size_t j = 0; j < w.u.rows; ++j) {
    const auto x = static_cast<double>(w.d[j]) * static_cast<double>(w.u.data[j * w.u.cols + r]);
    left += x * x;
  }
  for (std::size_t i = 0; i < w.v.cols; ++i) {
    const auto x = static_cast<double>(w.v.data[r * w.v.cols + i]);
    right += x * x;
  }
  return left * right * static_cast<double>(w.s[r]) * static_cast<double>(w.s[r]);
}

template <class W>
void exchange(const W& w, std::size_t a, std::size_t b) {
  const auto two = [](auto& x, auto& y) {
    const auto z = x;
    x = y;
    y = z;
  };
  for (std::size_t j = 0; j < w.u.rows; ++j) two(w.u.data[j * w.u.cols + a], w.u.data[j * w.u.cols + b]);
  for (std::size_t i = 0; i < w.v.cols; ++i) two(w.v.data[a * w.v.cols + i], w.v.data[b * w.v.cols + i]);
  two(w.s[a], w.s[b]);
}

template <class W>
void clear_from(const W& w, std::size_t rank) {
  for (std::size_t r = rank; r < w.u.cols; ++r) {
    for (std::size_t j = 0; j < w.u.rows; ++j) w.u.data[j * w.u.cols + r] = 0;
    for (std::size_t i = 0; i < w.v.cols; ++i) w.v.data[r * w.v.cols + i] = 0;
    w.s[r] = 0;
  }
}

template <class T>
typename T::model::weights weights_of(T& t) {
  typename T::model::weights found;
  for_each_copy(t, [&, first = true](const auto& w) mutable {
    if (first) found = w;
    first = false;
  });
  return found;
}

/// The strongest `rank` directions first, in falling order; the others become zeros.
template <tensor_id id, class T>
void cut(T& t, std::size_t layer, std::size_t rank) {
  const auto w = weights_of(t).template matrix_of<id>(layer);
  const std::size_t active = t.rank(id, layer);
  for (std::size_t i = 0; i < rank; ++i) {
    std::size_t best = i;
    double most = energy_of(w, i);
    for (std::size_t r = i + 1; r < active; ++r)
      if (const double e = energy_of(w, r); e > most) {
        most = e;
        best = r;
      }
    if (best != i) for_each_copy(t, [&](const auto& copy) { exchange(copy.template matrix_of<id>(layer), i, best); });
  }
  for_each_copy(t, [&](const auto& copy) { clear_from(copy.template matrix_of<id>(layer), rank); });
  t.set_rank(id, layer, rank);
}

/// The least rank at which the strongest directions have this share of all; the rest counts as if all were orthogonal.
template <tensor_id id, class T>
std::size_t rank_with(T& t, std::size_t layer, double share) {
  const auto w = weights_of(t).template matrix_of<id>(layer);
  const std::size_t active = t.rank(id, layer);
  double energies[T::shape.d_model + T::shape.d_ff]{};  // a rank is below the rows or the columns
  double all = 0;
  for (std::size_t r = 0; r < active; ++r) all += energies[r] = energy_of(w, r);
  double found = 0;
  std::size_t rank = 0;
  while (rank < active && (rank == 0 || found < share * all)) {
    std::size_t best = 0;
    for (std::size_t r = 1; r < active; ++r)
      if (energies[r] > energies[best]) best = r;
    found += energies[best];
    energies[best] = -1;
    ++rank;
  }
  return rank;
}

/// f.operator()<id>() for all projections that are factored.
template <class M, class F>
void for_each_projection(F&& f) {
  using id = tensor_id;
  if constexpr (rank_of(M::shape, id::qkv_weight) > 0) f.template operator()<id::qkv_weight>();
  if constexpr (rank_of(M::shape, id::out_weight) > 0) f.template operator()<id::out_weight>();
  if constexpr (rank_of(M::shape, id::up_weight) > 0) f.template operator()<id::up_weight>();
  if constexpr (rank_of(M::shape, id::down_weight) > 0) f.template operator()<id::down_weight>();
}

}  // namespace narrow_detail

/// Between steps: at most `rank` directions of each factored projection of the trainer's model count from now on, the
/// strongest, and the others become zeros, in the weights and in the optimizer's state. Ranks only fall: a higher one
/// changes nothing. Raises errc::invalid_argument for a rank of 0.
template <class T>
void narrow(T& t, std::size_t rank) {
  using optimizer_is_elementwise = typename T::elementwise;
  static_assert(optimizer_is_elementwise::value,
                "ctlm: narrow() needs an optimizer of single weights: adamw, adam, sgd, rmsprop, lion");
  check(rank > 0, errc::invalid_argument, "ctlm: narrow: a rank must be at least 1, not 0");
  narrow_detail::for_each_projection<typename T::model>([&]<tensor_id id>() {
    for (std::size_t l = 0; l < T::shape.layers; ++l)
      if (rank < t.rank(id, l)) narrow_detail::cut<id>(t, l, rank);
  });
}

/// The same with a rank for each matrix: the least at which its strongest directions have `share` of the sum of squares
/// of all (as if directions were orthogonal, as they are right after factorise_weights), and `least` at least. Raises
/// errc::invalid_argument for a share that is not above 0 and at most 1.
template <class T>
void narrow_by_energy(T& t, double share, std::size_t least = 1) {
  check(share > 0 && share <= 1, errc::invalid_argument,
        "ctlm: narrow_by_energy: the share must be above 0 and at most 1");
  narrow_detail::for_each_projection<typename T::model>([&]<tensor_id id>() {
    for (std::size_t l = 0; l < T::shape.layers; ++l) {
      const std::size_t rank = larger(larger(1, least), narrow_detail::rank_with<id>(t, l, share));
      if (rank < t.rank(id, l)) narrow_detail::cut<id>(t, l, rank);
    }
  });
}

}}  // namespace ctlm
