// SPDX-License-Identifier: MIT
// ctlm: errors as values. Nothing here allocates.
#pragma once

#include "types.hpp"

#if CTLM_EXCEPTIONS
#include <exception>
#endif

namespace ctlm { inline namespace CTLM_ABI {

enum class errc : std::uint8_t {
  ok,
  invalid_argument,
  out_of_memory,
  truncated,
  corrupt,
  wrong_model,
  not_found,
  io_error,
  disk_full,
  unsupported,
  context_full,
};

/// What went wrong, in words (static text), and where: a byte offset, a tensor's number, a position; 0 if it has none.
struct failure {
  errc code = errc::ok;
  const char* what = "";
  std::size_t where = 0;
};

#if CTLM_EXCEPTIONS
/// Thrown by result::value() and by constructors that cannot return a result.
class error : public std::exception {
 public:
  explicit error(failure f) noexcept : failure_(f) {}
  const char* what() const noexcept override { return failure_.what; }
  errc code() const noexcept { return failure_.code; }
  std::size_t where() const noexcept { return failure_.where; }

 private:
  failure failure_;
};
#endif

/// Where a failure ends when there are no exceptions. Define CTLM_USER_FATAL=1 and supply your own to reset the device,
/// blink an LED, or log.
#if CTLM_USER_FATAL
[[noreturn]] void fatal(const failure& f) noexcept;
#else
[[noreturn]] inline void fatal(const failure&) noexcept { __builtin_trap(); }
#endif

/// Throws ctlm::error where exceptions exist, calls ctlm::fatal where they do not.
[[noreturn]] inline void raise(const failure& f) {
#if CTLM_EXCEPTIONS
  throw error(f);
#else
  fatal(f);
#endif
}

/// Precondition of an interface: worded, always checked, never on a hot path.
constexpr void check(bool holds, errc code, const char* what, std::size_t where = 0) {
  if (!holds) raise(failure{code, what, where});
}

/// A value or a failure. T must be default constructible.
template <class T = void>
class [[nodiscard]] result {
 public:
  constexpr result(T value) : value_(static_cast<T&&>(value)) {}
  constexpr result(failure f) : failure_(f) {}

  constexpr explicit operator bool() const noexcept { return failure_.code == errc::ok; }
  constexpr const failure& error() const noexcept { return failure_; }
  constexpr T& operator*() noexcept { return value_; }
  constexpr const T& operator*() const noexcept { return value_; }
  constexpr T* operator->() noexcept { return &value_; }
  constexpr const T* operator->() const noexcept { return &value_; }
  constexpr T& value() & {
    if (!*this) raise(failure_);
    return value_;
  }
  constexpr T value() && {
    if (!*this) raise(failure_);
    return static_cast<T&&>(value_);
  }

 private:
  T value_{};
  failure failure_{};
};

template <>
class [[nodiscard]] result<void> {
 public:
  constexpr result() = default;
  constexpr result(failure f) : failure_(f) {}

  constexpr explicit operator bool() const noexcept { return failure_.code == errc::ok; }
  constexpr const failure& error() const noexcept { return failure_; }
  constexpr void value() const {
    if (!*this) raise(failure_);
  }

 private:
  failure failure_{};
};

}}  // namespace ctlm
