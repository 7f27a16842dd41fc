// SPDX-License-Identifier: MIT
// ctlm: values of a GGUF file's metadata: numbers, strings and arrays, as views of the file's bytes.
#pragma once

#include "../core/result.hpp"
#include "little_endian.hpp"
#include "remember.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The type of a value in GGUF metadata; enumerators have the numbers by which a file calls them. All are stored with
/// the lowest byte first.
enum class gguf_type : std::uint32_t {
  uint8,    ///< 0 ... 255, one byte
  int8,     ///< -128 ... 127, one byte
  uint16,   ///< two bytes without a sign
  int16,    ///< two bytes with a sign
  uint32,   ///< four bytes without a sign
  int32,    ///< four bytes with a sign
  float32,  ///< single precision, four bytes
  boolean,  ///< one byte, 0 or 1
  string,   ///< a length in eight bytes, then that many bytes
  array,    ///< a type, a count, then the elements
  uint64,   ///< eight bytes without a sign
  int64,    ///< eight bytes with a sign
  float64,  ///< double precision, eight bytes
};

namespace gguf_detail {

inline constexpr std::uint32_t value_types = 13;
/// Bytes of a value; 0 if that depends on the value.
inline constexpr std::size_t widths[value_types] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
inline constexpr const char* type_names[value_types] = {"uint8",  "int8",    "uint16",  "int16",  "uint32",
                                                        "int32",  "float32", "boolean", "string", "array",
                                                        "uint64", "int64",   "float64"};

constexpr std::size_t width_of(gguf_type t) { return widths[static_cast<std::size_t>(t)]; }

/// "KEY (TYPE)", for a failure.
inline const char* described(span<const char> key, gguf_type type) {
  char text[120];
  const char* const type_name = type_names[static_cast<std::size_t>(type)];
  std::size_t n = smaller(key.size(), 100);
  if (n > 0) std::memcpy(text, key.data(), n);
  for (const char* part : {" (", type_name, ")"})
    for (; *part != '\0'; ++part) text[n++] = *part;
  return remember({text, n});
}

}  // namespace gguf_detail

class gguf_array;

/// A value and its key: views of the file, which must outlive them. A value that is asked for as what it is not says so
/// (errc::wrong_model), with its key and its type.
class gguf_value {
 public:
  gguf_value() = default;
  /// `bytes` are the value's own: those of a string without its length, those of an array without type and count.
  /// `count`: bytes of a string, elements of an array.
  gguf_value(span<const char> key, gguf_type type, const std::byte* bytes, std::size_t count = 0,
             gguf_type element = gguf_type::uint8)
      : key_(key), bytes_(bytes), count_(count), type_(type), element_(element) {}

  /// The key's bytes, without a zero behind them; of an element, the array's key.
  span<const char> key() const { return key_; }
  /// What the value is stored as.
  gguf_type type() const { return type_; }
  /// The value's bytes as the file has them: those of a string without its length, those of an array without type and
  /// count.
  inline span<const std::byte> stored() const;

  /// Any integer, of any width.
  result<std::int64_t> as_integer() const {
    if (type_ == gguf_type::uint64 && load_little_endian<std::uint64_t>(bytes_) >> 63 != 0)
      return failure{errc::unsupported, "ctlm: {name} in this GGUF file is larger than 2^63 - 1", 0, 0, 0, said()};
    std::int64_t n = 0;
    const bool is = with_number([&](auto x) {
      // NOLINTNEXTLINE(bugprone-signed-char-misuse): an int8 is a number here
      if constexpr (std::is_integral_v<decltype(x)>) n = static_cast<std::int64_t>(x);
      return std::is_integral_v<decltype(x)>;
    });
    if (is) return n;
    return refused("ctlm: {name} in this GGUF file should be an integer");
  }
  /// A floating point number or an integer.
  result<double> as_number() const {
    double n = 0;
    const bool is = with_number([&](auto x) {
      n = static_cast<double>(x);
      return true;
    });
    if (is) return n;
    return refused("ctlm: {name} in this GGUF file should be a number");
  }
  /// True or false; a number, 0 or 1 too, is neither.
  result<bool> as_bool() const {
    if (type_ == gguf_type::boolean) return *bytes_ != std::byte{0};
    return refused("ctlm: {name} in this GGUF file should be true or false");
  }
  /// The bytes of a string, without a zero behind them.
  result<span<const char>> as_string() const {
    if (type_ == gguf_type::string) return span<const char>(reinterpret_cast<const char*>(bytes_), count_);
    return refused("ctlm: {name} in this GGUF file should be a string");
  }
  /// An array of values of one type.
  inline result<gguf_array> as_array() const;

 private:
  const char* said() const { return gguf_detail::described(key_, type_); }
  failure refused(const char* what) const { return {errc::wrong_model, what, 0, 0, 0, said()}; }

  /// f(the number), or false if the value is none.
  template <class F>
  bool with_number(F f) const {
    switch (type_) {
      case gguf_type::uint8:
        return f(load_little_endian<std::uint8_t>(bytes_));
      case gguf_type::int8:
        return f(load_little_endian<std::int8_t>(bytes_));
      case gguf_type::uint16:
        return f(load_little_endian<std::uint16_t>(bytes_));
      case gguf_type::int16:
        return f(load_little_endian<std::int16_t>(bytes_));
      case gguf_type::uint32:
        return f(load_little_endian<std::uint32_t>(bytes_));
      case gguf_type::int32:
        return f(load_little_endian<std::int32_t>(bytes_));
      case gguf_type::float32:
        return f(load_little_endian<float>(bytes_));
      case gguf_type::uint64:
        return f(load_little_endian<std::uint64_t>(bytes_));
      case gguf_type::int64:
        return f(load_little_endian<std::int64_t>(bytes_));
      case gguf_type::float64:
        return f(load_little_endian<double>(bytes_));
      default:
        return false;
    }
  }

  span<const char> key_{};
  const std::byte* bytes_ = nullptr;
  std::size_t count_ = 0;
  gguf_type type_ = gguf_type::uint8, element_ = gguf_type::uint8;
};

/// Elements of one type, read where they lie: `for (const gguf_value& token : tokens.as_array().value())`. Not with a *
/// in place of value(): a loop does not keep the result alive that it would point into.
class gguf_array {
 public:
  /// A place in the array; * gives the element there. Strings have lengths of their own, so it only goes forward.
  class iterator {
   public:
    iterator() = default;
    /// Element `index`, of this type, which begins at `at`.
    iterator(span<const char> key, gguf_type type, const std::byte* at, std::size_t index)
        : key_(key), at_(at), index_(index), type_(type) {}

    gguf_value operator*() const {
      if (type_ != gguf_type::string) return {key_, type_, at_};
      return {key_, type_, at_ + sizeof(std::uint64_t), length()};
    }
    iterator& operator++() {
      at_ += type_ == gguf_type::string ? sizeof(std::uint64_t) + length() : gguf_detail::width_of(type_);
      ++index_;
      return *this;
    }
    bool operator==(const iterator& other) const { return index_ == other.index_; }

   private:
    std::size_t length() const { return static_cast<std::size_t>(load_little_endian<std::uint64_t>(at_)); }

    span<const char> key_{};
    const std::byte* at_ = nullptr;
    std::size_t index_ = 0;
    gguf_type type_ = gguf_type::uint8;
  };

  gguf_array() = default;
  /// `size` elements of this type, one behind the other from `first` on; `key` is the array's.
  gguf_array(span<const char> key, gguf_type type, const std::byte* first, std::size_t size)
      : key_(key), first_(first), size_(size), type_(type) {}

  /// Of the elements.
  gguf_type type() const { return type_; }
  std::size_t size() const { return size_; }
  iterator begin() const { return {key_, type_, first_, 0}; }
  iterator end() const { return {key_, type_, nullptr, size_}; }
  /// Element i < size(). A string is reached by passing over those before it: whoever wants all of them iterates.
  gguf_value operator[](std::size_t i) const {
    if (type_ != gguf_type::string) return {key_, type_, first_ + i * gguf_detail::width_of(type_)};
    auto at = begin();
    for (; i > 0; --i) ++at;
    return *at;
  }

 private:
  span<const char> key_{};
  const std::byte* first_ = nullptr;
  std::size_t size_ = 0;
  gguf_type type_ = gguf_type::uint8;
};

inline span<const std::byte> gguf_value::stored() const {
  if (type_ == gguf_type::string) return {bytes_, count_};
  if (type_ != gguf_type::array) return {bytes_, gguf_detail::width_of(type_)};
  if (element_ != gguf_type::string) return {bytes_, count_ * gguf_detail::width_of(element_)};
  std::size_t n = 0;
  for (const gguf_value& v : gguf_array(key_, element_, bytes_, count_)) n += sizeof(std::uint64_t) + v.stored().size();
  return {bytes_, n};
}
inline result<gguf_array> gguf_value::as_array() const {
  if (type_ == gguf_type::array) return gguf_array(key_, element_, bytes_, count_);
  return refused("ctlm: {name} in this GGUF file should be an array");
}

}}  // namespace ctlm
