// SPDX-License-Identifier: MIT
// ctlm: quantisation-aware training: the forward and backward passes see the weights as format F will store them; the
// update goes to the full ones, as if rounding had a slope of one (straight-through: Bengio, Leonard, Courville 2013).
// The scales of integer formats learn as well (Esser et al. 2020).
#pragma once

#include "../model/weights.hpp"
#include "../policy/optimizer/optimizer.hpp"
#include "../policy/slots.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Slot of a trainer: the format that its weights will be converted to afterwards.
template <format F>
using trained_for = slot<slot_kind::trained_for, F>;

/// The weights that the passes of a trainer use. There are three kinds. This one: the trained weights themselves. The
/// next, where F is another floating point format: their image in that format, in which the products read it. The last,
/// where F is an integer format: their decoded image, beside the integers themselves and their learned scales.
template <class M, class F, class Optimizer>
class weights_in_use {
  using weights = typename M::weights;

 public:
  using format = typename weights::format;      ///< how the products find the matrices stored
  static constexpr bool matrices_learn = true;  ///< as gains and biases do

  /// Asks an arena for the image and the state of the scales.
  template <class A>
  constexpr void place(A&) {}
  /// Makes the image again from the trained weights, before a step's passes; `step` is the number of updates so far.
  template <class E>
  constexpr void refresh(const weights&, std::size_t, E&) {}
  /// What the passes use, given the trained weights.
  constexpr const weights& of(const weights& trained) const { return trained; }
  /// Updates what is learned besides the weights: the scales.
  template <class E>
  constexpr void learn(const weights&, const weights&, const typename Optimizer::options&, const update&, E&) {}
  /// f(name, data, bytes) for everything that a checkpoint must keep.
  template <class Visit>
  void for_each_state(Visit&&) {}
};

/// The weights rounded to F, another floating point format.
template <class M, class F, class Optimizer>
requires(plain_format<F> && !std::same_as<F, typename M::weight_format>) class weights_in_use<M, F, Optimizer>
    : public weights_in_use<M, typename M::weight_format, Optimizer> {
  using weights = typename M::weights;
  using image = weight_views<typename M::shape_type, F>;
  static_assert(std::same_as<typename F::compute, typename M::real>,
                "ctlm: trained_for<> computes in other numbers than weights<>");

 public:
  using format = F;

  template <class A>
  constexpr void place(A& a) {
    image_.place(a);
  }
  template <class E>
  constexpr void refresh(const weights& trained, std::size_t, E& exec) {
    for (const tensor_info& t : M::tensors) {
      const std::size_t i = t.index();
      if (!t.is_matrix())
        for (std::size_t j = 0; j < t.size(); ++j) image_.raw_vector(i)[j] = trained.raw_vector(i)[j];
      else
        parallel_for(exec, t.layers * t.rows, larger(1, 8192 / t.cols),
                     [&](std::size_t first, std::size_t n, std::size_t) {
                       for (std::size_t r = first; r < first + n; ++r)
                         F::encode(image_.raw_matrix(i), r, trained.raw_matrix(i).data + r * t.cols);
                     });
    }
  }
  constexpr const image& of(const weights&) const { return image_; }

 private:
  image image_{};
};

/// The weights as integers with learned scales, and decoded again for the passes.
template <class M, class F, class Optimizer>
requires quantised_format<F>
class weights_in_use<M, F, Optimizer> {
  using weights = typename M::weights;
  using real = typename M::real;
  static_assert(std::same_as<typename F::compute, real>,
                "ctlm: trained_for<> computes in other numbers than weights<>");
  static_assert(
      elementwise_optimizer<Optimizer>,
      "ctlm: trained_for<> an integer format learns scales, which needs an optimizer of single weights: adamw, "
      "adam, sgd, rmsprop, lion");

 public:
  using format = typename weights::format;
  static constexpr bool matrices_learn = true;
  using quantised = weight_views<typename M::shape_type, F>;
  using layout = typename quantised::format;

  template <class A>
  constexpr void place(A& a) {
    image_.place(a);
    codes_.place(a);
    for (real** p : {&scales_, &gradients_, &changes_}) *p = a.template allocate<real>(scale_count());
    for (std::size_t i = 0; i < Optimizer::moments; ++i) moments_[i] = a.template allocate<real>(scale_count());
  }

  /// Rounds all matrices; vectors are not quantised, and copied. Before the first step the scales are fitted to the
  /// weights. From then on they are parameters that learn() updates, and here they are only read.
  template <class E>
  constexpr void refresh(const weights& trained, std::size_t step, E& exec) {
    for_each_matrix(exec, [&](const tensor_info& t, std::size_t r, std::size_t s) {
      const std::size_t i = t.index();
      const auto& codes = codes_.raw_matrix(i);
      const real* row = trained.raw_matrix(i).data + r * t.cols;
      auto scale = [&](std::size_t g) -> auto& { return codes.scales[layout::scale_index(codes, r, g)]; };
      real* const image = image_.raw_matrix(i).data + r * t.cols;
      if (step == 0) {
        for (std::size_t j = 0; j < t.cols; ++j) image[j] = 1;  // plain squares, from which learning gets further
        layout::encode(codes, r, row, static_cast<const real*>(image));
        for (std::size_t g = 0; g < F::groups(t.cols); ++g) scales_[s + g] = F::scale_format::scale(scale(g));
      } else {
        for (std::size_t g = 0; g < F::groups(t.cols); ++g) scale(g) = F::scale_format::of(scales_[s + g]);
        layout::round(codes, r, row);
      }
      layout::decode(codes, r, 0, t.cols, image);
    });
    for (const tensor_info& t : M::tensors) {
      const std::size_t i = t.index();
      if (!t.is_matrix())
        for (std::size_t j = 0; j < t.size(); ++j)
          codes_.raw_vector(i)[j] = image_.raw_vector(i)[j] = trained.raw_vector(i)[j];
    }
  }
  constexpr const weights& of(const weights&) const { return image_; }
  constexpr const quantised& codes() const { return codes_; }

  /// Updates the scales from the gradients that the passes left. What is updated is the logarithm of each scale, so
  /// that one learning rate suits large weights and small ones. The rate is lr * scale_rate: with AdamW, an update by
  /// lr changes a typical weight by a few lr of its own size, and a scale would change more slowly than the weights
  /// that it scales. Its gradient is a sum over a whole group, which is why it may change faster.
  template <class E>
  constexpr void learn(const weights& trained, const weights& gradients, const typename Optimizer::options& o, update u,
                       E& exec) {
    u.lr *= scale_rate;
    u.decay = false;
    for_each_matrix(exec, [&](const tensor_info& t, std::size_t r, std::size_t s) {
      const std::size_t i = t.index();
      if (gradients.raw_matrix(i).data == nullptr) return;  // nothing is learned from it
      const std::size_t groups = F::groups(t.cols);
      for (std::size_t g = 0; g < groups; ++g) {
        changes_[s + g] = 0;
        gradients_[s + g] = scale_gradient(codes_.raw_matrix(i), r, g, trained.raw_matrix(i).data + r * t.cols,
                                           gradients.raw_matrix(i).data + r * t.cols);
      }
      real* moments[Optimizer::moments + 1]{};
      for (std::size_t m = 0; m < Optimizer::moments; ++m) moments[m] = moments_[m] + s;
      Optimizer::apply(portable{}, groups, changes_ + s, static_cast<const real*>(gradients_ + s), moments, o, u);
      for (std::size_t g = 0; g < groups; ++g) scales_[s + g] *= math::exp(changes_[s + g]);
    });
  }

  template <class Visit>
  void for_each_state(Visit&& f) {
    constexpr const char* names[] = {"scale moment1", "scale moment2", "scale moment3"};
    f("integers", static_cast<void*>(codes_.bytes().data()), codes_.bytes().size());
    f("scales", static_cast<void*>(scales_), scale_count() * sizeof(real));
    for (std::size_t i = 0; i < Optimizer::moments; ++i)
      f(names[i], static_cast<void*>(moments_[i]), scale_count() * sizeof(real));
  }

 private:
  static constexpr double scale_rate = 10;

  static constexpr std::size_t scale_count() {
    std::size_t n = 0;
    for (const tensor_info& t : M::tensors)
      if (t.is_matrix()) n += t.layers * t.rows * F::groups(t.cols);
    return n;
  }

  /// f(tensor, row, index of the row's first scale) for every row of every matrix.
  template <class E, class Row>
  static constexpr void for_each_matrix(E& exec, Row&& f) {
    std::size_t base = 0;
    for (const tensor_info& t : M::tensors) {
      if (!t.is_matrix()) continue;
      parallel_for(exec, t.layers * t.rows, larger(1, 4096 / t.cols),
                   [&](std::size_t first, std::size_t n, std::size_t) {
                     for (std::size_t r = first; r < first + n; ++r) f(t, r, base + r * F::groups(t.cols));
                   });
      base += t.layers * t.rows * F::groups(t.cols);
    }
  }

  /// The derivative of the loss by log(scale) of one group. A weight that was rounded contributes its rounding error,
  /// one that was cut off at the end of the range its code.
  static constexpr real scale_gradient(const matrix<const layout>& m, std::size_t row, std::size_t group, const real* w,
                                       const real* gradient) {
    const std::size_t index = layout::scale_index(m, row, group), size = F::group_size(m.cols);
    const real scale = F::scale_format::scale(m.scales[index]);
    if (scale == real(0)) return 0;
    const real base = layout::base_of(m, index, scale);
    const real at_zero = F::compact ? -base / scale : F::has_min ? real(0) : F::zero;
    real total = 0;
    for (std::size_t j = group * size; j < smaller((group + 1) * size, m.cols); ++j) {
      const auto code = static_cast<real>(layout::get(m, row, j));
      const real exact = (w[j] - base) / scale;
      const bool cut = exact < real(F::lowest) - real(0.5) || exact > real(F::highest) + real(0.5);
      total += gradient[j] * (cut ? code - at_zero : code - exact);
    }
    return total * scale;
  }

  weights image_{};
  quantised codes_{};
  real* scales_ = nullptr;     // [groups of all matrices], in the order of the table
  real* gradients_ = nullptr;  // [groups]
  real* changes_ = nullptr;    // [groups]
  real* moments_[larger(1, Optimizer::moments)]{};
};

}}  // namespace ctlm
