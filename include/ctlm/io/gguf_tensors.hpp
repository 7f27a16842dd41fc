// SPDX-License-Identifier: MIT
// ctlm: the table of tensors in a GGUF file: shapes, encodings and places, checked against the file's size.
#pragma once

#include "gguf_cursor.hpp"
#include "gguf_encodings.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace gguf_detail {

inline constexpr std::size_t most_dimensions = 4;
/// A name's length, a letter, the number of dimensions, an encoding, an offset.
inline constexpr std::size_t least_tensor_bytes = 8 + 1 + 4 + 4 + 8;

/// Bytes of a tensor, or 0 if their number does not fit into 63 bits.
inline std::uint64_t bytes_of(const stored_tensor& t) {
  constexpr std::uint64_t most = std::uint64_t{1} << 63;
  std::uint64_t numbers = 1;
  for (std::size_t i = 0; i < t.rank; ++i) {
    if (t.dimensions[i] >= most / numbers) return 0;
    numbers *= t.dimensions[i];
  }
  const std::uint64_t units = numbers / t.encoding->numbers;
  return units >= most / t.encoding->unit_bytes ? 0 : units * t.encoding->unit_bytes;
}

/// The file has the innermost dimension first, stored_tensor the outermost.
inline result<void> read_dimensions(cursor& c, stored_tensor& t) {
  const std::size_t at = c.offset();
  const auto rank = c.number<std::uint32_t>();
  if (!rank) return rank.error();
  if (*rank > most_dimensions)
    return failure{errc::corrupt,
                   "ctlm: tensor {name} of this GGUF file has {had} dimensions (at byte {where}); {needed} are allowed",
                   at,
                   most_dimensions,
                   *rank,
                   remember(t.name)};
  t.rank = *rank;
  for (std::size_t i = t.rank; i > 0; --i) {
    const std::size_t here = c.offset();
    const auto n = c.number<std::uint64_t>();
    if (!n) return n.error();
    if (*n == 0)
      return failure{
          errc::corrupt,   "ctlm: tensor {name} of this GGUF file has a dimension of 0 (at byte {where})", here, 1, 0,
          remember(t.name)};
    if (*n > std::numeric_limits<std::size_t>::max())
      return failure{errc::corrupt,
                     "ctlm: tensor {name} of this GGUF file has a dimension that no machine like this can count (at "
                     "byte {where})",
                     here,
                     0,
                     0,
                     remember(t.name)};
    t.dimensions[i - 1] = static_cast<std::size_t>(*n);
  }
  return {};
}

inline result<void> read_encoding(cursor& c, stored_tensor& t) {
  const std::size_t at = c.offset();
  const auto type = c.number<std::uint32_t>();
  if (!type) return type.error();
  const encoding_entry* const e = find_encoding(*type);
  if (e == nullptr)
    return failure{errc::unsupported,
                   "ctlm: tensor {name} of this GGUF file has encoding {had} (at byte {where}), which is not read",
                   at,
                   0,
                   *type,
                   remember(t.name)};
  t.encoding = &e->numbers;
  const std::size_t row = t.rank == 0 ? 1 : t.dimensions[t.rank - 1];
  if (row % e->numbers.numbers != 0)
    return failure{errc::corrupt,
                   "ctlm: tensor {name} of this GGUF file has rows of {had} numbers, which are no whole blocks of "
                   "{needed} (at byte {where})",
                   at,
                   e->numbers.numbers,
                   row,
                   remember(t.name)};
  return {};
}

/// A tensor of the table. Its bytes are not known yet: `offset` becomes where they begin, behind the table.
inline result<stored_tensor> read_tensor(cursor& c, std::uint64_t& offset) {
  const auto name = c.name();
  if (!name) return name.error();
  stored_tensor t;
  t.name = *name;
  if (const auto r = read_dimensions(c, t); !r) return r.error();
  const std::size_t at = c.offset();
  if (const auto r = read_encoding(c, t); !r) return r.error();
  if (bytes_of(t) == 0)
    return failure{errc::corrupt,
                   "ctlm: tensor {name} of this GGUF file (at byte {where}) would have 2^63 bytes or more",
                   at,
                   0,
                   0,
                   remember(t.name)};
  const auto begin = c.number<std::uint64_t>();
  if (!begin) return begin.error();
  offset = *begin;
  return t;
}

/// Gives a tensor its bytes out of `data`, all that lies behind the table from byte `first` of the file on.
inline result<void> place(stored_tensor& t, std::uint64_t offset, span<const std::byte> data, std::size_t first,
                          std::uint32_t alignment) {
  auto refused = [&](const char* what, std::uint64_t needed, std::uint64_t had) {
    return failure{errc::corrupt, what, sayable(first), sayable(needed), sayable(had), remember(t.name)};
  };
  if (offset % alignment != 0)
    return refused(
        "ctlm: tensor {name} of this GGUF file begins {had} bytes behind byte {where}, which is no multiple of "
        "{needed}",
        alignment, offset);
  if (offset > data.size())
    return refused(
        "ctlm: tensor {name} of this GGUF file would begin {needed} bytes behind byte {where}, where {had} bytes are",
        offset, data.size());
  const std::uint64_t bytes = bytes_of(t), left = data.size() - offset;
  if (bytes > left)
    return failure{
        errc::truncated,
        "ctlm: this GGUF file is cut off: tensor {name} needs {needed} bytes at byte {where}, {had} are there",
        first + static_cast<std::size_t>(offset),
        sayable(bytes),
        sayable(left),
        remember(t.name)};
  t.bytes = data.subspan(static_cast<std::size_t>(offset), static_cast<std::size_t>(bytes));
  return {};
}

}  // namespace gguf_detail

}}  // namespace ctlm
