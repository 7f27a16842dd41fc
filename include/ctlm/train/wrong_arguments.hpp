// SPDX-License-Identifier: MIT
// ctlm: constructors of a trainer that exist to say in words why their arguments do not fit.
#pragma once

#include "../model/arguments.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// A trainer inherits these: none of them compiles, and each says why.
template <class M, class Options>
class wrong_trainer_arguments {
  struct nothing {};  // a parameter of their own: Clang 14 would hide constructors that differ in constraints alone

 public:
  /// Each of these takes arguments that do not fit, and is an error at compile time that says why.
  template <arena A>
  requires(!arguments::may_lack_executor<M>) constexpr wrong_trainer_arguments(A&, const Options&, nothing = {}) {
    arguments::no_executor<A>();
  }
  template <arena A, arena S>
  requires(!arguments::may_lack_executor<M>) constexpr wrong_trainer_arguments(A&, S&, const Options&, nothing = {}) {
    arguments::no_executor<A>();
  }
  template <arena A, class X>
  requires(!arguments::is_executor_of<M, X>) constexpr wrong_trainer_arguments(A&, const Options&, X&) {
    arguments::other_executor<X>();
  }
  template <arena A, arena S, class X>
  requires(!arguments::is_executor_of<M, X>) constexpr wrong_trainer_arguments(A&, S&, const Options&, X&) {
    arguments::other_executor<X>();
  }
  template <class A, class X>
  requires(!(arena<A> && arena<X>)) constexpr wrong_trainer_arguments(A&, X&, const Options&, nothing = {}) {
    arguments::not_a_trainers<A>();
  }
  template <class A, class X>
  requires(!(arena<A> && std::is_convertible_v<X&, const Options&>)) constexpr wrong_trainer_arguments(A&, X&) {
    arguments::not_a_trainers<A>();
  }
  template <class A, class... X>
  constexpr wrong_trainer_arguments(const Options&, A&, X&...) {
    arguments::not_a_trainers<A>();
  }

 protected:
  constexpr wrong_trainer_arguments() = default;
};

/// The same of a trainer with train_only<>.
template <class M, class Options>
class wrong_part_arguments {
 public:
  /// Says that the weights are missing.
  template <arena A, class... X>
  constexpr wrong_part_arguments(A&, const Options&, X&...) {
    arguments::no_base<A>();
  }

 protected:
  constexpr wrong_part_arguments() = default;
};

/// What a trainer inherits: constructors of the one kind or of the other.
template <class M, bool in_part, class Options>
struct trainer_arguments : wrong_trainer_arguments<M, Options> {
  using wrong_trainer_arguments<M, Options>::wrong_trainer_arguments;

 protected:
  constexpr trainer_arguments() = default;
};
template <class M, class Options>
struct trainer_arguments<M, true, Options> : wrong_part_arguments<M, Options> {
  using wrong_part_arguments<M, Options>::wrong_part_arguments;

 protected:
  constexpr trainer_arguments() = default;
};

}}  // namespace ctlm
