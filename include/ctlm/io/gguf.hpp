// SPDX-License-Identifier: MIT
// ctlm: reading GGUF files: metadata and tensors as views of the mapped file, everything checked before it is used.
#pragma once

#include "../memory/out_of_memory.hpp"
#include "gguf_metadata.hpp"
#include "gguf_tensors.hpp"
#include "mapped_file.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// What the bytes of a GGUF file hold (versions 2 and 3, lowest byte first): a tensor_source. The bytes must outlive
/// it.
///
/// A file is refused, with the place and with what was needed and found, where it is cut off or does not keep to the
/// format: counts, sizes, types, alignment, names twice, tensors that overlap, have holes between them or bytes behind
/// them. The lists take at most as much memory as the file has bytes, and a megabyte.
class gguf_view {
  auto names() const {
    return [this](std::size_t i) { return gguf_detail::view_of(tensors_[i].name); };
  }

 public:
  gguf_view() = default;
  /// Reads the header and checks all of the file; nothing is copied but the lists. Errors: errc::truncated, corrupt,
  /// unsupported (another version or byte order, an encoding that ctlm does not know, an array of arrays, lists that
  /// would take too much memory) and out_of_memory.
  static result<gguf_view> of(span<const std::byte> file) {
    return or_out_of_memory("ctlm: there is not enough memory to list what this GGUF file holds",
                            [&] { return read(file); });
  }

  /// Keys and values that describe the model.
  const gguf_metadata& metadata() const { return metadata_; }
  /// All tensors, in the order in which the file lists them.
  span<const stored_tensor> tensors() const { return tensors_; }
  /// The tensor of this name, or nullptr.
  const stored_tensor* find(const char* name) const { return called(name); }
  const stored_tensor* find(span<const char> name) const { return called(gguf_detail::view_of(name)); }

 private:
  struct head {
    std::size_t values = 0, tensors = 0;
  };
  static constexpr std::size_t bytes_per_tensor = sizeof(stored_tensor) + 2 * sizeof(std::size_t);

  static result<gguf_view> read(span<const std::byte> file) {
    gguf_detail::cursor c(file);
    const auto h = read_head(c);
    if (!h) return h.error();
    if (const auto r = check_counts(file.size(), c.left(), *h); !r) return r.error();
    gguf_view v;
    auto metadata = gguf_metadata::read(c, file.data(), h->values);
    if (!metadata) return metadata.error();
    v.metadata_ = static_cast<gguf_metadata&&>(*metadata);
    if (const auto r = v.read_tensors(c, file, h->tensors); !r) return r.error();
    return result<gguf_view>(static_cast<gguf_view&&>(v));
  }

  /// How the file begins: four letters, a version, two counts.
  static result<head> read_head(gguf_detail::cursor& c) {
    const auto letters = c.number<std::uint32_t>();
    if (!letters) return letters.error();
    if (*letters != 0x46554747)
      return failure{errc::corrupt, "ctlm: this is not a GGUF file: it does not begin with these letters"};
    const auto version = c.number<std::uint32_t>();
    if (!version) return version.error();
    if (*version != 0 && (*version & 0xFFFF) == 0)
      return failure{errc::unsupported, "ctlm: this GGUF file has the highest byte of its numbers first: not read", 4};
    if (*version < 2 || *version > 3)
      return failure{errc::unsupported, "ctlm: this GGUF file has version {had} of the format; 2 and 3 are read", 4, 3,
                     *version};
    const auto tensors = c.number<std::uint64_t>();
    if (!tensors) return tensors.error();
    const auto values = c.number<std::uint64_t>();
    if (!values) return values.error();
    return head{gguf_detail::sayable(*values), gguf_detail::sayable(*tensors)};
  }

  /// Before memory is asked for: can the file hold so much, and may the lists of it be so long?
  static result<void> check_counts(std::size_t size, std::size_t left, const head& h) {
    using namespace gguf_detail;
    auto beyond = [&](const char* what, std::size_t where, std::size_t count) {
      return failure{errc::corrupt, what, where, count, left};
    };
    if (h.tensors > left / least_tensor_bytes)
      return beyond("ctlm: this GGUF file would have {needed} tensors, in {had} bytes", 8, h.tensors);
    if (h.values > left / least_value_bytes)
      return beyond("ctlm: this GGUF file would have {needed} values of metadata, in {had} bytes", 16, h.values);
    const std::uint64_t needed =
        std::uint64_t{h.tensors} * bytes_per_tensor + std::uint64_t{h.values} * gguf_metadata::bytes_per_value;
    const std::uint64_t most = std::uint64_t{size} + 1'000'000;
    if (needed > most)
      return failure{
          errc::unsupported,
          "ctlm: to list what this GGUF file holds would take {needed} bytes of memory; at most its own size "
          "and a megabyte are spent, {had}",
          8, sayable(needed), sayable(most)};
    return {};
  }

  result<void> read_tensors(gguf_detail::cursor& c, span<const std::byte> file, std::size_t count) {
    const auto alignment = metadata_.alignment();
    if (!alignment) return alignment.error();
    std::vector<std::uint64_t> offsets(count);
    tensors_.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      const auto t = gguf_detail::read_tensor(c, offsets[i]);
      if (!t) return t.error();
      tensors_.push_back(*t);
    }
    const std::size_t past = c.offset() % *alignment;  // bytes past the last multiple
    const std::size_t padding = smaller(past == 0 ? 0 : *alignment - past, c.left());
    const std::size_t first = c.offset() + padding;
    const auto data = file.subspan(first);
    for (std::size_t i = 0; i < count; ++i)
      if (const auto r = gguf_detail::place(tensors_[i], offsets[i], data, first, *alignment); !r) return r;
    if (const auto r = check_order(data, first, *alignment); !r) return r;
    return check_names(file.data());
  }

  /// Tensors in the order of their bytes: each begins at the first multiple of the alignment behind the one before.
  result<void> check_order(span<const std::byte> data, std::size_t first, std::uint32_t alignment) const {
    std::vector<std::size_t> order(tensors_.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    auto offset_of = [&](std::size_t i) { return static_cast<std::size_t>(tensors_[i].bytes.data() - data.data()); };
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return offset_of(a) < offset_of(b); });
    std::uint64_t next = 0;
    for (const std::size_t i : order) {
      const std::size_t begin = offset_of(i);
      if (begin != next)
        return failure{errc::corrupt,
                       begin < next
                           ? "ctlm: tensor {name} of this GGUF file overlaps another: it begins at byte {had}, and the "
                             "other's bytes and padding end at byte {needed}"
                           : "ctlm: this GGUF file has a hole before tensor {name}, which begins at byte {had} and "
                             "not at byte {needed}",
                       first + begin,
                       gguf_detail::sayable(first + next),
                       first + begin,
                       remember(tensors_[i].name)};
      next = begin + tensors_[i].bytes.size();
      next += next % alignment == 0 ? 0 : alignment - next % alignment;
    }
    if (data.size() > next)
      return failure{
          errc::corrupt,
          "ctlm: this GGUF file goes on behind its tensors, which end at byte {where}: it has {had} bytes more",
          gguf_detail::sayable(first + next), 0, gguf_detail::sayable(data.size() - next)};
    return {};
  }

  result<void> check_names(const std::byte* file) {
    const std::size_t second = by_name_.build(tensors_.size(), names());
    if (second == tensors_.size()) return {};
    const span<const char> name = tensors_[second].name;
    return failure{errc::corrupt,
                   "ctlm: this GGUF file has two tensors called {name} (the second at byte {where})",
                   static_cast<std::size_t>(reinterpret_cast<const std::byte*>(name.data()) - file),
                   0,
                   0,
                   remember(name)};
  }

  const stored_tensor* called(std::string_view name) const {
    const std::size_t i = by_name_.find(name, names());
    return i < tensors_.size() ? &tensors_[i] : nullptr;
  }

  gguf_metadata metadata_;
  std::vector<stored_tensor> tensors_;
  gguf_detail::name_index by_name_;
};

/// An open GGUF file: a tensor_source that keeps its file mapped (mapped_file says what that asks of the file).
///
/// `const auto file = gguf_file::open("model.gguf").value();  file.metadata().find("llama.block_count")->as_integer()`
class gguf_file {
 public:
  /// Maps the file and reads it. Errors: those of mapped_file::open and of gguf_view::of.
  static result<gguf_file> open(const char* path) {
    auto mapped = mapped_file::open(path);
    if (!mapped) return mapped.error();
    auto view = gguf_view::of(mapped->bytes());
    if (!view) return view.error();
    gguf_file f;
    f.file_ = static_cast<mapped_file&&>(*mapped);
    f.view_ = static_cast<gguf_view&&>(*view);
    return result<gguf_file>(static_cast<gguf_file&&>(f));
  }

  /// Keys and values that describe the model.
  const gguf_metadata& metadata() const { return view_.metadata(); }
  /// All tensors, in the order in which the file lists them.
  span<const stored_tensor> tensors() const { return view_.tensors(); }
  /// The tensor of this name, or nullptr.
  const stored_tensor* find(const char* name) const { return view_.find(name); }
  const stored_tensor* find(span<const char> name) const { return view_.find(name); }

 private:
  mapped_file file_;
  gguf_view view_;
};
static_assert(tensor_source<gguf_view> && tensor_source<gguf_file>);

}}  // namespace ctlm
