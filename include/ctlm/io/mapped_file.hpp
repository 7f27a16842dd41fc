// SPDX-License-Identifier: MIT
// ctlm: a file mapped into memory, read-only: weights that are read from the disk when they are first used, shared by
// all processes that map them, and dropped by the system when memory runs short.
#pragma once

#include "../core/span.hpp"
#include "file.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The file must not become shorter while it is mapped: to read bytes that are gone ends the program (SIGBUS), and so
/// does a disk that fails. write_image is safe to use meanwhile: it puts a new file in the place of the old one, which
/// stays for those who have it mapped. Whoever cannot rely on that reads the file (read_file) instead.
///
/// `auto file = mapped_file::open("model.ctlm").value();  auto weights = bind_image<lm>(file.bytes()).value();`
class mapped_file {
 public:
  mapped_file() = default;
  mapped_file(mapped_file&& other) noexcept : data_(other.data_), size_(other.size_) {
    other.data_ = nullptr;
    other.size_ = 0;
  }
  mapped_file& operator=(mapped_file&& other) noexcept {
    void* const data = data_;
    const std::size_t size = size_;
    data_ = other.data_;
    size_ = other.size_;
    other.data_ = data;
    other.size_ = size;
    return *this;
  }
  ~mapped_file() {
    if (data_ != nullptr) ::munmap(data_, size_);
  }

  /// Maps a regular file; an empty one has no bytes.
  static result<mapped_file> open(const char* path) {
    const auto file = open_to_read(path);
    if (!file) return file.error();
    const auto size = file_size(file->get());
    if (!size) return size.error();
    mapped_file m;
    if (*size == 0) return result<mapped_file>(static_cast<mapped_file&&>(m));
    void* const data = system_calls::map(*size, PROT_READ, file->get());
    if (data == MAP_FAILED)
      return system_failure(
          "ctlm: the {needed} bytes of the file could not be mapped into memory (system error {where})", *size);
    m.data_ = data;
    m.size_ = *size;
    return result<mapped_file>(static_cast<mapped_file&&>(m));
  }

  /// The file's bytes, at the beginning of a page.
  span<const std::byte> bytes() const { return {static_cast<const std::byte*>(data_), size_}; }

  /// Says that some of its bytes will not be read for a while: the pages that lie wholly among them leave this
  /// process's memory until they are touched again. Bytes of anything else are left alone.
  void release(span<const std::byte> part) const {
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    const auto base = reinterpret_cast<std::uintptr_t>(data_), begin = reinterpret_cast<std::uintptr_t>(part.data());
    if (data_ == nullptr || begin < base || begin - base > size_ || part.size() > size_ - (begin - base)) return;
    const auto first = (begin - base + page - 1) / page * page, last = (begin - base + part.size()) / page * page;
    if (first < last) ::madvise(static_cast<std::byte*>(data_) + first, last - first, MADV_DONTNEED);
  }

 private:
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

}}  // namespace ctlm
