// SPDX-License-Identifier: MIT
// ctlm: files: reading whole ones, and replacing one in a single step so that a crash or a full disk loses nothing.
#pragma once

#include "../core/result.hpp"

#include <sys/stat.h>
#include <cerrno>
#include <cstdio>
#include <string>

#include <fcntl.h>
#include <unistd.h>

namespace ctlm { inline namespace CTLM_ABI {

/// A file descriptor that closes itself.
class file_handle {
 public:
  file_handle() = default;
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
  int get() const { return descriptor_; }
  /// False if the system could not write what it had buffered.
  bool close() {
    const int d = release();
    return d < 0 || ::close(d) == 0;
  }

 private:
  int release() {
    const int d = descriptor_;
    descriptor_ = -1;
    return d;
  }
  int descriptor_ = -1;
};

/// The failure that errno stands for.
inline failure system_failure(const char* what) {
  switch (errno) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return {errc::disk_full, "ctlm: the disk is full (or the file size limit is reached)"};
    case ENOENT:
      return {errc::not_found, "ctlm: no such file or folder"};
    case ENOTDIR:
      return {errc::not_found, "ctlm: a part of the path is not a folder"};
    case EISDIR:
      return {errc::io_error, "ctlm: this is a folder, not a file"};
    case EACCES:
    case EPERM:
    case EROFS:
      return {errc::io_error, "ctlm: permission denied"};
    default:
      return {errc::io_error, what};
  }
}

/// Reads exactly n bytes; `offset` is reported with a failure.
inline result<void> read_exactly(int descriptor, void* data, std::size_t n, std::size_t offset) {
  auto* p = static_cast<char*>(data);
  while (n > 0) {
    const ssize_t got = ::read(descriptor, p, n);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_failure("ctlm: the file could not be read");
    if (got == 0) return failure{errc::truncated, "ctlm: the file ends too early", offset};
    p += got;
    n -= static_cast<std::size_t>(got);
    offset += static_cast<std::size_t>(got);
  }
  return {};
}

inline result<void> write_exactly(int descriptor, const void* data, std::size_t n) {
  const auto* p = static_cast<const char*>(data);
  while (n > 0) {
    const ssize_t put = ::write(descriptor, p, n);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return system_failure("ctlm: the file could not be written");
    p += put;
    n -= static_cast<std::size_t>(put);
  }
  return {};
}

inline result<file_handle> open_to_read(const char* path) {
  file_handle f(::open(path, O_RDONLY | O_CLOEXEC));
  if (!f) return system_failure("ctlm: the file could not be opened");
  return result<file_handle>(static_cast<file_handle&&>(f));
}

inline result<std::size_t> file_size(int descriptor) {
  struct stat s {};
  if (::fstat(descriptor, &s) != 0) return system_failure("ctlm: the file's size could not be read");
  if (S_ISDIR(s.st_mode)) return failure{errc::io_error, "ctlm: this is a folder, not a file"};
  return static_cast<std::size_t>(s.st_size);
}

inline result<std::string> read_file(const char* path) {
  auto f = open_to_read(path);
  if (!f) return f.error();
  const auto size = file_size(f->get());
  if (!size) return size.error();
  std::string text(*size, '\0');
  if (const auto r = read_exactly(f->get(), text.data(), text.size(), 0); !r) return r.error();
  return text;
}

/// Makes `path` hold what `write(descriptor)` writes, or leaves it as it was: a temporary file beside it is written,
/// flushed to the disk and renamed.
template <class Write>
requires std::is_invocable_v<Write, int> result<void> replace_file(const char* path, Write&& write) {
  const std::string temporary = std::string(path) + ".tmp";
  file_handle f(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!f) return system_failure("ctlm: the file could not be created");
  result<void> r = write(f.get());
  if (r && ::fsync(f.get()) != 0) r = system_failure("ctlm: the file could not be flushed to the disk");
  if (!f.close() && r) r = system_failure("ctlm: the file could not be closed");
  if (r && std::rename(temporary.c_str(), path) != 0) r = system_failure("ctlm: the file could not be renamed");
  if (!r) {
    ::unlink(temporary.c_str());
    return r;
  }
  const std::string all(path);
  const auto slash = all.rfind('/');
  file_handle folder(::open(slash == std::string::npos ? "." : all.substr(0, slash + 1).c_str(), O_RDONLY | O_CLOEXEC));
  if (folder) ::fsync(folder.get());  // the new name reaches the disk as well
  return {};
}

inline result<void> replace_file(const char* path, const std::string& text) {
  return replace_file(path, [&](int d) { return write_exactly(d, text.data(), text.size()); });
}

}}  // namespace ctlm
