// SPDX-License-Identifier: MIT
// ctlm: errors as values. Nothing here allocates.
#pragma once

#include "types.hpp"

#if CTLM_EXCEPTIONS
#include <exception>
#endif
#if !CTLM_FREESTANDING && !CTLM_USER_FATAL
#include <cstdio>
#endif

namespace ctlm { inline namespace CTLM_ABI {

/// Kinds of failures. docs/errors.md says of each what to do about it.
enum class errc : std::uint8_t {
  ok,                ///< no failure
  invalid_argument,  ///< a call was made with what it cannot use
  out_of_memory,     ///< an arena is too small, or the system has no memory
  truncated,         ///< a file ends too early
  corrupt,           ///< a file is damaged, or of another kind
  wrong_model,       ///< a file belongs to another model, recipe or vocabulary
  not_found,         ///< there is no such file or folder
  io_error,          ///< the system could not read or write; `where` is its error number
  disk_full,         ///< no room on the disk, or the limit of file sizes is reached
  unsupported,       ///< a file of another version, or something that this system does not have
  context_full,      ///< more tokens than the context has room for
};

/// What went wrong. `what` is static text, in which explain() replaces {needed}, {had}, {where}, {name} and {token}
/// (had, as a token) by the numbers and the name beside it. Nothing is allocated, so that a microcontroller can make
/// one.
struct failure {
  errc code = errc::ok;        ///< which kind
  const char* what = "";       ///< words with places for the numbers
  std::size_t where = 0;       ///< a byte offset, a tensor's number, a position; 0 if it has none
  std::size_t needed = 0;      ///< what the call asked for: bytes, tokens, a limit
  std::size_t had = 0;         ///< what it found
  const char* name = nullptr;  ///< of a field, a tensor or a section; must outlive the failure
};

/// A failure as a sentence: `explain(f).text`, zero-terminated and cut off if it is longer than the buffer.
struct explanation {
  char text[256] = {};  ///< the sentence
  constexpr operator const char*() const { return text; }
};

namespace result_detail {

class sentence {
 public:
  constexpr explicit sentence(explanation& to) : written_(to) {}
  CTLM_NOINLINE constexpr void letter(char c) {
    if (length_ + 1 < sizeof written_.text) written_.text[length_++] = c;
  }
  CTLM_NOINLINE constexpr void word(const char* s) {
    for (; s != nullptr && *s != '\0'; ++s) letter(*s);
  }
  CTLM_NOINLINE constexpr void number(std::uint64_t n) {
    if (n >= 10) number(n / 10);
    letter(static_cast<char>('0' + n % 10));
  }

 private:
  explanation& written_;
  std::size_t length_ = 0;
};

/// What explain() replaces.
inline constexpr char places[5][9] = {"{needed}", "{where}", "{had}", "{token}", "{name}"};

/// The place in `text` behind `key`, or nullptr if it does not begin with it.
CTLM_NOINLINE constexpr const char* behind(const char* text, const char* key) {
  for (; *key != '\0'; ++text, ++key)
    if (*text != *key) return nullptr;
  return text;
}

}  // namespace result_detail

/// The failure's words with its numbers and its name in place.
CTLM_NOINLINE constexpr explanation explain(const failure& f) {
  explanation e;
  result_detail::sentence s(e);
  for (const char* p = f.what; *p != '\0';) {
    std::size_t i = 0;
    const char* next = nullptr;
    while (i < 5 && (next = result_detail::behind(p, result_detail::places[i])) == nullptr) ++i;
    std::uint64_t n = i == 0 ? f.needed : i == 1 ? f.where : f.had;
    if (const auto t = static_cast<token>(n); i == 3 && t < 0) {
      s.letter('-');
      n = std::uint64_t{0} - static_cast<std::uint64_t>(t);
    }
    if (i == 5)
      s.letter(*p), next = p + 1;
    else if (i == 4)
      s.word(f.name);
    else
      s.number(n);
    p = next;
  }
  return e;
}

#if CTLM_EXCEPTIONS
/// Thrown by result::value() and by constructors that cannot return a result.
class error : public std::exception {
 public:
  explicit error(const failure& f) noexcept : failure_(f), words_(explain(f)) {}
  /// The sentence that explain() makes.
  const char* what() const noexcept override { return words_; }
  /// Which kind of failure.
  errc code() const noexcept { return failure_.code; }
  /// The failure's `where`.
  std::size_t where() const noexcept { return failure_.where; }
  /// The failure itself, with its numbers.
  const failure& reason() const noexcept { return failure_; }

 private:
  failure failure_;
  explanation words_;
};
#endif

/// Where a failure ends when there are no exceptions: a hosted program prints it and traps, a freestanding one traps.
/// Define CTLM_USER_FATAL=1 and supply your own to reset the device, blink an LED, or log.
#if CTLM_USER_FATAL
[[noreturn]] void fatal(const failure& f) noexcept;
#else
[[noreturn]] inline void fatal([[maybe_unused]] const failure& f) noexcept {
#if !CTLM_FREESTANDING
  std::fprintf(stderr, "%s\n", explain(f).text);
#endif
  __builtin_trap();
}
#endif

/// Throws ctlm::error where exceptions exist, calls ctlm::fatal where they do not.
[[noreturn]] CTLM_NOINLINE inline void raise(const failure& f) {
#if CTLM_EXCEPTIONS
  throw error(f);
#else
  fatal(f);
#endif
}

namespace result_detail {

/// Puts a failure together where it is raised, so that a check costs its caller no memory.
[[noreturn]] CTLM_NOINLINE inline void raise_parts(errc code, const char* what, std::size_t where, std::size_t needed,
                                                   std::size_t had, const char* name) {
  raise(failure{code, what, where, needed, had, name});
}

}  // namespace result_detail

/// Precondition of an interface: worded, always checked, never on a hot path.
CTLM_INLINE constexpr void check(bool holds, errc code, const char* what, std::size_t where = 0) {
  if (!holds) result_detail::raise_parts(code, what, where, 0, 0, nullptr);
}
/// The same with numbers: check(n <= room, {errc::out_of_memory, "...{needed}...{had}", 0, n, room}).
CTLM_INLINE constexpr void check(bool holds, const failure& f) {
  if (!holds) result_detail::raise_parts(f.code, f.what, f.where, f.needed, f.had, f.name);
}

/// A value or a failure. True if it is a value: *r and r-> are the value then, and r.error() is the failure otherwise.
/// T must be default constructible.
template <class T = void>
class [[nodiscard]] result {
 public:
  constexpr result(T value) : value_(static_cast<T&&>(value)) {}
  constexpr result(failure f) : failure_(f) {}

  constexpr explicit operator bool() const noexcept { return failure_.code == errc::ok; }
  /// The failure; its code is errc::ok if there is none.
  constexpr const failure& error() const noexcept { return failure_; }
  constexpr T& operator*() noexcept { return value_; }
  constexpr const T& operator*() const noexcept { return value_; }
  constexpr T* operator->() noexcept { return &value_; }
  constexpr const T* operator->() const noexcept { return &value_; }
  /// The value. If there is none, raises the failure: throws ctlm::error, or calls ctlm::fatal.
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
