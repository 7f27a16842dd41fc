// SPDX-License-Identifier: MIT
// ctlm: the grammar of JSON (RFC 8259), applied to a whole text before anything is read from it.
#pragma once

#include "../result.hpp"
#include "keys.hpp"

namespace ctlm { inline namespace CTLM_ABI {

namespace json {

/// What a text may ask for.
struct limits {
  static constexpr std::size_t most_depth = 128;

  std::size_t depth = 64;                    // arrays and objects in one another, at most most_depth
  std::size_t bytes = std::size_t{1} << 27;  // of the whole text, at most 4 GiB less one byte
};

}  // namespace json

namespace json_detail {

/// Reads a text from front to back, without recursion: for each bracket that is open it keeps where it is, and how many
/// keys have come behind it.
template <class Keys>
class validator {
 public:
  /// `raise_at_once`: a failure is raised where it is found. Then a compiler that evaluates this shows, in its list of
  /// calls, the one of fail() and with it the words.
  constexpr validator(span<const char> text, const json::limits& limits, Keys& keys, bool raise_at_once)
      : text_(text), limits_(limits), keys_(keys), raise_at_once_(raise_at_once) {}

  /// True if the text is one value with white space around it, at [first(), last()).
  constexpr bool run() {
    if (!check_limits()) return false;
    first_ = at_ = behind_space(text_, 0);
    do
      if (!value()) return false;
    while (depth_ > 0);
    last_ = at_;
    at_ = behind_space(text_, at_);
    return at_ == text_.size() || fail("ctlm: this JSON text goes on at byte {where}, behind the end of its value");
  }
  constexpr std::size_t first() const { return first_; }
  constexpr std::size_t last() const { return last_; }
  constexpr const failure& why() const { return failure_; }

 private:
  struct open_bracket {
    std::uint32_t at, keys;
  };

  constexpr bool fail(const failure& f) {
    check(!raise_at_once_, f);
    failure_ = f;
    return false;
  }
  constexpr bool fail(const char* what) {
    if (at_ < text_.size()) return fail({errc::corrupt, what, at_});
    return fail({errc::truncated, "ctlm: this JSON text ends too early, at byte {where}", at_});
  }
  constexpr bool fail(escape_fault f) {
    if (f == escape_fault::no_digits)
      return fail("ctlm: the escape \\u at byte {where} of this JSON text needs four hexadecimal digits");
    if (f == escape_fault::half_a_pair)
      return fail(
          "ctlm: the escape at byte {where} of this JSON text is half of a surrogate pair, which is no character");
    return fail("ctlm: the escape at byte {where} of this JSON text is none that JSON has");
  }
  /// The character at the current place; a zero, which no grammar has, at the end.
  constexpr char here() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  constexpr open_bracket& innermost() { return open_[depth_ - 1]; }
  constexpr bool in_object() { return text_[innermost().at] == '{'; }
  constexpr char closing() { return in_object() ? '}' : ']'; }

  constexpr bool check_limits() {
    const std::size_t most = smaller(limits_.bytes, 0xFFFFFFFFu);
    if (text_.size() > most)
      return fail(
          {errc::unsupported, "ctlm: this JSON text has {needed} bytes, the limit is {had}", 0, text_.size(), most});
    if (limits_.depth > json::limits::most_depth)
      return fail({errc::invalid_argument, "ctlm: a limit of depth {needed} for JSON: it is at most {had}", 0,
                   limits_.depth, json::limits::most_depth});
    if (text_.size() >= 3 && text_[0] == '\xEF' && text_[1] == '\xBB' && text_[2] == '\xBF')
      return fail({errc::corrupt, "ctlm: this JSON text begins with a byte order mark, which JSON does not allow"});
    return true;
  }

  /// A value, and all up to the next one; of an array or an object, all up to its first element's value.
  constexpr bool value() {
    switch (here()) {
      case '[':
      case '{':
        return open();
      case '"':
        return string() && behind();
      case 't':
        return word("true") && behind();
      case 'f':
        return word("false") && behind();
      case 'n':
        return word("null") && behind();
      default:
        return number() && behind();
    }
  }
  constexpr bool open() {
    if (depth_ == limits_.depth)
      return fail({errc::unsupported,
                   "ctlm: this JSON text has more than {had} arrays and objects in one another, at byte {where}", at_,
                   depth_ + 1, limits_.depth});
    open_[depth_++] = {static_cast<std::uint32_t>(at_), 0};
    at_ = behind_space(text_, at_ + 1);
    return here() == closing() ? behind() : element();
  }
  /// Up to the value of an element: behind its key, if it has one.
  constexpr bool element() { return !in_object() || key(); }
  constexpr bool key() {
    if (here() != '"') return fail("ctlm: a key in double quotes was expected at byte {where} of this JSON text");
    if (!string()) return false;
    at_ = behind_space(text_, at_);
    if (here() != ':') return fail("ctlm: a colon was expected at byte {where} of this JSON text");
    at_ = behind_space(text_, at_ + 1);
    ++innermost().keys;
    return true;
  }
  /// From behind a value, over all brackets that are closed there, up to the next value.
  constexpr bool behind() {
    while (depth_ > 0) {
      at_ = behind_space(text_, at_);
      if (here() == ',') {
        at_ = behind_space(text_, at_ + 1);
        return element();
      }
      if (here() != closing())
        return fail("ctlm: a comma or a closing bracket was expected at byte {where} of this JSON text");
      ++at_;
      if (!close()) return false;
    }
    return true;
  }
  constexpr bool close() {
    const open_bracket b = open_[--depth_];
    if (b.keys < 2) return true;
    const span<json::key_record> room = keys_(b.keys);
    if (room.size() < b.keys)
      return fail(
          {errc::out_of_memory,
           "ctlm: the object at byte {where} of this JSON text has {needed} keys, and there is memory to compare "
           "{had} with one another",
           b.at, b.keys, room.size()});
    const std::size_t again = repeated_key(text_, b.at, room.first(b.keys));
    return again == 0 ||
           fail({errc::corrupt, "ctlm: the key at byte {where} of this JSON text is in its object twice", again});
  }

  constexpr bool word(const char* w) {
    for (; *w != '\0'; ++w, ++at_)
      if (here() != *w) return fail("ctlm: a value was expected at byte {where} of this JSON text");
    return true;
  }
  constexpr bool string() {
    const std::size_t begin = at_++;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      const auto byte = static_cast<unsigned char>(c);
      if (c == '"') {
        ++at_;
        return true;
      }
      if (byte < 0x20)
        return fail("ctlm: the control character at byte {where} of this JSON text must be written as an escape");
      if (c == '\\') {
        const escape e = read_escape(text_, at_ + 1);
        if (e.fault != escape_fault::none) return fail(e.fault);
        at_ += 1 + e.length;
      } else {
        const std::size_t n = byte < 0x80 ? 1 : utf8_length(text_, at_);
        if (n == 0) return fail("ctlm: the bytes from byte {where} of this JSON text on are not UTF-8");
        at_ += n;
      }
    }
    return fail({errc::truncated, "ctlm: the string at byte {where} of this JSON text has no end", begin});
  }
  constexpr bool digits() {
    if (!is_digit(here())) return fail("ctlm: a digit was expected at byte {where} of this JSON text");
    while (is_digit(here())) ++at_;
    return true;
  }
  constexpr bool number() {
    const bool negative = here() == '-';
    if (!negative && !is_digit(here())) return fail("ctlm: a value was expected at byte {where} of this JSON text");
    at_ += negative;
    const bool zero = here() == '0';
    const std::size_t begin = at_;
    if (!digits()) return false;
    if (zero && at_ - begin > 1) {
      at_ = begin;
      return fail("ctlm: the number at byte {where} of this JSON text begins with a zero too many");
    }
    if (here() == '.') {
      ++at_;
      if (!digits()) return false;
    }
    if (here() != 'e' && here() != 'E') return true;
    ++at_;
    if (here() == '+' || here() == '-') ++at_;
    return digits();
  }

  span<const char> text_;
  const json::limits& limits_;
  Keys& keys_;
  bool raise_at_once_;
  std::size_t at_ = 0, first_ = 0, last_ = 0, depth_ = 0;
  open_bracket open_[json::limits::most_depth]{};
  failure failure_{};
};

}  // namespace json_detail

}}  // namespace ctlm
