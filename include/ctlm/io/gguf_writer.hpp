// SPDX-License-Identifier: MIT
// ctlm: writing GGUF files (version 3): metadata, then tensors row by row, encoded on their way to the disk.
#pragma once

#include "gguf_metadata.hpp"
#include "gguf_tensors.hpp"
#include "replace.hpp"

#include <string>

namespace ctlm { inline namespace CTLM_ABI {

namespace gguf_detail {

/// Bytes for an open file, collected into large pieces.
class file_output {
 public:
  explicit file_output(int descriptor) : descriptor_(descriptor) { pending_.reserve(most); }

  result<void> put(const void* data, std::size_t n) {
    written_ += n;
    if (pending_.size() + n > most)
      if (const auto r = flush(); !r) return r;
    if (n > most) return write_exactly(descriptor_, data, n);
    pending_.append(static_cast<const char*>(data), n);
    return {};
  }
  /// Zeros up to a multiple of the alignment.
  result<void> align() {
    constexpr char zeros[usual_alignment] = {};
    return put(zeros, static_cast<std::size_t>((usual_alignment - written_ % usual_alignment) % usual_alignment));
  }
  result<void> flush() {
    const auto r = write_exactly(descriptor_, pending_.data(), pending_.size());
    pending_.clear();
    return r;
  }

 private:
  static constexpr std::size_t most = std::size_t{1} << 16;
  int descriptor_;
  std::uint64_t written_ = 0;
  std::string pending_;
};

template <class T>
constexpr gguf_type type_for() {
  if constexpr (std::is_same_v<T, bool>)
    return gguf_type::boolean;
  else if constexpr (std::is_floating_point_v<T>)
    return sizeof(T) == 4 ? gguf_type::float32 : gguf_type::float64;
  else if constexpr (sizeof(T) == 8)
    return std::is_signed_v<T> ? gguf_type::int64 : gguf_type::uint64;
  else  // the smaller ones come in pairs: without a sign, with one
    return static_cast<gguf_type>((sizeof(T) == 4 ? 4 : sizeof(T) == 2 ? 2 : 0) + std::is_signed_v<T>);
}

}  // namespace gguf_detail

/// Collects what a file is to hold, then writes it: the same calls give the same bytes.
///
///     gguf_writer out;
///     out.set("general.architecture", "llama");
///     out.add_tensor("token_embd.weight", {vocab, d_model}, gguf_encoding::q8_0);
///     out.write("model.gguf", [&](std::size_t tensor, std::size_t row, float* to) { ... }).value();
///
/// What does not fit the format is refused by write(). The other functions may throw std::bad_alloc.
class gguf_writer {
 public:
  /// A name may not be longer: llama.cpp reads no such file.
  static constexpr std::size_t longest_tensor_name = 63;

  /// A number or a bool; its type in the file is that of the argument.
  template <class T>
  requires std::is_arithmetic_v<T>
  void set(std::string_view key, T value) {
    static_assert(sizeof(T) <= 8, "ctlm: GGUF has no numbers of more than 64 bits");
    begin_value(key, gguf_detail::type_for<T>());
    append(value);
  }
  void set(std::string_view key, std::string_view value) {
    begin_value(key, gguf_type::string);
    append_text(value);
  }
  void set(std::string_view key, const char* value) { set(key, std::string_view(value)); }
  void set(std::string_view key, const std::string& value) { set(key, std::string_view(value)); }
  void set(std::string_view key, span<const std::string> values) {
    begin_array(key, gguf_type::string, values.size());
    for (const std::string& v : values) append_text(v);
  }
  /// A value of another file, under its key and as it is there.
  void set(const gguf_value& value) {
    const auto bytes = value.stored();
    const std::string_view key(value.key().data(), value.key().size());
    if (const auto array = value.as_array())
      begin_array(key, array->type(), array->size());
    else
      begin_value(key, value.type());
    if (value.type() == gguf_type::string) append(std::uint64_t{bytes.size()});
    values_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  void set(std::string_view key, span<const std::int32_t> values) { set_numbers(key, values); }
  void set(std::string_view key, span<const float> values) { set_numbers(key, values); }
  void set(std::string_view key, span<const std::uint8_t> values) { set_numbers(key, values); }

  /// A tensor, its dimensions with the outermost first. Rows are as long as the last of them; a scalar has none.
  void add_tensor(std::string_view name, span<const std::size_t> dimensions, gguf_encoding encoding) {
    planned_tensor t;
    t.name = std::string(name);
    t.rank = dimensions.size();
    for (std::size_t i = 0; i < smaller(t.rank, gguf_detail::most_dimensions); ++i) t.dimensions[i] = dimensions[i];
    t.encoding = encoding;
    tensors_.push_back(t);
  }
  void add_tensor(std::string_view name, std::initializer_list<std::size_t> dimensions, gguf_encoding encoding) {
    add_tensor(name, span<const std::size_t>(dimensions.begin(), dimensions.size()), encoding);
  }

  /// Makes `path` hold all that, or leaves it as it was (replace_file). rows(tensor, row, to) writes a row of a tensor,
  /// which are numbered in the order of add_tensor, and may return a result<void>. Each row is asked for once, in the
  /// order of the file; one row is kept in memory.
  template <class Rows>
  requires std::is_invocable_v<Rows, std::size_t, std::size_t, float*> result<void> write(const char* path, Rows&& rows)
  const {
    using function = std::remove_reference_t<Rows>;
    const row_source source = [](void* f, std::size_t tensor, std::size_t row, float* to) -> result<void> {
      if constexpr (std::is_void_v<std::invoke_result_t<function&, std::size_t, std::size_t, float*>>) {
        (*static_cast<function*>(f))(tensor, row, to);
        return {};
      } else {
        return (*static_cast<function*>(f))(tensor, row, to);
      }
    };
    return write_from(path, const_cast<void*>(static_cast<const void*>(&rows)), source);
  }

 private:
  using row_source = result<void> (*)(void*, std::size_t tensor, std::size_t row, float* to);
  struct planned_tensor {
    std::string name;
    std::size_t rank = 0, dimensions[gguf_detail::most_dimensions]{};
    gguf_encoding encoding = gguf_encoding::f32;

    std::size_t row() const { return rank == 0 ? 1 : dimensions[rank - 1]; }
    std::size_t rows() const {
      std::size_t n = 1;
      for (std::size_t i = 0; i + 1 < rank; ++i) n *= dimensions[i];
      return n;
    }
  };

  template <class T>
  static void append_to(std::string& s, T value) {
    char bytes[sizeof value];
    store_little_endian(value, bytes);
    s.append(bytes, sizeof value);
  }
  static void append_text_to(std::string& s, std::string_view text) {
    append_to(s, std::uint64_t{text.size()});
    s += text;
  }
  template <class T>
  void append(T value) {
    append_to(values_, value);
  }
  void append_text(std::string_view text) { append_text_to(values_, text); }
  void begin_value(std::string_view key, gguf_type type) {
    keys_.emplace_back(key);
    append_text(key);
    append(static_cast<std::uint32_t>(type));
  }
  void begin_array(std::string_view key, gguf_type type, std::size_t count) {
    begin_value(key, gguf_type::array);
    append(static_cast<std::uint32_t>(type));
    append(std::uint64_t{count});
  }
  template <class T>
  void set_numbers(std::string_view key, span<const T> values) {
    begin_array(key, gguf_detail::type_for<T>(), values.size());
    for (const T v : values) append(v);
  }

  CTLM_NOINLINE result<void> write_from(const char* path, void* context, row_source rows) const {
    return or_out_of_memory("ctlm: there is not enough memory to write a GGUF file", [&]() -> result<void> {
      if (const auto r = check_keys(); !r) return r;
      if (const auto r = check_tensors(); !r) return r;
      const std::string start = head();
      return replace_file(path, [&](int descriptor) -> result<void> {
        gguf_detail::file_output out(descriptor);
        if (const auto r = out.put(start.data(), start.size()); !r) return r;
        if (const auto r = out.align(); !r) return r;
        for (std::size_t i = 0; i < tensors_.size(); ++i)
          if (const auto r = write_tensor(out, i, context, rows); !r) return r;
        return out.flush();
      });
    });
  }

  static failure refused(const char* what, std::string_view name, std::size_t needed = 0, std::size_t had = 0) {
    return {errc::invalid_argument, what, 0, needed, had, remember(name)};
  }

  result<void> check_keys() const {
    for (const std::string& key : keys_) {
      if (key.empty() || key.size() > gguf_detail::longest_key)
        return refused("ctlm: the GGUF key {name} has {had} bytes; 1 to {needed} are allowed", key,
                       gguf_detail::longest_key, key.size());
      if (!gguf_detail::is_utf8(key)) return refused("ctlm: the GGUF key {name} is not UTF-8", key);
      if (!gguf_detail::is_printable(key)) return refused("ctlm: the GGUF key {name} holds a control character", key);
      if (key == gguf_detail::alignment_key)
        return refused("ctlm: {name} is not to be set: tensors are aligned to {needed} bytes", key,
                       gguf_detail::usual_alignment);
    }
    gguf_detail::name_index index;
    const std::size_t second = index.build(keys_.size(), [&](std::size_t i) { return std::string_view(keys_[i]); });
    if (second < keys_.size()) return refused("ctlm: the GGUF key {name} was set twice", keys_[second]);
    return {};
  }

  result<void> check_tensors() const {
    for (const planned_tensor& t : tensors_)
      if (const auto r = check_tensor(t); !r) return r;
    gguf_detail::name_index index;
    const std::size_t n = tensors_.size();
    const std::size_t second = index.build(n, [&](std::size_t i) { return std::string_view(tensors_[i].name); });
    if (second < n) return refused("ctlm: the tensor {name} was added twice", tensors_[second].name);
    return {};
  }

  static result<void> check_tensor(const planned_tensor& t) {
    using namespace gguf_detail;
    if (t.name.empty() || t.name.size() > longest_tensor_name)
      return refused("ctlm: the tensor name {name} has {had} bytes; 1 to {needed} are allowed in a GGUF file", t.name,
                     longest_tensor_name, t.name.size());
    if (!is_utf8(t.name)) return refused("ctlm: the tensor name {name} is not UTF-8", t.name);
    if (!is_printable(t.name)) return refused("ctlm: the tensor name {name} holds a control character", t.name);
    if (t.rank > most_dimensions)
      return refused("ctlm: tensor {name} has {had} dimensions; a GGUF file can have {needed}", t.name, most_dimensions,
                     t.rank);
    const encoding_entry* const e = find_encoding(static_cast<std::uint32_t>(t.encoding));
    if (e == nullptr || e->encode == nullptr)
      return refused("ctlm: tensor {name} was to be written in GGUF encoding {had}, which is only read or unknown",
                     t.name, 0, static_cast<std::size_t>(t.encoding));
    if (t.row() % e->numbers.numbers != 0)
      return refused("ctlm: tensor {name} has rows of {had} numbers, which are no whole blocks of {needed}", t.name,
                     e->numbers.numbers, t.row());
    stored_tensor s;
    s.encoding = &e->numbers;
    s.rank = t.rank;
    for (std::size_t i = 0; i < t.rank; ++i) {
      s.dimensions[i] = t.dimensions[i];
      if (t.dimensions[i] == 0) return refused("ctlm: tensor {name} has a dimension of 0", t.name);
    }
    if (bytes_of(s) == 0) return refused("ctlm: tensor {name} would have 2^63 bytes or more", t.name);
    return {};
  }

  /// All that comes before the tensors' bytes.
  std::string head() const {
    std::string s = "GGUF";
    append_to(s, std::uint32_t{3});
    append_to(s, std::uint64_t{tensors_.size()});
    append_to(s, std::uint64_t{keys_.size()});
    s += values_;
    std::uint64_t offset = 0;
    for (const planned_tensor& t : tensors_) {
      append_text_to(s, t.name);
      append_to(s, static_cast<std::uint32_t>(t.rank));
      for (std::size_t i = t.rank; i > 0; --i) append_to(s, std::uint64_t{t.dimensions[i - 1]});
      append_to(s, static_cast<std::uint32_t>(t.encoding));
      append_to(s, offset);
      const number_encoding& e = numbers_of(t.encoding);
      const std::uint64_t end = offset + std::uint64_t{t.rows()} * (t.row() / e.numbers) * e.unit_bytes;
      offset = (end + gguf_detail::usual_alignment - 1) / gguf_detail::usual_alignment * gguf_detail::usual_alignment;
    }
    return s;
  }

  result<void> write_tensor(gguf_detail::file_output& out, std::size_t i, void* context, row_source rows) const {
    const planned_tensor& t = tensors_[i];
    const auto& e = *gguf_detail::find_encoding(static_cast<std::uint32_t>(t.encoding));
    const std::size_t units = t.row() / e.numbers.numbers;
    std::vector<float> row(t.row());
    std::vector<std::byte> bytes(units * e.numbers.unit_bytes);
    for (std::size_t r = 0; r < t.rows(); ++r) {
      if (const auto told = rows(context, i, r, row.data()); !told) return told;
      e.encode(row.data(), units, bytes.data());
      if (const auto w = out.put(bytes.data(), bytes.size()); !w) return w;
    }
    return out.align();
  }

  std::vector<std::string> keys_;
  std::string values_;  // keys, types and values, as the file has them
  std::vector<planned_tensor> tensors_;
};

}}  // namespace ctlm
