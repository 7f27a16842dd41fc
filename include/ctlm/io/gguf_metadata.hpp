// SPDX-License-Identifier: MIT
// ctlm: a GGUF file's metadata: keys and values, checked once and found by key.
#pragma once

#include "gguf_cursor.hpp"
#include "gguf_value.hpp"

namespace ctlm { inline namespace CTLM_ABI {

namespace gguf_detail {

inline constexpr const char* alignment_key = "general.alignment";
inline constexpr std::uint32_t usual_alignment = 32;
/// A key's length, a letter, a type and a byte.
inline constexpr std::size_t least_value_bytes = 8 + 1 + 4 + 1;

inline result<gguf_type> read_type(cursor& c, span<const char> key) {
  const std::size_t at = c.offset();
  const auto type = c.number<std::uint32_t>();
  if (!type) return type.error();
  if (*type >= value_types)
    return failure{errc::corrupt,
                   "ctlm: {name} in this GGUF file has a value of type {had} (at byte {where}); types end at {needed}",
                   at,
                   value_types - 1,
                   *type,
                   remember(key)};
  return static_cast<gguf_type>(*type);
}

/// A byte that is true or false.
inline result<void> check_bool(std::byte b, std::size_t at, span<const char> key) {
  if (b == std::byte{0} || b == std::byte{1}) return {};
  return failure{errc::corrupt,
                 "ctlm: {name} in this GGUF file is neither true nor false: its byte {where} is {had}, not 0 or 1",
                 at,
                 1,
                 std::to_integer<std::size_t>(b),
                 remember(key)};
}

/// Behind an array's type and count.
inline result<void> check_elements(cursor& c, span<const char> key, gguf_type type, std::uint64_t count) {
  const bool strings = type == gguf_type::string;
  const std::size_t least = strings ? sizeof(std::uint64_t) : width_of(type), first = c.offset();
  if (count > c.left() / least)
    return failure{errc::corrupt,
                   "ctlm: the array {name} of this GGUF file would have {needed} elements, in the {had} bytes that are "
                   "left at byte {where}",
                   first,
                   sayable(count),
                   c.left(),
                   remember(key)};
  if (strings) {
    for (std::uint64_t i = 0; i < count; ++i)
      if (const auto s = c.text(); !s) return s.error();
    return {};
  }
  const std::byte* const p = *c.take(count * least);
  for (std::size_t i = 0; type == gguf_type::boolean && i < count; ++i)
    if (const auto r = check_bool(p[i], first + i, key); !r) return r;
  return {};
}

inline result<gguf_value> read_array(cursor& c, span<const char> key) {
  const std::size_t at = c.offset();
  const auto type = read_type(c, key);
  if (!type) return type.error();
  if (*type == gguf_type::array)
    return failure{errc::unsupported,
                   "ctlm: {name} in this GGUF file is an array of arrays (at byte {where}), which is not read",
                   at,
                   0,
                   0,
                   remember(key)};
  const auto count = c.number<std::uint64_t>();
  if (!count) return count.error();
  const std::byte* const first = *c.take(0);
  if (const auto r = check_elements(c, key, *type, *count); !r) return r.error();
  return gguf_value(key, gguf_type::array, first, static_cast<std::size_t>(*count), *type);
}

/// Key, type and value.
inline result<gguf_value> read_value(cursor& c) {
  const auto key = c.name();
  if (!key) return key.error();
  const auto type = read_type(c, *key);
  if (!type) return type.error();
  if (*type == gguf_type::array) return read_array(c, *key);
  if (*type == gguf_type::string) {
    const auto s = c.text();
    if (!s) return s.error();
    return gguf_value(*key, *type, reinterpret_cast<const std::byte*>(s->data()), s->size());
  }
  const std::size_t at = c.offset();
  const auto p = c.take(width_of(*type));
  if (!p) return p.error();
  if (*type == gguf_type::boolean)
    if (const auto r = check_bool(**p, at, *key); !r) return r.error();
  return gguf_value(*key, *type, *p);
}

}  // namespace gguf_detail

/// The keys and values of a GGUF file, in its order. Values are views of the file, which must outlive them.
class gguf_metadata {
  auto keys() const {
    return [this](std::size_t i) { return gguf_detail::view_of(values_[i].key()); };
  }

 public:
  /// Bytes of memory that the list and the index of keys take for each value.
  static constexpr std::size_t bytes_per_value = sizeof(gguf_value) + sizeof(std::size_t);

  /// Reads `count` values; the caller has compared that with the bytes that are left.
  static result<gguf_metadata> read(gguf_detail::cursor& c, const std::byte* file, std::size_t count) {
    gguf_metadata m;
    m.values_.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      const auto v = gguf_detail::read_value(c);
      if (!v) return v.error();
      m.values_.push_back(*v);
    }
    const std::size_t second = m.by_key_.build(count, m.keys());
    if (second == count) return result<gguf_metadata>(static_cast<gguf_metadata&&>(m));
    const span<const char> key = m.values_[second].key();
    return failure{errc::corrupt,
                   "ctlm: this GGUF file has two values called {name} (the second at byte {where})",
                   static_cast<std::size_t>(reinterpret_cast<const std::byte*>(key.data()) - file),
                   0,
                   0,
                   remember(key)};
  }

  /// In the order of the file.
  span<const gguf_value> values() const { return values_; }
  /// The value of this key, or nullptr: `metadata.find("llama.block_count")`.
  const gguf_value* find(const char* key) const { return called(key); }
  const gguf_value* find(span<const char> key) const { return called(gguf_detail::view_of(key)); }

  /// Where tensors begin: multiples of this many bytes. 32, unless the file says something else.
  result<std::uint32_t> alignment() const {
    const gguf_value* const v = called(gguf_detail::alignment_key);
    if (v == nullptr) return gguf_detail::usual_alignment;
    const auto n = v->as_integer();
    if (!n || v->type() != gguf_type::uint32)
      return failure{errc::corrupt,
                     "ctlm: {name} in this GGUF file should be a uint32",
                     0,
                     0,
                     0,
                     gguf_detail::described(v->key(), v->type())};
    if (*n == 0 || *n % 8 != 0 || (*n & (*n - 1)) != 0)
      return failure{errc::corrupt,
                     "ctlm: this GGUF file's alignment is {had}; a power of two from {needed} on is needed", 0, 8,
                     static_cast<std::size_t>(*n)};
    return static_cast<std::uint32_t>(*n);
  }

 private:
  const gguf_value* called(std::string_view key) const {
    const std::size_t i = by_key_.find(key, keys());
    return i < values_.size() ? &values_[i] : nullptr;
  }

  std::vector<gguf_value> values_;
  gguf_detail::name_index by_key_;
};

}}  // namespace ctlm
