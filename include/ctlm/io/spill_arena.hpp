// SPDX-License-Identifier: MIT
// ctlm: an arena on the disk, for what may leave memory between two uses: a KV cache, the state of an optimizer.
//
//   auto disk = ctlm::spill_arena::create("/var/tmp", trainer::state_bytes).value();
//   ctlm::heap_arena memory(trainer::train_bytes - trainer::state_bytes);
//   trainer t(memory, disk, {...});
#pragma once

#include "../memory/arena.hpp"
#include "replace.hpp"

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
    if (const auto r = file_detail::check_path(folder); !r) return r.error();
    bytes = larger(1, bytes);
    if (bytes > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max()))
      return failure{errc::disk_full, "ctlm: no file has room for {needed} bytes, the most is {had}", 0, bytes,
                     static_cast<std::size_t>(std::numeric_limits<off_t>::max())};
    return or_out_of_memory(file_detail::no_memory,
                            [&] { return create_file(std::string(folder) + "/ctlm_spill_XXXXXX", bytes); });
  }

  /// n elements, or nullptr if so many are not left.
  template <class T>
  T* allocate(std::size_t n) {
    return use_.take<T>(data_, size_, n);
  }
  /// Bytes in use: where rewind() may go back to.
  std::size_t mark() const { return use_.bytes(); }
  /// Gives back everything allocated since mark() returned m.
  void rewind(std::size_t m) { use_.rewind(size_, m); }
  /// Bytes that are left.
  std::size_t remaining() const { return size_ - use_.bytes(); }

  /// The pages that lie wholly in [p, p + bytes) leave this process's memory until they are touched again.
  void release(const void* p, std::size_t bytes) const {
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    const auto begin = reinterpret_cast<std::uintptr_t>(p), first = (begin + page - 1) / page * page;
    const auto last = (begin + bytes) / page * page;
    auto* const memory = static_cast<std::byte*>(const_cast<void*>(p));
    if (first < last) ::madvise(memory + (first - begin), last - first, MADV_DONTNEED);
  }

 private:
  static result<spill_arena> create_file(std::string name, std::size_t bytes) {
    file_handle file(::mkostemp(name.data(), O_CLOEXEC));
    if (!file) return system_failure("ctlm: no file could be created in this folder (system error {where})");
    ::unlink(name.c_str());
    const file_detail::size_limit_as_error limit;
    do errno = system_calls::reserve(file.get(), static_cast<off_t>(bytes));
    while (errno == EINTR);
    if (errno != 0)
      return system_failure("ctlm: {needed} bytes of the disk could not be reserved (system error {where})", bytes);
    void* const data = system_calls::map(bytes, PROT_READ | PROT_WRITE, file.get());
    if (data == MAP_FAILED)
      return system_failure("ctlm: a file of {needed} bytes could not be mapped into memory (system error {where})",
                            bytes);
    spill_arena a;
    a.data_ = static_cast<std::byte*>(data);
    a.size_ = bytes;
    return result<spill_arena>(static_cast<spill_arena&&>(a));
  }

  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  arena_use use_{};
};

}}  // namespace ctlm
