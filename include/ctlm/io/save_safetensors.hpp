// SPDX-License-Identifier: MIT
// ctlm: writes safetensors files, tensor by tensor.
#pragma once

#include "replace.hpp"
#include "safetensors_header.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The types in which numbers are written.
enum class safetensors_type : std::uint8_t {
  f64,      ///< double precision, 8 bytes a number
  f32,      ///< single precision, 4 bytes
  f16,      ///< half precision, 2 bytes
  bf16,     ///< the upper 16 bits of single precision, 2 bytes
  f8_e4m3,  ///< 1 byte: 4 bits of exponent, 3 of mantissa; at most 448
  f8_e5m2   ///< 1 byte: 5 bits of exponent, 2 of mantissa
};

/// A tensor that will be written. Dimensions come with the outermost first.
struct tensor_to_save {
  const char* name = nullptr;                                ///< UTF-8, of no other tensor
  safetensors_type type = safetensors_type::f32;             ///< in which the numbers are written
  std::size_t rank = 0;                                      ///< how many dimensions it has; 0: one number
  std::size_t dimensions[stored_tensor::most_dimensions]{};  ///< the first `rank` count
};

/// An entry of a file's `__metadata__`: {"format", "pt"} is what programs around PyTorch ask for.
struct safetensors_note {
  const char* key;   ///< UTF-8, of no other note
  const char* text;  ///< UTF-8
};

/// Takes the numbers of one tensor after the other, converts them to its type and writes them through a small buffer.
class safetensors_writer {
 public:
  /// Writes to an open file, which it does not close. Takes a buffer of 256 KiB; throws std::bad_alloc.
  explicit safetensors_writer(int descriptor) : descriptor_(descriptor), buffer_(buffer_bytes) {}

  /// The next n numbers of the current tensor, row after row: of float, double, half or bfloat. 16-bit and 8-bit
  /// numbers are rounded once, to nearest, ties to even. More than the shape has are
  /// errc::invalid_argument.
  template <class T>
  result<void> put(const T* numbers, std::size_t n) {
    if (n > left_)
      return failure{
          errc::invalid_argument,
          "ctlm: more numbers were given for {name} than its shape has: {had} more, and {needed} are missing",
          0,
          left_,
          n,
          remember(span<const char>(name_))};
    left_ -= n;
    switch (type_) {
      case safetensors_type::f64:
        return put_as<double>(numbers, n);
      case safetensors_type::f32:
        return put_as<float>(numbers, n);
      case safetensors_type::f16:
        return put_as<half>(numbers, n);
      case safetensors_type::bf16:
        return put_as<bfloat>(numbers, n);
      case safetensors_type::f8_e4m3:
        return put_as<float8_e4m3>(numbers, n);
      default:
        return put_as<float8_e5m2>(numbers, n);
    }
  }

  /// Begins a tensor of `count` numbers. save_safetensors calls this and the functions below.
  void begin(std::string_view name, safetensors_type type, std::size_t count) {
    name_ = name;
    type_ = type;
    left_ = count;
  }
  /// Ends a tensor: errc::invalid_argument if numbers of it were not given.
  result<void> end() const {
    if (left_ == 0) return {};
    return failure{errc::invalid_argument,           "ctlm: {needed} numbers of {name} were not given", 0, left_, 0,
                   remember(span<const char>(name_))};
  }
  /// Bytes as they are: the header's, or numbers in their type. Errors: those of writing.
  result<void> put_bytes(const void* bytes, std::size_t n) {
    if (n > buffer_.size() - filled_)
      if (const auto r = flush(); !r) return r;
    if (n > buffer_.size()) return write_exactly(descriptor_, bytes, n);
    if (n > 0) std::memcpy(buffer_.data() + filled_, bytes, n);
    filled_ += n;
    return {};
  }
  /// Writes what the buffer holds. Errors: those of writing.
  result<void> flush() {
    const std::size_t n = filled_;
    filled_ = 0;
    return write_exactly(descriptor_, buffer_.data(), n);
  }

 private:
  static constexpr std::size_t buffer_bytes = std::size_t{1} << 18;

  static float narrowed(double x) { return round_to_odd(x); }
  static float narrowed(float x) { return x; }
  template <class To, class T>
  static To converted(T x) {
    if constexpr (sizeof(To) < sizeof(float))
      return To::from(narrowed(x));
    else
      return static_cast<To>(x);
  }
  template <class To, class T>
  result<void> put_as(const T* numbers, std::size_t n) {
    if constexpr (std::is_same_v<To, T>) return put_bytes(numbers, n * sizeof(T));
    constexpr std::size_t piece = 1024;
    To converted_numbers[piece];
    for (std::size_t i = 0; i < n; i += piece) {
      const std::size_t part = smaller(piece, n - i);
      for (std::size_t j = 0; j < part; ++j) converted_numbers[j] = converted<To>(numbers[i + j]);
      if (const auto r = put_bytes(converted_numbers, part * sizeof(To)); !r) return r;
    }
    return {};
  }

  int descriptor_;
  std::vector<std::byte> buffer_;
  std::size_t filled_ = 0;
  std::string_view name_;
  safetensors_type type_ = safetensors_type::f32;
  std::size_t left_ = 0;
};

namespace safetensors_detail {

constexpr const char* type_names[] = {"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"};
constexpr std::size_t type_bytes[] = {8, 4, 2, 2, 1, 1};

/// Numbers of a tensor; a failure if their bytes, added to those before, could not be addressed.
inline result<std::size_t> count_of(const tensor_to_save& t, std::size_t before) {
  std::size_t count = 1;
  const std::size_t most = (~std::size_t{0} / 2 - before) / type_bytes[static_cast<std::size_t>(t.type)];
  const std::size_t rank = smaller(t.rank, stored_tensor::most_dimensions);
  bool empty = false;
  for (std::size_t i = 0; i < rank; ++i) {
    if (t.dimensions[i] != 0 && count > most / t.dimensions[i])
      return failure{errc::invalid_argument,
                     "ctlm: {name} would have more numbers than this machine can address",
                     0,
                     0,
                     0,
                     remember(std::string_view(t.name))};
    empty = empty || t.dimensions[i] == 0;
    count *= larger(t.dimensions[i], 1);
  }
  return empty ? 0 : count;
}

/// The text of a header.
class header_writer {
 public:
  void note(const safetensors_note& n, bool first) {
    text_ += first ? "\"__metadata__\":{" : ",";
    string(n.key);
    text_ += ':';
    string(n.text);
  }
  void end_of_notes() { text_ += "},"; }
  void tensor(const tensor_to_save& t, std::size_t begin, std::size_t end) {
    string(t.name);
    text_ += ":{\"dtype\":\"";
    text_ += type_names[static_cast<std::size_t>(t.type)];
    text_ += "\",\"shape\":[";
    for (std::size_t i = 0; i < t.rank; ++i) {
      if (i > 0) text_ += ',';
      text_ += std::to_string(t.dimensions[i]);
    }
    text_ += "],\"data_offsets\":[";
    text_ += std::to_string(begin);
    text_ += ',';
    text_ += std::to_string(end);
    text_ += "]},";
  }
  /// Closes it; spaces make the numbers begin at a multiple of eight.
  const std::string& finished() {
    if (text_.back() == ',') text_.pop_back();
    text_ += '}';
    text_.resize(round_up(text_.size(), 8), ' ');
    return text_;
  }

 private:
  void string(std::string_view s) {
    constexpr const char* digits = "0123456789abcdef";
    text_ += '"';
    for (const char c : s) {
      if (c == '"' || c == '\\') text_ += '\\';
      if (static_cast<unsigned char>(c) >= 0x20) {
        text_ += c;
      } else {
        text_ += "\\u00";
        text_ += digits[c >> 4];
        text_ += digits[c & 15];
      }
    }
    text_ += '"';
  }

  std::string text_ = "{";
};

inline bool is_utf8(std::string_view text) {
  for (std::size_t at = 0, n = 0; at < text.size(); at += n)
    if (n = utf8_length(text, at); n == 0) return false;
  return true;
}

/// Names must be UTF-8 and differ from one another. Sorts them.
inline result<void> check_names(std::vector<std::string_view>& names) {
  std::sort(names.begin(), names.end());
  for (std::size_t i = 0; i < names.size(); ++i) {
    auto fail = [&](const char* what) { return failure{errc::invalid_argument, what, 0, 0, 0, remember(names[i])}; };
    if (names[i] == metadata_key) return fail("ctlm: {name} is no name for a tensor of a safetensors file");
    if (i > 0 && names[i] == names[i - 1]) return fail("ctlm: this name is to be saved twice: {name}");
    if (!is_utf8(names[i])) return fail("ctlm: this name is to be saved and is not UTF-8: {name}");
  }
  return {};
}

inline result<void> check_notes(span<const safetensors_note> notes) {
  std::vector<std::string_view> keys;
  for (const safetensors_note& n : notes) {
    if (n.key == nullptr || n.text == nullptr)
      return failure{errc::invalid_argument, "ctlm: a note to be saved has no key or no text"};
    if (!is_utf8(n.text))
      return failure{errc::invalid_argument,           "ctlm: the text of this note is not UTF-8: {name}", 0, 0, 0,
                     remember(std::string_view(n.key))};
    keys.emplace_back(n.key);
  }
  return check_names(keys);
}

inline result<void> check_tensors(span<const tensor_to_save> tensors) {
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (tensors[i].name == nullptr)
      return failure{errc::invalid_argument, "ctlm: tensor number {where} of those to be saved has no name", i};
    if (tensors[i].rank > stored_tensor::most_dimensions)
      return failure{errc::invalid_argument,
                     "ctlm: {name} has {had} dimensions, at most {needed} are written",
                     i,
                     stored_tensor::most_dimensions,
                     tensors[i].rank,
                     remember(std::string_view(tensors[i].name))};
    names.emplace_back(tensors[i].name);
  }
  return check_names(names);
}

inline result<std::string> header_of(span<const tensor_to_save> tensors, span<const safetensors_note> notes) {
  header_writer header;
  for (std::size_t i = 0; i < notes.size(); ++i) header.note(notes[i], i == 0);
  if (!notes.empty()) header.end_of_notes();
  std::size_t end = 0;
  for (const tensor_to_save& t : tensors) {
    const auto count = count_of(t, end);
    if (!count) return count.error();
    const std::size_t begin = end;
    end += *count * type_bytes[static_cast<std::size_t>(t.type)];
    header.tensor(t, begin, end);
  }
  const std::string& text = header.finished();
  if (text.size() > most_header_bytes)
    return failure{errc::unsupported, "ctlm: the header would have {needed} bytes, a safetensors file allows {had}", 0,
                   text.size(), most_header_bytes};
  return text;
}

}  // namespace safetensors_detail

/// Makes `path` a safetensors file of these tensors, in this order, or leaves it as it was (replace_file). The same
/// tensors give the same bytes.
///
/// `produce(i, out)`, which returns a result<void>, is called for each tensor: it gives its numbers to
/// out.put(numbers, n), in as many calls as it likes. Memory is taken for the header and a buffer of 256 KiB.
///
/// Errors: those of replace_file and of `produce`; errc::invalid_argument for names, shapes or counts of numbers that
/// do not fit, before the file is replaced.
template <class Produce>
requires std::is_invocable_r_v<result<void>, Produce, std::size_t, safetensors_writer&> result<void> save_safetensors(
    const char* path, span<const tensor_to_save> tensors, Produce&& produce, span<const safetensors_note> notes = {}) {
  using namespace safetensors_detail;
  return or_out_of_memory(file_detail::no_memory, [&]() -> result<void> {
    if (const auto r = check_notes(notes); !r) return r;
    if (const auto r = check_tensors(tensors); !r) return r;
    const auto header = header_of(tensors, notes);
    if (!header) return header.error();
    return replace_file(path, [&](int descriptor) -> result<void> {
      safetensors_writer out(descriptor);
      const std::uint64_t length = header->size();
      if (const auto r = out.put_bytes(&length, sizeof length); !r) return r;
      if (const auto r = out.put_bytes(header->data(), header->size()); !r) return r;
      for (std::size_t i = 0; i < tensors.size(); ++i) {
        out.begin(tensors[i].name, tensors[i].type, *count_of(tensors[i], 0));
        if (const result<void> r = produce(i, out); !r) return r;
        if (const auto r = out.end(); !r) return r;
      }
      return out.flush();
    });
  });
}

}}  // namespace ctlm
