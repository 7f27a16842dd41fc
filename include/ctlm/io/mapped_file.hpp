// SPDX-License-Identifier: MIT
// ctlm: a file mapped into memory, read-only: weights that are read from the disk when they are first used, shared by
// all processes that map them, and dropped by the system when memory runs short.
#pragma once

#include "../core/span.hpp"
#include "file.hpp"

#include <sys/mman.h>

namespace ctlm { inline namespace CTLM_ABI {

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

  static result<mapped_file> open(const char* path) {
    const auto file = open_to_read(path);
    if (!file) return file.error();
    const auto size = file_size(file->get());
    if (!size) return size.error();
    mapped_file m;
    if (*size == 0) return result<mapped_file>(static_cast<mapped_file&&>(m));
    void* const data = ::mmap(nullptr, *size, PROT_READ, MAP_SHARED, file->get(), 0);
    if (data == MAP_FAILED) return system_failure("ctlm: the file could not be mapped into memory");
    m.data_ = data;
    m.size_ = *size;
    return result<mapped_file>(static_cast<mapped_file&&>(m));
  }

  /// The file's bytes, at the beginning of a page.
  span<const std::byte> bytes() const { return {static_cast<const std::byte*>(data_), size_}; }

 private:
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

}}  // namespace ctlm
