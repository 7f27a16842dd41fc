// SPDX-License-Identifier: MIT
// ctlm: run-time options that cannot be computed with, refused in words before the first step.
//
// A policy may say what is wrong with its options: `static constexpr failure problem_of(const options&)`, whose code is
// errc::ok if nothing is. Policies without it take everything.
#pragma once

#include "../core/math.hpp"
#include "../core/result.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// What is wrong with the options of policy P.
template <class P>
constexpr failure options_problem(const typename P::options& o) {
  if constexpr (requires { P::problem_of(o); })
    return P::problem_of(o);
  else
    return {};
}

/// No failure if the rule `holds`, else errc::invalid_argument with the words `what`; `name` is the option's.
constexpr failure option_problem(bool holds, const char* what, const char* name) {
  if (holds) return {};
  failure f{errc::invalid_argument, what};
  f.name = name;
  return f;
}
/// What is wrong with x where it must be finite and at least 0.
constexpr failure not_negative(double x, const char* name) {
  return option_problem(x >= 0 && math::isfinite(x), "ctlm: {name} must be a finite number of at least 0", name);
}
/// What is wrong with x where it must be finite and above 0.
constexpr failure positive(double x, const char* name) {
  return option_problem(x > 0 && math::isfinite(x), "ctlm: {name} must be a finite number above 0", name);
}
/// What is wrong with x where it must be at least 0 and less than 1.
constexpr failure below_one(double x, const char* name) {
  return option_problem(x >= 0 && x < 1, "ctlm: {name} must be at least 0 and less than 1", name);
}
/// What is wrong with a number of steps that must be at least 1.
constexpr failure some_steps(std::size_t n, const char* name) {
  return option_problem(n > 0, "ctlm: {name} must be at least 1 step, not 0", name);
}

/// The first of several that is a failure; none if all are errc::ok.
template <class... F>
constexpr failure first_problem(const F&... problems) {
  failure first;
  ((first.code == errc::ok ? static_cast<void>(first = problems) : static_cast<void>(0)), ...);
  return first;
}

/// The same for policies with several options, in a fraction of the code: rules one after the other, of which the first
/// that does not hold stays: `return option_rules().not_negative(o.lr, "optimizer.lr").below_one(o.beta, "beta");`
class option_rules {
 public:
  /// A rule in words of its own.
  CTLM_NOINLINE constexpr option_rules& rule(bool holds, const char* what, const char* name) {
    if (first_.code != errc::ok || holds) return *this;
    first_.code = errc::invalid_argument;
    first_.what = what;
    first_.name = name;
    return *this;
  }
  /// x must be finite and at least 0.
  CTLM_NOINLINE constexpr option_rules& not_negative(float x, const char* name) {
    return rule(x >= 0 && math::isfinite(x), "ctlm: {name} must be a finite number of at least 0", name);
  }
  /// x must be finite and above 0.
  CTLM_NOINLINE constexpr option_rules& positive(float x, const char* name) {
    return rule(x > 0 && math::isfinite(x), "ctlm: {name} must be a finite number above 0", name);
  }
  /// x must be at least 0 and less than 1.
  CTLM_NOINLINE constexpr option_rules& below_one(float x, const char* name) {
    return rule(x >= 0 && x < 1, "ctlm: {name} must be at least 0 and less than 1", name);
  }
  constexpr operator const failure&() const { return first_; }
  /// Raises the first that does not hold.
  constexpr void require() const {
    if (first_.code != errc::ok) raise(first_);
  }

 private:
  failure first_{};
};

}}  // namespace ctlm
