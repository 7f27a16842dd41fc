// SPDX-License-Identifier: MIT
// ctlm: quantisation-aware training with straight-through gradients (Bengio, Leonard, Courville 2013; Jacob et al.
// 2018): the forward and backward passes see the weights as format F will store them; the update goes to the full ones,
// as if rounding had a slope of one.
#pragma once

#include "../model/quantise.hpp"
#include "../policy/slots.hpp"

namespace ctlm::inline CTLM_ABI {

/// Slot of a trainer: the format that its weights will be converted to afterwards.
template <format F>
using trained_for = slot<slot_kind::trained_for, F>;

/// The weights that the passes use: the trained ones themselves...
template <class M, class F>
class weights_in_use {
 public:
  template <class A>
  constexpr void place(A&) {}
  template <class E>
  constexpr void refresh(const typename M::weights&, E&) {}
  constexpr const typename M::weights& of(const typename M::weights& trained) const { return trained; }
};

/// ...or their rounded image, kept beside them.
template <class M, class F>
requires(!std::same_as<F, typename M::weight_format>) class weights_in_use<M, F> {
  using real = typename M::real;
  static_assert(std::same_as<typename F::compute, real>,
                "ctlm: trained_for<> computes in other numbers than weights<>");

 public:
  template <class A>
  constexpr void place(A& a) {
    image_.place(a);
    for (auto& row : rows_) row = F::place(a, 1, longest_row(M::tensors));
  }

  /// Rounds all matrices; vectors are not quantised, and copied.
  template <class E>
  constexpr void refresh(const typename M::weights& trained, E& exec) {
    for (const tensor_info& t : M::tensors) {
      const auto i = static_cast<std::size_t>(t.id);
      if (t.kind == tensor_kind::vector) {
        for (std::size_t j = 0; j < t.size(); ++j) image_.raw_vector(i)[j] = trained.raw_vector(i)[j];
        continue;
      }
      const real* from = trained.raw_matrix(i).data;
      real* to = image_.raw_matrix(i).data;
      parallel_for(exec, t.layers * t.rows, larger(1, 4096 / t.cols),
                   [&](std::size_t first, std::size_t n, std::size_t worker) {
                     auto row = rows_[worker];
                     row.cols = t.cols;
                     for (std::size_t r = first; r < first + n; ++r) {
                       F::encode(row, 0, from + r * t.cols);
                       F::decode(row, 0, 0, t.cols, to + r * t.cols);
                     }
                   });
    }
  }
  constexpr const typename M::weights& of(const typename M::weights&) const { return image_; }

 private:
  typename M::weights image_{};
  matrix<F> rows_[M::executor_policy::max_workers]{};
};

}  // namespace ctlm::inline CTLM_ABI
