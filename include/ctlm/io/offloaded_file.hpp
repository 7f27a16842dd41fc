// SPDX-License-Identifier: MIT
// ctlm: a flash image of which parts are read into memory, whole pages at a time.
#pragma once

#include "../memory/plan.hpp"
#include "../model/flash_image.hpp"
#include "file.hpp"

#include <atomic>

namespace ctlm { inline namespace CTLM_ABI {

/// How the file is read: through the system's cache of files, or past it. Direct reads take nothing of that cache away
/// from other files, and are as fast as the disk. Not every file system can (tmpfs cannot).
enum class file_access : std::uint8_t {
  buffered,  ///< through the system's cache
  direct     ///< past it
};

namespace offload_detail {

/// Direct reads begin and end at multiples of this, in the file and in memory.
inline constexpr std::size_t page = 4096;

inline constexpr const char* no_direct_reads = "ctlm: this file system has no direct reads: use file_access::buffered";

/// Bytes of memory for `bytes` of the file. Reads are of whole pages, and these bytes may begin anywhere in a page.
constexpr std::size_t window_bytes(std::size_t bytes) { return bytes == 0 ? 0 : round_up(bytes, page) + page; }

/// Is this one of the matrices of experts, of which a token needs few?
constexpr bool is_of_experts(const decoder_shape& s, const tensor_info& t) {
  return s.experts > 0 && t.is_matrix() && rule_of(t.id).pieces != one_piece;
}

}  // namespace offload_detail

/// The flash image of a model, open to be read in parts. Several threads may read at the same time.
template <class M>
class offloaded_file {
 public:
  using views = typename M::const_weights;  ///< of the tensors

  /// Opens a file and checks its header and size. Errors: those of check_image_header; errc::not_found, io_error,
  /// truncated, unsupported (direct reads where there are none).
  result<void> open(const char* path, file_access access) {
    close();
    result<void> r = open_file(path, access);
    if (r) r = check();
    if (!r) close();
    return r;
  }
  /// Closes the file, if one is open.
  void close() { file_.close(); }
  /// Whether a file is open.
  explicit operator bool() const { return static_cast<bool>(file_); }
  /// Bytes that were read of all files so far.
  std::size_t bytes_read() const { return bytes_.load(std::memory_order_relaxed); }

  /// Views of all tensors, as if the file's weights began at the address `page`: differences of addresses are then
  /// offsets in the file. Nothing is there.
  const views& layout() const { return layout_; }
  /// Where `bytes` bytes of the layout lie when they have been read to the window `to`: p becomes that address. Returns
  /// the window behind this one.
  template <class T>
  static std::byte* locate(T*& p, std::size_t bytes, std::byte* to) {
    if (bytes == 0) return to;
    p = reinterpret_cast<T*>(to + offset_of(p) % offload_detail::page);
    return to + offload_detail::window_bytes(bytes);
  }
  /// Reads `bytes` bytes of the layout, from p on, to the window `to`, of window_bytes. `name` is the tensor's.
  result<void> read(const void* p, std::size_t bytes, std::byte* to, const char* name) const {
    if (bytes == 0) return {};
    const std::size_t offset = offset_of(p), lead = offset % offload_detail::page;
    return read_window(to, offset - lead, lead + bytes, name);
  }

 private:
  static views make_layout() {
    binding_arena<const std::byte> file_arena(base(), M::weight_bytes);
    views all;
    all.place(file_arena);
    return all;
  }
  static const std::byte* base() {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): nothing is there, and nothing is read
    return reinterpret_cast<const std::byte*>(offload_detail::page);
  }
  static std::size_t offset_of(const void* p) {
    return sizeof(image_header) + static_cast<std::size_t>(static_cast<const std::byte*>(p) - base());
  }

  result<void> open_file(const char* path, file_access access) {
    direct_ = access == file_access::direct;
#ifdef O_DIRECT
    auto f = open_to_read(path, direct_ ? O_DIRECT : 0);
    if (!f && direct_ && f.error().where == EINVAL) return failure{errc::unsupported, offload_detail::no_direct_reads};
#else
    if (direct_) return failure{errc::unsupported, offload_detail::no_direct_reads};
    auto f = open_to_read(path);
#endif
    if (!f) return f.error();
    file_ = static_cast<file_handle&&>(*f);
    return {};
  }

  result<void> check() {
    const auto size = file_size(file_.get());
    if (!size) return size.error();
    alignas(offload_detail::page) std::byte first[offload_detail::page];
    auto cut_off = [&](std::size_t needed) {
      return failure{errc::truncated, "ctlm: this flash image is cut off: it needs {needed} bytes and has {had}", *size,
                     needed, *size};
    };
    if (*size < sizeof(image_header)) return cut_off(sizeof(image_header));
    if (const auto r = read_window(first, 0, sizeof(image_header), "header"); !r) return r;
    image_header h;
    __builtin_memcpy(&h, first, sizeof h);
    if (const auto r = check_image_header<M>(h); !r) return r;
    if (*size - sizeof h < M::weight_bytes) return cut_off(sizeof h + M::weight_bytes);
    return {};
  }

  /// Reads whole pages, from `offset` on, until the first `bytes` are there; the last page of a file may be short. If a
  /// read ends within a page, a direct read has to begin at that page again. If it then brings nothing new, the file
  /// has ended.
  result<void> read_window(std::byte* to, std::size_t offset, std::size_t bytes, const char* name) const {
    const std::size_t room = round_up(bytes, offload_detail::page);
    std::size_t got = 0;
    while (got < bytes) {
      const std::size_t at = direct_ ? got - got % offload_detail::page : got;
      const std::size_t part = smaller(room - at, file_detail::most_per_call);
      const ssize_t n = uninterrupted(
          [&] { return system_calls::read_at(file_.get(), to + at, part, static_cast<off_t>(offset + at)); });
      if (n < 0)
        return system_failure(
            "ctlm: offloaded weights could not be read (system error {where}): {had} of {needed} "
            "bytes were",
            bytes, got);
      bytes_.fetch_add(static_cast<std::size_t>(n), std::memory_order_relaxed);
      const std::size_t end = at + static_cast<std::size_t>(n);
      if (end <= got)
        return failure{errc::truncated,
                       "ctlm: offloaded weights end too early: {name} needs {needed} bytes at byte {where}, {had} are "
                       "there",
                       offset,
                       bytes,
                       got,
                       name};
      got = end;
    }
    return {};
  }

  const views layout_ = make_layout();
  file_handle file_;
  bool direct_ = false;
  mutable std::atomic<std::size_t> bytes_{0};
};

}}  // namespace ctlm
