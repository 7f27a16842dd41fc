// SPDX-License-Identifier: MIT
// ctlm: what an arena is, and the arena that only counts.
//
// Everything big in ctlm lives in memory that the caller owns, handed over as an arena. The layout of a session, a
// trainer or a set of weights is written once, as a function that asks an arena for its buffers in order. Run with
// measuring_arena in a constant expression, the same function yields the exact number of bytes.
#pragma once

#include "../core/result.hpp"

#include <concepts>

namespace ctlm { inline namespace CTLM_ABI {

/// Every allocation starts at, and is padded to, a multiple of this: a cache line, and the widest SIMD register.
inline constexpr std::size_t memory_alignment = 64;

template <class T>
constexpr std::size_t padded_bytes(std::size_t n) {
  return round_up(n * sizeof(T), memory_alignment);
}

/// `allocate<T>(n)` yields n zeroed elements, or nullptr when the arena is exhausted.
/// `mark()` and `rewind(m)` give memory back in stack order (see plan.hpp).
template <class A>
concept arena = requires(A& a) {
  { a.template allocate<float>(std::size_t{1}) } -> std::same_as<float*>;
  a.rewind(a.mark());
};

/// An arena whose size the compiler knows.
template <class A>
concept fixed_arena = arena<A> && requires {
  { A::capacity } -> std::convertible_to<std::size_t>;
};

/// What an arena wants to be told when a stretch of it will not be used for a while: nothing, unless it has
/// `release(p, bytes)` (spill_arena.hpp).
struct release_hook {
  const void* arena = nullptr;
  void (*function)(const void* arena, const void* p, std::size_t bytes) = nullptr;

  template <class A>
  static constexpr release_hook of(const A& a) {
    if constexpr (requires(const void* p) { a.release(p, std::size_t{}); })
      return {&a, [](const void* self, const void* p, std::size_t n) { static_cast<const A*>(self)->release(p, n); }};
    else
      return {};
  }
  constexpr explicit operator bool() const { return function != nullptr; }
  void operator()(const void* p, std::size_t bytes) const { function(arena, p, bytes); }
};

/// Counts bytes, owns none: every allocation is nullptr.
class measuring_arena {
 public:
  template <class T>
  constexpr T* allocate(std::size_t n) {
    used_ += padded_bytes<T>(n);
    peak_ = larger(peak_, used_);
    return nullptr;
  }
  constexpr std::size_t mark() const { return used_; }
  constexpr void rewind(std::size_t m) { used_ = m; }
  constexpr std::size_t bytes() const { return peak_; }

 private:
  std::size_t used_ = 0;
  std::size_t peak_ = 0;
};

/// Bytes that `layout(arena)` will ask for.
template <class Layout>
constexpr std::size_t measure(Layout layout) {
  measuring_arena a;
  layout(a);
  return a.bytes();
}

/// Stops with a worded error when an arena cannot hold what a constructor needs: at compile time where the arena's size
/// is a constant, at run time otherwise.
template <std::size_t needed, arena A>
constexpr void require_room(const A& a) {
  if constexpr (fixed_arena<A>) {
    static_assert(
        A::capacity >= needed,
        "ctlm: the arena is too small: give static_arena<> at least session_bytes, weight_bytes or train_bytes");
  }
  if constexpr (requires { a.remaining(); }) {
    check(a.remaining() >= needed, errc::out_of_memory, "ctlm: the arena is too small for what is placed in it",
          needed);
  }
}

}}  // namespace ctlm
