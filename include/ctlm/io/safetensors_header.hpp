// SPDX-License-Identifier: MIT
// ctlm: one safetensors file (github.com/huggingface/safetensors): its header, and the rules that it has to keep.
//
//   offset  bytes
//   0       8       n, the bytes of the header, at most 100,000,000
//   8       n       the header: JSON, spaces at its end
//   8 + n   ...     the tensors' numbers, one after the other, without a hole
// Numbers are little-endian.
#pragma once

#include "heap_keys.hpp"
#include "mapped_file.hpp"
#include "remember.hpp"
#include "safetensors_types.hpp"

#include <algorithm>
#include <string_view>

namespace ctlm { inline namespace CTLM_ABI { namespace safetensors_detail {

inline constexpr std::size_t length_bytes = 8, most_header_bytes = 100'000'000;
inline constexpr const char* metadata_key = "__metadata__";

inline std::string_view view_of(span<const char> s) { return {s.data(), s.size()}; }

/// A file taken apart: a header that is JSON, and bytes of numbers.
struct open_file {
  mapped_file map;  // unless the bytes are the caller's
  span<const std::byte> bytes{};
  json::value header;
  std::size_t header_bytes = 0;
  std::size_t tensors = 0;
  std::size_t escaped_name_bytes = 0;  // of names that are not in the header as they are

  span<const std::byte> data() const { return bytes.subspan(length_bytes + header_bytes); }
};

inline bool has_escape(const json::value& key) { return view_of(key.written()).find('\\') != std::string_view::npos; }

/// Strings alone, if there is such an entry.
inline result<void> check_metadata(const json::value& v) {
  const failure wrong{errc::corrupt,
                      "ctlm: the __metadata__ of this safetensors file, at byte {where}, must be an "
                      "object that has nothing but strings",
                      length_bytes + v.where()};
  if (v.kind() != json::kind::object) return wrong;
  for (const auto [key, text] : v.members())
    if (text.kind() != json::kind::string) return wrong;
  return {};
}

/// Validates the header of a file's bytes as JSON. Tensors are counted, and not looked at.
inline result<open_file> read_header(span<const std::byte> bytes) {
  if (bytes.size() < length_bytes)
    return failure{errc::truncated,
                   "ctlm: this safetensors file is cut off: it has {had} bytes, and begins with a number of {needed}",
                   0, length_bytes, bytes.size()};
  std::uint64_t n = 0;
  std::memcpy(&n, bytes.data(), sizeof n);
  if (n > most_header_bytes)
    return failure{errc::corrupt,
                   "ctlm: this is not a safetensors file: its header would have {had} bytes, and {needed} are allowed",
                   0, most_header_bytes, static_cast<std::size_t>(n)};
  if (n > bytes.size() - length_bytes)
    return failure{errc::truncated,
                   "ctlm: this safetensors file is cut off: its header has {needed} bytes, {had} are there",
                   length_bytes, static_cast<std::size_t>(n), bytes.size() - length_bytes};
  open_file f;
  f.bytes = bytes;
  f.header_bytes = static_cast<std::size_t>(n);
  const span<const char> text(reinterpret_cast<const char*>(bytes.data()) + length_bytes, f.header_bytes);
  if (text.empty() || text[0] != '{')
    return failure{errc::corrupt, "ctlm: this is not a safetensors file: its header does not begin with a brace",
                   length_bytes};
  constexpr std::size_t depth = 3;  // the header, a tensor, its shape
  const auto header = json::parse(text, {.depth = depth, .bytes = most_header_bytes}, heap_keys());
  if (!header) return header.error();
  f.header = *header;
  for (const auto [key, v] : f.header.members()) {
    if (key.equals(metadata_key)) {
      if (const auto r = check_metadata(v); !r) return r.error();
      continue;
    }
    ++f.tensors;
    if (has_escape(key)) f.escaped_name_bytes += key.decode([](char) {});
  }
  return result<open_file>(static_cast<open_file&&>(f));
}
inline result<open_file> open_header(const char* path) {
  auto map = mapped_file::open(path);
  if (!map) return map.error();
  auto f = read_header(map->bytes());
  if (f) f->map = static_cast<mapped_file&&>(*map);
  return f;
}

/// Reads the entries of a header. Failures name the tensor.
class entry_reader {
 public:
  entry_reader(const open_file& file, const json::member& entry, span<const char> name)
      : data_(file.data()), entry_(entry), name_(name) {}

  result<stored_tensor> read() {
    tensor_.name = name_;
    json::value dtype, shape, offsets;
    for (const auto [key, v] : entry_.value.members()) {
      json::value* const known = key.equals("dtype")          ? &dtype
                                 : key.equals("shape")        ? &shape
                                 : key.equals("data_offsets") ? &offsets
                                                              : nullptr;
      if (known == nullptr) return fail(errc::corrupt, "ctlm: {name} has an entry that no tensor of safetensors has");
      *known = v;
    }
    if (dtype.kind() != json::kind::string || shape.kind() != json::kind::array || offsets.kind() != json::kind::array)
      return fail(errc::corrupt, "ctlm: {name} needs a dtype, a shape and data_offsets in this safetensors file");
    if (const auto r = read_type(dtype); !r) return r.error();
    if (const auto r = read_shape(shape); !r) return r.error();
    if (const auto r = read_offsets(offsets); !r) return r.error();
    return tensor_;
  }

 private:
  failure fail(errc code, const char* what, std::size_t needed = 0, std::size_t had = 0) const {
    return {code, what, length_bytes + entry_.key.where(), needed, had, remember(name_)};
  }

  result<void> read_type(const json::value& dtype) {
    tensor_.encoding = find_encoding(dtype);
    if (tensor_.encoding != nullptr) return {};
    std::string both(view_of(name_.first(smaller(name_.size(), 80))));  // the type is to be seen behind a long name
    both += " (dtype ";
    dtype.decode([&](char c) { both += c; });
    failure f = fail(errc::unsupported, "ctlm: this is a type of numbers that is not read: {name}");
    f.name = remember(both + ")");
    return f;
  }

  /// The bytes of all numbers must be addressable, also those of a tensor with a dimension of zero if it were one.
  result<void> read_shape(const json::value& shape) {
    std::size_t bytes = tensor_.encoding->unit_bytes;
    const std::size_t rank = shape.elements().size();
    if (rank > stored_tensor::most_dimensions)
      return fail(errc::unsupported, "ctlm: {name} has {had} dimensions, at most {needed} are read",
                  stored_tensor::most_dimensions, rank);
    for (const json::value v : shape.elements()) {
      const auto n = v.as_integer<std::size_t>();
      if (!n || tensor_.rank == stored_tensor::most_dimensions)
        return fail(errc::corrupt, "ctlm: {name} has a dimension in this safetensors file that is no size");
      if (*n != 0 && bytes > ~std::size_t{0} / 2 / *n)
        return fail(errc::corrupt, "ctlm: {name} would have more numbers than this machine can address");
      bytes *= larger(*n, 1);
      tensor_.dimensions[tensor_.rank++] = *n;
    }
    return {};
  }

  result<void> read_offsets(const json::value& offsets) {
    std::size_t ends[2]{}, n = 0;
    for (const json::value v : offsets.elements()) {
      const auto end = v.as_integer<std::size_t>();
      if (n == 2 || !end) return no_offsets();
      ends[n++] = *end;
    }
    if (n != 2 || ends[0] > ends[1]) return no_offsets();
    const std::size_t wanted = tensor_.count() * tensor_.encoding->unit_bytes;
    if (ends[1] - ends[0] != wanted)
      return fail(errc::corrupt,
                  "ctlm: {name} has {had} bytes in this safetensors file, its shape and type need {needed}", wanted,
                  ends[1] - ends[0]);
    if (ends[1] > data_.size())
      return fail(
          errc::truncated,
          "ctlm: this safetensors file is cut off: {name} needs its first {needed} bytes of numbers, {had} are there",
          ends[1], data_.size());
    tensor_.bytes = data_.subspan(ends[0], wanted);
    return {};
  }
  failure no_offsets() const {
    return fail(errc::corrupt, "ctlm: the data_offsets of {name} must be two integers, the second not below the first");
  }

  span<const std::byte> data_;
  const json::member& entry_;
  span<const char> name_;
  stored_tensor tensor_;
};

/// Puts a file's tensors in the order of their bytes, and checks that these are all the bytes there are.
inline result<void> check_bytes(span<stored_tensor> tensors, span<const std::byte> data) {
  std::sort(tensors.begin(), tensors.end(), [](const stored_tensor& a, const stored_tensor& b) {
    if (a.bytes.data() != b.bytes.data()) return a.bytes.data() < b.bytes.data();
    if (a.bytes.size() != b.bytes.size()) return a.bytes.size() < b.bytes.size();
    return view_of(a.name) < view_of(b.name);
  });
  std::size_t end = 0;
  for (const stored_tensor& t : tensors) {
    const auto begin = static_cast<std::size_t>(t.bytes.data() - data.data());
    if (begin != end)
      return failure{errc::corrupt,
                     begin > end
                         ? "ctlm: in this safetensors file there is a hole before {name}: it begins at byte {had} "
                           "of the numbers, and what is before it ends at byte {needed}"
                         : "ctlm: in this safetensors file {name} begins at byte {had} of the numbers, inside a "
                           "tensor that ends at byte {needed}",
                     begin,
                     end,
                     begin,
                     remember(t.name)};
    end += t.bytes.size();
  }
  if (end != data.size())
    return failure{errc::corrupt,
                   "ctlm: this safetensors file has {had} bytes of numbers, and its tensors end after {needed}", end,
                   end, data.size()};
  return {};
}

}}}  // namespace ctlm::safetensors_detail
