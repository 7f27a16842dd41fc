// SPDX-License-Identifier: MIT
// ctlm: an arena on the disk, for what may leave memory between two uses: a KV cache, the state of an optimizer.
//
//   auto disk = ctlm::spill_arena::create("/var/tmp", trainer::state_bytes).value();
//   ctlm::heap_arena memory(trainer::train_bytes - trainer::state_bytes);
//   trainer t(memory, disk, {...});
#pragma once

#include "../memory/arena.hpp"
#include "file.hpp"

#include <sys/mman.h>
#include <cstdlib>

namespace ctlm { inline namespace CTLM_ABI {

/// Its file has no name and is gone with the arena. The whole of it is reserved at once: a disk that is too full is
/// noticed here, and not in the middle of a training run.
class spill_arena {
 public:
  spill_arena() = default;
  spill_arena(spill_arena&& other) noexcept : data_(other.data_), size_(other.size_), use_(other.use_) {
    other.data_ = nullptr;
    other.size_ = 0;
    other.use_ = arena_use();
  }
  spill_arena& operator=(spill_arena&&) = delete;
  ~spill_arena() {
    if (data_ != nullptr) ::munmap(data_, size_);
  }

  /// Takes `bytes` of the disk that `folder` is on.
  static result<spill_arena> create(const char* folder, std::size_t bytes) {
    std::string name = std::string(folder) + "/ctlm_spill_XXXXXX";
    file_handle file(::mkostemp(name.data(), O_CLOEXEC));
    if (!file) return system_failure("ctlm: no file could be created in this folder");
    ::unlink(name.c_str());
    bytes = larger(1, bytes);
    errno = ::posix_fallocate(file.get(), 0, static_cast<off_t>(bytes));
    if (errno != 0) return system_failure("ctlm: no room on the disk could be reserved");
    void* const data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    if (data == MAP_FAILED) return system_failure("ctlm: the file could not be mapped into memory");
    spill_arena a;
    a.data_ = static_cast<std::byte*>(data);
    a.size_ = bytes;
    return result<spill_arena>(static_cast<spill_arena&&>(a));
  }

  template <class T>
  T* allocate(std::size_t n) {
    return use_.take<T>(data_, size_, n);
  }
  std::size_t mark() const { return use_.bytes(); }
  void rewind(std::size_t m) { use_.rewind(size_, m); }
  std::size_t remaining() const { return size_ - use_.bytes(); }

  /// The pages that lie wholly in [p, p + bytes) leave this process's memory until they are touched again.
  void release(const void* p, std::size_t bytes) const {
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    const auto first = (reinterpret_cast<std::uintptr_t>(p) + page - 1) / page * page;
    const auto last = (reinterpret_cast<std::uintptr_t>(p) + bytes) / page * page;
    if (first < last) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
  }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  arena_use use_{};
};

}}  // namespace ctlm
