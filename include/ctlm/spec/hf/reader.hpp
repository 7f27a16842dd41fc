// SPDX-License-Identifier: MIT
// ctlm: reads the keys of a config.json and remembers the first that cannot be computed with.
#pragma once

#include "../../core/json.hpp"
#include "../../policy/activation/kind.hpp"
#include "../rope_scaling.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace hf {

/// A short text that a template can be instantiated with; longer ones are cut off.
template <std::size_t N>
struct text {
  char letters[N]{};  ///< zeros behind the text

  constexpr text() = default;
  /// Of a zero-terminated text.
  constexpr explicit text(const char* from) {
    for (std::size_t i = 0; i + 1 < N && from[i] != '\0'; ++i) letters[i] = from[i];
  }
  /// Of these letters.
  constexpr explicit text(span<const char> from) {
    for (std::size_t i = 0; i + 1 < N && i < from.size(); ++i) letters[i] = from[i];
  }
  /// How many letters it has.
  constexpr std::size_t size() const {
    std::size_t n = 0;
    while (n < N && letters[n] != '\0') ++n;
    return n;
  }
  /// A number as it is written.
  static constexpr text of_number(std::size_t n) {
    text t;
    std::size_t digits = 1;
    for (std::size_t m = n; m >= 10; m /= 10) ++digits;
    for (std::size_t i = digits; i-- > 0; n /= 10) t.letters[i] = static_cast<char>('0' + n % 10);
    return t;
  }
};

/// What of a config.json cannot be computed with.
struct problem {
  /// What kind of problem.
  enum kind : std::uint8_t {
    none,         ///< there is none
    no_json,      ///< the text is not JSON
    missing,      ///< a key is missing
    unsupported,  ///< a key's value changes results, and ctlm does not support it
  };
  kind what = none;  ///< which kind
  text<48> key{};    ///< the key
  text<48> value{};  ///< its value, as it is written; a long one ends in dots
};

/// A config.json, or an object in it.
struct reader {
  json::value root;  ///< the object
  problem found{};   ///< the first problem

  /// Remembers a problem, unless there is one already.
  constexpr void refuse(const char* key, const char* value, problem::kind what = problem::unsupported) {
    if (found.what == problem::none) found = {what, text<48>(key), text<48>(value)};
  }
  constexpr void refuse(const char* key, const json::value& value) {
    if (found.what == problem::none) found = {problem::unsupported, text<48>(key), written(value)};
  }
  /// Remembers the problem of an object in this one, unless there is one already.
  constexpr void inherit(const reader& inner) {
    if (found.what == problem::none) found = inner.found;
  }
  /// A key's value; missing where it is null.
  constexpr json::value at(const char* key) const {
    const json::value v = root.find(key);
    return v.is_null() ? json::value{} : v;
  }
  /// An object that has a key at least; missing where it is null or empty. Another value is refused.
  constexpr json::value object(const char* key) {
    const json::value v = at(key);
    if (v && v.kind() != json::kind::object) refuse(key, v);
    return v.members().size() > 0 ? v : json::value{};
  }
  /// A whole number; a missing one is `otherwise`.
  constexpr std::size_t integer(const char* key, std::size_t otherwise) {
    const json::value v = at(key);
    if (!v) return otherwise;
    const auto n = v.as_integer<std::size_t>();
    if (!n) refuse(key, v);
    return n ? *n : otherwise;
  }
  /// A whole number that must be there.
  constexpr std::size_t integer(const char* key) {
    if (!at(key)) refuse(key, "missing", problem::missing);
    return integer(key, 0);
  }
  /// A number that single precision can hold; a missing one is `otherwise`.
  constexpr double number(const char* key, double otherwise) {
    const json::value v = at(key);
    if (!v) return otherwise;
    const auto n = v.as_number<double>();
    const bool fits = n && v.as_number<float>();
    if (!fits) refuse(key, v);
    return fits ? *n : otherwise;
  }
  /// The same where null switches something off: a missing one is `otherwise`, null is 0.
  constexpr std::size_t integer_or_off(const char* key, std::size_t otherwise) {
    return root.find(key).is_null() ? 0 : integer(key, otherwise);
  }
  /// The same of a number.
  constexpr double number_or_off(const char* key, double otherwise) {
    return root.find(key).is_null() ? 0 : number(key, otherwise);
  }
  /// True or false; a missing one is `otherwise`.
  constexpr bool flag(const char* key, bool otherwise) {
    const json::value v = at(key);
    if (!v) return otherwise;
    const auto b = v.as_bool();
    if (!b) refuse(key, v);
    return b ? *b : otherwise;
  }
  /// Refuses another value than this.
  constexpr void only(const char* key, bool value, bool otherwise) {
    if (flag(key, otherwise) != value) refuse(key, at(key));
  }
  constexpr void only(const char* key, double value) {
    if (number(key, value) != value) refuse(key, at(key));
  }
  /// Refuses any value.
  constexpr void absent(const char* key) {
    if (const json::value v = at(key)) refuse(key, v);
  }

 private:
  /// As much of the value's text as can be shown, on one line; where that is not all of it, it ends in dots.
  static constexpr text<48> written(const json::value& v) {
    const span<const char> all = v.written();
    constexpr std::size_t most = sizeof(text<48>) - 1, dots = 3;
    std::size_t n = all.size();
    if (n > most) {
      n = most - dots;
      while (n > 0 && (static_cast<unsigned char>(all[n]) & 0xC0) == 0x80) --n;  // within a letter of several bytes
    }
    text<48> shown(all.first(n));
    for (char& c : shown.letters)
      if (c == '\n' || c == '\r' || c == '\t') c = ' ';
    if (n < all.size())
      for (std::size_t i = 0; i < dots; ++i) shown.letters[n + i] = '.';
    return shown;
  }
};

}}}  // namespace ctlm::hf
