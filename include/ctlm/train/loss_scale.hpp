// SPDX-License-Identifier: MIT
// ctlm: dynamic loss scaling (Micikevicius et al. 2018, "Mixed Precision Training"), for products in f16, whose
// smallest number is 6e-8: the loss is multiplied by S, so that gradients on their way back are large enough, and they
// are divided by S before anything else is done with them. S is a power of two, so that neither rounds.
#pragma once

#include "../model/kernel_context.hpp"
#include "../policy/options.hpp"
#include "options.hpp"

#include <bit>

namespace ctlm { inline namespace CTLM_ABI {

/// How S changes: `options.scaling` of a trainer with compute<f16>. All but `interval` are powers of two. As PyTorch's
/// GradScaler has them.
struct loss_scaling {
  float start = 65536;          ///< S of the first step; 2^-32 to 2^32, which S never leaves
  float growth = 2;             ///< what S is multiplied by after `interval` steps in a row that were not skipped
  float backoff = 0.5f;         ///< what S is multiplied by after a step that was skipped
  std::size_t interval = 2000;  ///< steps in a row; at least 1
};

/// What step() of a trainer with compute<f16> returns.
struct scaled_step_result : step_result {
  float loss_scale = 1;  ///< what this step's loss was multiplied by; a step that was skipped makes it smaller
};

namespace loss_scale_detail {

inline constexpr float smallest = 0x1p-32f, largest = 0x1p32f;

/// Whether x is a power of two that is not subnormal.
constexpr bool power_of_two(float x) {
  return x >= smallest && x <= largest && (std::bit_cast<std::uint32_t>(x) & 0x7FFFFF) == 0;
}

}  // namespace loss_scale_detail

/// S of a run, and what it will do next. A checkpoint keeps these bytes.
struct loss_scale {
  using options = loss_scaling;         ///< what the run is told
  using result = scaled_step_result;    ///< what a step says
  static constexpr bool scales = true;  ///< whether there is a scale

  float value = 1;            ///< S
  std::uint32_t good = 0;     ///< steps since it changed, none of which was skipped
  std::uint32_t skipped = 0;  ///< steps of the run that were skipped

  /// Refuses factors that are no powers of two, or lead the wrong way.
  static constexpr failure problem_of(const options& o) {
    using loss_scale_detail::power_of_two;
    return first_problem(option_problem(power_of_two(o.start), "ctlm: {name} must be a power of two from 2^-32 to 2^32",
                                        "scaling.start"),
                         option_problem(power_of_two(o.growth) && o.growth >= 1,
                                        "ctlm: {name} must be a power of two of at least 1", "scaling.growth"),
                         option_problem(power_of_two(o.backoff) && o.backoff <= 1,
                                        "ctlm: {name} must be a power of two of at most 1", "scaling.backoff"),
                         some_steps(o.interval, "scaling.interval"));
  }
  /// Before the first step.
  constexpr void begin(const options& o) { *this = {o.start, 0, 0}; }
  /// After a step: `finite` says whether its numbers were.
  constexpr void follow(const options& o, bool finite) {
    if (finite && ++good < o.interval) return;
    skipped += !finite;
    good = 0;
    const float next = value * (finite ? o.growth : o.backoff);
    value = math::max(math::min(next, loss_scale_detail::largest), loss_scale_detail::smallest);
  }
  /// Gradients of S times the loss become those of the loss.
  template <class M, class Context>
  constexpr void divide(Context& c, const typename M::weights& gradients) const {
    using real = typename M::real;
    const real factor = real(1) / static_cast<real>(value);
    for (const tensor_info& t : M::tensors) {
      real* const g = gradients.numbers(t).data();
      parallel_for(*c.exec, t.size(), 16384, [&](std::size_t first, std::size_t n, std::size_t) {
        elementwise(
            c.backend, n, [=](auto& x) { x *= factor; }, g + first);
      });
    }
  }
};
static_assert(sizeof(loss_scale) == 12);

/// In its place where gradients are in single precision all the way.
struct no_loss_scale {
  using options = no_scaling_options;    ///< none
  using result = step_result;            ///< what a step says
  static constexpr bool scales = false;  ///< whether there is a scale
};

}}  // namespace ctlm
