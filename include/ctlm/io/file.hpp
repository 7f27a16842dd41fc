// SPDX-License-Identifier: MIT
// ctlm: reading files, and what the system's errors mean. replace.hpp writes them.
#pragma once

#include "../memory/out_of_memory.hpp"
#include "system.hpp"

#include <limits>
#include <string>

namespace ctlm { inline namespace CTLM_ABI {

/// A file descriptor that closes itself.
class file_handle {
 public:
  file_handle() = default;
  /// Takes over an open descriptor; a negative one is none.
  explicit file_handle(int descriptor) : descriptor_(descriptor) {}
  file_handle(file_handle&& other) noexcept : descriptor_(other.release()) {}
  file_handle& operator=(file_handle&& other) noexcept {
    if (this != &other) {
      close();
      descriptor_ = other.release();
    }
    return *this;
  }
  ~file_handle() { close(); }

  explicit operator bool() const { return descriptor_ >= 0; }
  /// The descriptor, or -1; it stays this object's.
  int get() const { return descriptor_; }
  /// Closes the file. False if the system could not write what it had buffered. A signal that interrupts the call does
  /// not matter: the file is closed all the same.
  bool close() {
    const int d = release();
    return d < 0 || system_calls::close(d) == 0 || errno == EINTR;
  }
  /// The descriptor, which is the caller's to close from now on.
  int release() {
    const int d = descriptor_;
    descriptor_ = -1;
    return d;
  }

 private:
  int descriptor_ = -1;
};

/// The failure that errno stands for. `what` is for errors without words of their own; {where} in it is the number that
/// the system gave, {needed} and {had} are what the caller says.
CTLM_NOINLINE inline failure system_failure(const char* what, std::size_t needed = 0, std::size_t had = 0) {
  const int number = errno;
  auto say = [&](errc code, const char* words) {
    return failure{code, words, static_cast<std::size_t>(number), needed, had};
  };
  switch (number) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return say(errc::disk_full,
                 needed == 0 ? "ctlm: the disk is full (or the file size limit is reached)"
                             : "ctlm: the disk is full (or the file size limit is reached): {needed} bytes were to be "
                               "written, {had} could be");
    case ENOENT:
      return say(errc::not_found, "ctlm: no such file or folder");
    case ENOTDIR:
      return say(errc::not_found, "ctlm: a part of the path is not a folder");
    case EISDIR:
      return say(errc::io_error, "ctlm: this is a folder, not a file");
    case EACCES:
    case EPERM:
    case EROFS:
      return say(errc::io_error, "ctlm: permission denied");
    case ELOOP:
      return say(errc::io_error, "ctlm: too many symbolic links lead to this file");
    case ENAMETOOLONG:
      return say(errc::io_error, "ctlm: the file's name, or its path, is longer than the system allows");
    case EMFILE:
    case ENFILE:
      return say(errc::io_error, "ctlm: too many files are open");
    case EOVERFLOW:
      return say(errc::unsupported, "ctlm: this file is too large for a program of this kind");
    case ENOMEM:
      return say(errc::out_of_memory, "ctlm: the system has not enough memory for this file");
    default:
      return say(errc::io_error, what);
  }
}

namespace file_detail {

inline constexpr const char* no_memory = "ctlm: there is not enough memory to read or write this file";

/// At most this much per call: some systems refuse more.
inline constexpr std::size_t most_per_call = std::size_t(1) << 30;

inline result<void> check_path(const char* path) {
  if (path == nullptr) return failure{errc::invalid_argument, "ctlm: a file's path is a null pointer"};
  if (*path == '\0') return failure{errc::invalid_argument, "ctlm: a file's path is empty"};
  return {};
}

}  // namespace file_detail

/// Reads exactly n bytes; `offset`, where they lie in the file, is reported with a failure.
CTLM_NOINLINE inline result<void> read_exactly(int descriptor, void* data, std::size_t n, std::size_t offset) {
  auto* p = static_cast<char*>(data);
  for (std::size_t had = 0; had < n;) {
    const std::size_t part = smaller(n - had, file_detail::most_per_call);
    const ssize_t got = uninterrupted([&] { return system_calls::read(descriptor, p + had, part); });
    if (got < 0)
      return system_failure("ctlm: the file could not be read (system error {where}): {had} of {needed} bytes were", n,
                            had);
    if (got == 0)
      return failure{errc::truncated,
                     "ctlm: the file ends too early: {needed} bytes were expected at byte {where}, "
                     "{had} are there",
                     offset, n, had};
    had += static_cast<std::size_t>(got);
  }
  return {};
}

/// Writes exactly n bytes.
CTLM_NOINLINE inline result<void> write_exactly(int descriptor, const void* data, std::size_t n) {
  const auto* p = static_cast<const char*>(data);
  for (std::size_t had = 0; had < n;) {
    const std::size_t part = smaller(n - had, file_detail::most_per_call);
    errno = 0;
    const ssize_t put = uninterrupted([&] { return system_calls::write(descriptor, p + had, part); });
    if (put <= 0)
      return system_failure("ctlm: the file could not be written (system error {where}): {had} of {needed} bytes were",
                            n, had);
    had += static_cast<std::size_t>(put);
  }
  return {};
}

/// Opens a file. Does not wait for the other end of a pipe; file_size() refuses what is not a regular file.
CTLM_NOINLINE inline result<file_handle> open_to_read(const char* path, int more_flags = 0) {
  if (const auto r = file_detail::check_path(path); !r) return r.error();
  file_handle f(uninterrupted([&] {
    return system_calls::open_at(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | more_flags, 0);
  }));
  if (!f) return system_failure("ctlm: the file could not be opened (system error {where})");
  return result<file_handle>(static_cast<file_handle&&>(f));
}

/// Bytes of a regular file; anything else (a folder, a device, a pipe) is a failure.
CTLM_NOINLINE inline result<std::size_t> file_size(int descriptor) {
  struct stat s {};
  if (uninterrupted([&] { return system_calls::status(descriptor, &s); }) != 0)
    return system_failure("ctlm: the file's size could not be read (system error {where})");
  if (S_ISDIR(s.st_mode)) return failure{errc::io_error, "ctlm: this is a folder, not a file"};
  if (!S_ISREG(s.st_mode)) return failure{errc::io_error, "ctlm: this is a device or a pipe, not a file"};
  if (static_cast<std::uint64_t>(s.st_size) > std::numeric_limits<std::size_t>::max())
    return failure{errc::unsupported, "ctlm: this file is larger than this machine can address"};
  return static_cast<std::size_t>(s.st_size);
}

/// What read_file takes unless it is told otherwise.
inline constexpr std::size_t largest_read = std::size_t(1) << 30;

/// The whole of a regular file, of at most `most` bytes: a larger one is refused before memory is asked for. Files
/// whose size the system does not tell (in /proc) are read to their end all the same.
inline result<std::string> read_file(const char* path, std::size_t most = largest_read) {
  return or_out_of_memory(file_detail::no_memory, [&]() -> result<std::string> {
    auto f = open_to_read(path);
    if (!f) return f.error();
    const auto size = file_size(f->get());
    if (!size) return size.error();
    auto too_large = [&](std::size_t bytes) {
      return failure{errc::out_of_memory,
                     "ctlm: this file is too large to be read at once: it has {needed} bytes or more, the limit is "
                     "{had}",
                     0, bytes, most};
    };
    if (*size > most) return too_large(*size);
    std::string text(larger(*size + 1, 4096), '\0');  // one more, to notice the end
    std::size_t had = 0;
    for (;;) {
      if (had == text.size()) text.resize(had + larger(had, 4096));
      const std::size_t part = smaller(text.size() - had, file_detail::most_per_call);
      const ssize_t got = uninterrupted([&] { return system_calls::read(f->get(), text.data() + had, part); });
      if (got < 0)
        return system_failure("ctlm: the file could not be read (system error {where}): {had} of {needed} bytes were",
                              *size, had);
      if (got == 0) break;
      had += static_cast<std::size_t>(got);
      if (had > most) return too_large(had);
    }
    if (had < *size)
      return failure{errc::truncated, "ctlm: the file became shorter while it was read: {needed} bytes, then {had}",
                     had, *size, had};
    text.resize(had);
    return result<std::string>(static_cast<std::string&&>(text));
  });
}

}}  // namespace ctlm
