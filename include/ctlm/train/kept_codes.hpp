// SPDX-License-Identifier: MIT
// ctlm: a model in few bits whose codes stay as they are, while the scales of its groups learn, and its gains and
// biases with them.
#pragma once

#include "quantisation_aware.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// In the place of a format, for weights_in_use: weights are those of a model in format F that is there already.
template <class F>
struct kept_codes {};

/// The passes see what codes and scales stand for: these numbers lie in the place of the trained matrices, so that
/// nothing else is needed in memory for them.
template <class M, class F, class Optimizer>
class weights_in_use<M, kept_codes<F>, Optimizer> {
  using weights = typename M::weights;
  using real = typename M::real;

 public:
  using format = typename weights::format;
  using rounded = weight_views<typename M::shape_type, F>;  ///< codes, scales, gains and biases
  static constexpr bool matrices_learn = false;             ///< their numbers follow from codes and scales

  /// The share of the learning rate that the logarithms of scales have; 0: they stay.
  double scale_rate = 1;

  template <class A>
  constexpr void place(A& a) {
    for (real** p : {&scales_, &gradients_, &changes_}) *p = a.template allocate<real>(scale_count());
    for (std::size_t i = 0; i < Optimizer::moments; ++i) moments_[i] = a.template allocate<real>(scale_count());
  }

  /// The model, whose scales change in place; gains and biases go to `trained`, where they learn.
  template <class E>
  constexpr void begin(const rounded& model, const weights& trained, E& exec) {
    model_ = model;
    for (const tensor_info& t : M::tensors)
      if (!t.is_matrix())
        for (std::size_t j = 0; j < t.size(); ++j) trained.raw_vector(t.index())[j] = model.raw_vector(t.index())[j];
    for_each_row(exec, [&](const auto& m, const tensor_info&, std::size_t, std::size_t r, std::size_t s) {
      using layout = typename std::remove_cvref_t<decltype(m)>::format;
      if constexpr (quantised_format<layout>)
        for (std::size_t g = 0; g < layout::groups(m.cols); ++g)
          scales_[s + g] = layout::numbers::scale_format::scale(m.scales[layout::scale_index(m, r, g)]);
    });
  }

  /// What codes and scales stand for, to the trained matrices.
  template <class E>
  constexpr void refresh(const weights& trained, std::size_t, E& exec) {
    for_each_row(exec, [&](const auto& m, const tensor_info& t, std::size_t layer, std::size_t r, std::size_t) {
      using layout = typename std::remove_cvref_t<decltype(m)>::format;
      layout::decode(m, r, 0, m.cols, row_of(trained, t, layer, r));
    });
  }
  constexpr const weights& of(const weights& trained) const { return trained; }

  /// Updates the logarithm of each scale, as trained_for<> does, and writes the scales into the model.
  template <class E>
  constexpr void learn(const weights& trained, const weights& gradients, const typename Optimizer::options& o, update u,
                       E& exec) {
    u.lr *= scale_rate;
    u.decay = false;
    if (scale_rate == 0) return;
    for_each_row(exec, [&](const auto& m, const tensor_info& t, std::size_t layer, std::size_t r, std::size_t s) {
      using layout = typename std::remove_cvref_t<decltype(m)>::format;
      if constexpr (quantised_format<layout>) {
        const std::size_t groups = layout::groups(m.cols);
        for (std::size_t g = 0; g < groups; ++g) {
          changes_[s + g] = 0;
          gradients_[s + g] = scale_gradient(m, r, g, row_of(trained, t, layer, r), row_of(gradients, t, layer, r));
        }
        real* moments[Optimizer::moments + 1]{};
        for (std::size_t i = 0; i < Optimizer::moments; ++i) moments[i] = moments_[i] + s;
        Optimizer::apply(portable{}, groups, changes_ + s, static_cast<const real*>(gradients_ + s), moments, o, u);
        for (std::size_t g = 0; g < groups; ++g) {
          scales_[s + g] *= math::exp(changes_[s + g]);
          m.scales[layout::scale_index(m, r, g)] = layout::numbers::scale_format::of(scales_[s + g]);
        }
      }
    });
  }
  /// Gains and biases, as they are by now, into the model.
  constexpr void store(const weights& trained) const {
    for (const tensor_info& t : M::tensors)
      if (!t.is_matrix())
        for (std::size_t j = 0; j < t.size(); ++j) model_.raw_vector(t.index())[j] = trained.raw_vector(t.index())[j];
  }

  template <class Visit>
  void for_each_state(Visit&& f) {
    constexpr const char* names[] = {"scale moment1", "scale moment2", "scale moment3"};
    f("scales", static_cast<void*>(scales_), scale_count() * sizeof(real));
    for (std::size_t i = 0; i < Optimizer::moments; ++i)
      f(names[i], static_cast<void*>(moments_[i]), scale_count() * sizeof(real));
  }

 private:
  /// Groups of a row in the format that has most of them.
  static constexpr std::size_t most_groups(std::size_t cols) {
    using stored_as = typename rounded::format;
    std::size_t most = 0;
    auto look = [&]<class G>() {
      if constexpr (quantised_format<G>) most = larger(most, G::groups(cols));
    };
    if constexpr (mixed_format<stored_as>)
      mixed_detail::each<typename stored_as::formats, mixed_detail::views<true>>::for_each(look);
    else
      look.template operator()<stored_as>();
    return most;
  }
  static constexpr std::size_t scale_count() {
    std::size_t n = 0;
    for (const tensor_info& t : M::tensors)
      if (t.is_matrix()) n += t.layers * t.rows * most_groups(t.cols);
    return n;
  }
  static constexpr real* row_of(const weights& w, const tensor_info& t, std::size_t layer, std::size_t row) {
    return w.raw_matrix(t.index()).data + (layer * t.rows + row) * t.cols;
  }

  /// f(matrix, tensor, layer, row, index of the row's first scale) for every row of every matrix.
  template <class E, class Row>
  constexpr void for_each_row(E& exec, Row&& f) const {
    std::size_t base = 0;
    for (const tensor_info& t : M::tensors) {
      if (!t.is_matrix()) continue;
      const std::size_t groups = most_groups(t.cols);
      for (std::size_t layer = 0; layer < t.layers; ++layer, base += t.rows * groups)
        in_format(model_.matrix_of(t.id, layer), [&](const auto& m) {
          parallel_for(exec, t.rows, larger(16, 4096 / t.cols), [&](std::size_t first, std::size_t n, std::size_t) {
            for (std::size_t r = first; r < first + n; ++r) f(m, t, layer, r, base + r * groups);
          });
        });
    }
  }
  template <class View, class F2>
  static constexpr void in_format(const View& m, F2&& f) {
    if constexpr (mixed_format<typename View::format>)
      m.visit(f);
    else
      f(m);
  }

  /// The derivative of the loss by log(scale) of one group: of numbers code * scale + base, where the base follows from
  /// the scale unless it is stored by itself.
  template <class View>
  static constexpr real scale_gradient(const View& m, std::size_t row, std::size_t group, const real* w,
                                       const real* gradient) {
    using layout = typename View::format;
    using numbers = typename layout::numbers;
    const std::size_t size = numbers::group_size(m.cols), index = layout::scale_index(m, row, group);
    real base = 0;
    if constexpr (numbers::has_min && !numbers::compact)
      base = layout::base_of(m, index, numbers::scale_format::scale(m.scales[index]));
    real total = 0;
    for (std::size_t j = group * size; j < smaller((group + 1) * size, m.cols); ++j)
      total += gradient[j] * (w[j] - base);
    return total;
  }

  rounded model_{};
  real* scales_ = nullptr;     // [groups of all matrices], in the order of the table
  real* gradients_ = nullptr;  // [groups]
  real* changes_ = nullptr;    // [groups]
  real* moments_[larger(1, Optimizer::moments)]{};
};

}}  // namespace ctlm
