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

/// More bytes than any arena has: what a size that overflows counts as.
inline constexpr std::size_t too_many_bytes = ~std::size_t{0};

/// Bytes that n elements of T take in an arena, or too_many_bytes.
template <class T>
constexpr std::size_t padded_bytes(std::size_t n) {
  constexpr std::size_t most = (too_many_bytes - (memory_alignment - 1)) / sizeof(T);
  return n <= most ? round_up(n * sizeof(T), memory_alignment) : too_many_bytes;
}

/// `allocate<T>(n)` yields n zeroed elements, or nullptr when the arena is exhausted.
/// `mark()` and `rewind(m)` give memory back in stack order, and take it again (see plan.hpp).
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

/// Tells an arena that a stretch of it will not be used for a while: calls its release(p, bytes) if it has one
/// (spill_arena.hpp). The hook of an arena without release() does nothing and is false.
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

/// How much of a stretch of bytes is in use; the arenas over bytes are made of it.
class arena_use {
 public:
  /// The first `touched` bytes are not known to be zero.
  constexpr explicit arena_use(std::size_t touched = 0) : touched_(touched) {}

  /// The next n elements, zeroed, of the `size` bytes at `base`; nullptr if they do not fit.
  template <class T>
  T* take(std::byte* base, std::size_t size, std::size_t n) {
    return reinterpret_cast<T*>(take_bytes(base, size, padded_bytes<T>(n)));
  }
  constexpr void rewind(std::size_t size, std::size_t m) {
    check(m <= size,
          {errc::invalid_argument, "ctlm: an arena of {had} bytes cannot be rewound to byte {needed}", m, m, size});
    used_ = m;
  }
  constexpr std::size_t bytes() const { return used_; }

 private:
  CTLM_NOINLINE std::byte* take_bytes(std::byte* base, std::size_t size, std::size_t bytes) {
    if (bytes > size - used_) return nullptr;
    std::byte* const p = base + used_;
    const std::size_t dirty = touched_ - smaller(touched_, used_);
    for (std::size_t i = 0; i < smaller(bytes, dirty); ++i) p[i] = std::byte{0};
    used_ += bytes;
    touched_ = larger(touched_, used_);
    return p;
  }

  std::size_t used_ = 0;
  std::size_t touched_;
};

/// Counts bytes, owns none: every allocation is nullptr. Sums that overflow stay at too_many_bytes.
class measuring_arena {
 public:
  template <class T>
  constexpr T* allocate(std::size_t n) {
    const std::size_t bytes = padded_bytes<T>(n);
    used_ = bytes <= too_many_bytes - used_ ? used_ + bytes : too_many_bytes;
    peak_ = larger(peak_, used_);
    return nullptr;
  }
  constexpr std::size_t mark() const { return used_; }
  constexpr void rewind(std::size_t m) { used_ = m; }
  /// The most bytes that were in use at one time.
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

/// Stops with a worded error when an arena cannot hold what a constructor needs, before anything is placed: at compile
/// time where the arena's size is a constant, at run time otherwise. `what` is placed: "session", "weights"...
template <std::size_t needed, arena A>
constexpr void require_room(const A& a, const char* what) {
  if constexpr (fixed_arena<A>) {
    static_assert(
        A::capacity >= needed,
        "ctlm: the arena is too small: give static_arena<> at least session_bytes, weight_bytes or train_bytes");
  }
  if constexpr (requires { a.remaining(); }) {
    check(
        a.remaining() >= needed,
        {errc::out_of_memory, "ctlm: the arena is too small for the {name}: {needed} bytes are needed, {had} are free",
         0, needed, a.remaining(), what});
  }
}

}}  // namespace ctlm
