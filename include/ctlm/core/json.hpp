// SPDX-License-Identifier: MIT
// ctlm: JSON (RFC 8259), read where it lies, at compile time and at run time: a text is validated once, and values are
// places in it. No memory is taken.
#pragma once

#include "decimal.hpp"
#include "json/validate.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace json {

enum class kind : std::uint8_t { missing, null, boolean, number, string, array, object };

class elements;
class members;

/// A value of a text that parse() has accepted: a view, which needs the text. A value that was looked for and not found
/// is `missing`; so is whatever is looked for in it.
class value {
 public:
  constexpr value() = default;
  /// The value that begins at `first` and ends where `text` does.
  constexpr value(span<const char> text, std::size_t first) : text_(text), first_(first) {}

  constexpr json::kind kind() const {
    if (first_ >= text_.size()) return json::kind::missing;
    switch (text_[first_]) {
      case '{':
        return json::kind::object;
      case '[':
        return json::kind::array;
      case '"':
        return json::kind::string;
      case 't':
      case 'f':
        return json::kind::boolean;
      case 'n':
        return json::kind::null;
      default:
        return json::kind::number;
    }
  }
  /// Whether there is a value at all. `null` is one.
  constexpr explicit operator bool() const { return kind() != json::kind::missing; }
  constexpr bool is_null() const { return kind() == json::kind::null; }
  /// The byte of the text at which it begins.
  constexpr std::size_t where() const { return first_; }
  /// The value as it is written.
  constexpr span<const char> written() const { return text_.subspan(first_); }

  /// What an array holds, one after the other; nothing, of any other value.
  constexpr json::elements elements() const;
  /// Keys and values of an object, in its order; nothing, of any other value.
  constexpr json::members members() const;
  /// The value that an object has for a key, which is compared with the characters that escapes stand for. It reads
  /// through the object: whoever needs many keys of a large one visits members() instead.
  constexpr value find(span<const char> key) const;
  constexpr value find(const char* key) const;

  /// Whether this is the string of these bytes.
  constexpr bool equals(span<const char> text) const {
    if (kind() != json::kind::string) return false;
    json_detail::bytes_of_string mine = characters();
    for (const char c : text)
      if (mine.next() != static_cast<unsigned char>(c)) return false;
    return mine.next() < 0;
  }
  constexpr bool equals(const char* text) const { return equals({text, length(text)}); }
  /// Gives each byte of a string to sink(char), in UTF-8, and returns their number. Other values have none.
  template <class Sink>
  constexpr std::size_t decode(Sink&& sink) const {
    if (kind() != json::kind::string) return 0;
    json_detail::bytes_of_string mine = characters();
    std::size_t n = 0;
    for (int byte = mine.next(); byte >= 0; byte = mine.next(), ++n)
      sink(static_cast<char>(static_cast<unsigned char>(byte)));
    return n;
  }

  /// These fail (errc::corrupt) for values of another kind, with the byte at which the value begins.
  constexpr result<bool> as_bool() const {
    if (kind() == json::kind::boolean) return text_[first_] == 't';
    return failure{errc::corrupt, "ctlm: neither true nor false is at byte {where} of this JSON text", first_};
  }
  /// A number without point and exponent. One that T cannot hold is errc::unsupported.
  template <std::integral T>
  constexpr result<T> as_integer() const;
  /// The nearest T, ties to even. A number beyond the largest T is errc::unsupported.
  template <math::real T = double>
  constexpr result<T> as_number() const {
    if (kind() != json::kind::number) return no_number();
    const T x = nearest<T>(written());
    constexpr T most = std::numeric_limits<T>::max();
    if (x >= -most && x <= most) return x;  // never NaN; a compiler must not subtract infinities
    return failure{
        errc::unsupported,
        "ctlm: the number at byte {where} of this JSON text is too large for {needed} bits of floating point", first_,
        8 * sizeof(T)};
  }

 private:
  static constexpr std::size_t length(const char* text) {
    std::size_t n = 0;
    while (text[n] != '\0') ++n;
    return n;
  }
  constexpr failure no_number() const {
    return {errc::corrupt, "ctlm: no number is at byte {where} of this JSON text", first_};
  }
  constexpr json_detail::bytes_of_string characters() const {
    const std::size_t first = smaller(first_ + 1, text_.size());
    return json_detail::bytes_of_string(text_.subspan(first, larger(text_.size(), first + 1) - 1 - first));
  }
  /// Without the closing bracket.
  constexpr span<const char> inside() const { return text_.first(text_.size() - 1); }

  span<const char> text_{};  // the whole text, up to the value's end
  std::size_t first_ = 0;
};

struct member {
  json::value key;  // a string
  json::value value;
};

namespace detail {

struct end {};

/// Walks over an object or an array: `text` ends where its closing bracket is.
template <class Item>
class iterator {
 public:
  constexpr iterator(span<const char> whole_text, std::size_t at) : text_(whole_text) { enter(at); }

  constexpr Item operator*() const {
    const json::value v(text_.first(end_), value_);
    if constexpr (std::is_same_v<Item, member>)
      return {json::value(text_.first(key_end_), first_), v};
    else
      return v;
  }
  constexpr iterator& operator++() {
    enter(json_detail::next_value(text_, end_));
    return *this;
  }
  constexpr bool operator==(end) const { return first_ >= text_.size(); }

 private:
  constexpr void enter(std::size_t at) {
    first_ = value_ = json_detail::behind_space(text_, at);
    if constexpr (std::is_same_v<Item, member>) {
      key_end_ = json_detail::behind_string(text_, first_);
      value_ = json_detail::value_of_key(text_, key_end_);
    }
    end_ = json_detail::behind_value(text_, value_);
  }

  span<const char> text_;
  std::size_t first_ = 0, key_end_ = 0, value_ = 0, end_ = 0;
};

template <class Item>
class items {
 public:
  constexpr items(span<const char> whole_text, std::size_t first_item) : text_(whole_text), first_(first_item) {}

  constexpr iterator<Item> begin() const { return {text_, first_}; }
  constexpr detail::end end() const { return {}; }
  /// Counts them.
  constexpr std::size_t size() const {
    std::size_t n = 0;
    for (auto i = begin(); !(i == end()); ++i) ++n;
    return n;
  }

 private:
  span<const char> text_;
  std::size_t first_;
};

}  // namespace detail

/// `for (const json::value v : array.elements())`
class elements : public detail::items<value> {
  using items::items;
};
/// `for (const auto [key, v] : object.members())`
class members : public detail::items<member> {
  using items::items;
};

constexpr elements value::elements() const {
  if (kind() != json::kind::array) return {{}, 0};
  return {inside(), first_ + 1};
}
constexpr members value::members() const {
  if (kind() != json::kind::object) return {{}, 0};
  return {inside(), first_ + 1};
}
constexpr value value::find(span<const char> key) const {
  for (const member m : members())
    if (m.key.equals(key)) return m.value;
  return {};
}
constexpr value value::find(const char* key) const { return find({key, length(key)}); }

template <std::integral T>
constexpr result<T> value::as_integer() const {
  if (kind() != json::kind::number) return no_number();
  const auto digits = written();
  const bool negative = digits[0] == '-';
  constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<T>::max());
  const std::uint64_t limit = negative ? (std::is_signed_v<T> ? most + 1 : 0) : most;
  std::uint64_t n = 0;
  for (const char c : digits.subspan(negative ? 1 : 0)) {
    if (c < '0' || c > '9')
      return failure{errc::corrupt, "ctlm: the number at byte {where} of this JSON text is not written as an integer",
                     first_};
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (n > (limit - (digit < limit ? digit : limit)) / 10 || (n == 0 && digit > limit))
      return failure{
          errc::unsupported,
          std::is_signed_v<T>
              ? "ctlm: the number at byte {where} of this JSON text does not fit into a signed integer of "
                "{needed} bits"
              : "ctlm: the number at byte {where} of this JSON text does not fit into an unsigned integer of "
                "{needed} bits",
          first_, 8 * sizeof(T)};
    n = n * 10 + digit;
  }
  return static_cast<T>(negative ? 0 - n : n);
}

namespace detail {

constexpr span<const char> until_zero(const char* text) {
  std::size_t n = 0;
  while (text[n] != '\0') ++n;
  return {text, n};
}
template <class Keys>
constexpr result<value> parse(span<const char> text, const limits& limits, Keys& keys, bool raise_at_once) {
  json_detail::validator<Keys> v(text, limits, keys, raise_at_once);
  if (!v.run()) return v.why();
  return value(text.first(v.last()), v.first());
}

}  // namespace detail

/// Validates a whole text: one value, in UTF-8 and by the letter of RFC 8259, within `limits`, and no object in it has
/// a key twice. Returns the value. `keys` is the memory in which the keys of an object are compared with one another.
///
/// Errors, with the byte in `where`: errc::corrupt; truncated, where the text ends too early; unsupported, beyond a
/// limit; out_of_memory, if an object has more keys than `keys` has room for.
template <class Keys = fixed_keys<>>
constexpr result<value> parse(span<const char> text, const limits& limits = {}, Keys&& keys = Keys{}) {
  return detail::parse(text, limits, keys, false);
}
/// The same, of a zero-terminated text.
template <class Keys = fixed_keys<>>
constexpr result<value> parse(const char* text, const limits& limits = {}, Keys&& keys = Keys{}) {
  return detail::parse(detail::until_zero(text), limits, keys, false);
}

/// A text of the program itself, which has to be right: in a constant expression the words of a failure are in the
/// compiler's error, and elsewhere it is raised. `static constexpr auto config = ctlm::json::literal(R"({"layers":
/// 5})");`
template <class Keys = fixed_keys<>>
constexpr value literal(const char* text, const limits& limits = {}, Keys&& keys = Keys{}) {
  return *detail::parse(detail::until_zero(text), limits, keys, true);
}

}}}  // namespace ctlm::json
