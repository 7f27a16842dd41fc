// SPDX-License-Identifier: MIT
// ctlm: the system calls that read and replace files, in one place. With CTLM_USER_FILES=1 a program defines them
// itself: ctlm's tests do, to make each of them fail.
#pragma once

#include "../core/config.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <cstddef>
#include <cstdio>

namespace ctlm { inline namespace CTLM_ABI {

#if CTLM_USER_FILES
#define CTLM_SYSTEM_CALL(declaration, ...) declaration noexcept;
#else
#define CTLM_SYSTEM_CALL(declaration, ...) \
  inline declaration noexcept { __VA_ARGS__ }
#endif

/// Each does what the call of POSIX does whose name its body shows, and reports failure as that call does: by its value
/// and errno.
namespace system_calls {

CTLM_SYSTEM_CALL(int open_at(int folder, const char* path, int flags, mode_t mode),
                 return ::openat(folder, path, flags, mode);)
CTLM_SYSTEM_CALL(int close(int file), return ::close(file);)
CTLM_SYSTEM_CALL(ssize_t read(int file, void* to, std::size_t n), return ::read(file, to, n);)
CTLM_SYSTEM_CALL(ssize_t read_at(int file, void* to, std::size_t n, off_t offset), return ::pread(file, to, n, offset);)
CTLM_SYSTEM_CALL(ssize_t write(int file, const void* from, std::size_t n), return ::write(file, from, n);)
CTLM_SYSTEM_CALL(off_t seek(int file, off_t offset), return ::lseek(file, offset, SEEK_SET);)
CTLM_SYSTEM_CALL(int status(int file, struct stat* s), return ::fstat(file, s);)
/// Of a link itself, not of what it points to.
CTLM_SYSTEM_CALL(int status_at(int folder, const char* name, struct stat* s),
                 return ::fstatat(folder, name, s, AT_SYMLINK_NOFOLLOW);)
CTLM_SYSTEM_CALL(ssize_t read_link(int folder, const char* name, char* to, std::size_t n),
                 return ::readlinkat(folder, name, to, n);)
/// Without waiting.
CTLM_SYSTEM_CALL(int lock(int file), return ::flock(file, LOCK_EX | LOCK_NB);)
CTLM_SYSTEM_CALL(int change_mode(int file, mode_t mode), return ::fchmod(file, mode);)
#ifdef F_FULLFSYNC  // where fsync stops at the disk's own cache
CTLM_SYSTEM_CALL(int flush(int file), return ::fcntl(file, F_FULLFSYNC) == 0 ? 0 : ::fsync(file);)
#else
CTLM_SYSTEM_CALL(int flush(int file), return ::fsync(file);)
#endif
CTLM_SYSTEM_CALL(int rename_at(int folder, const char* from, const char* to),
                 return ::renameat(folder, from, folder, to);)
CTLM_SYSTEM_CALL(int remove_at(int folder, const char* name), return ::unlinkat(folder, name, 0);)
CTLM_SYSTEM_CALL(DIR* list(int folder), return ::fdopendir(folder);)
CTLM_SYSTEM_CALL(dirent* next(DIR* entries), return ::readdir(entries);)
CTLM_SYSTEM_CALL(int close_list(DIR* entries), return ::closedir(entries);)
CTLM_SYSTEM_CALL(void* map(std::size_t bytes, int protection, int file),
                 return ::mmap(nullptr, bytes, protection, MAP_SHARED, file, 0);)
/// Makes the file `bytes` long, with room on the disk for all of them. Returns an error number.
#ifdef F_PREALLOCATE  // where there is no posix_fallocate
CTLM_SYSTEM_CALL(int reserve(int file, off_t bytes), fstore_t room{F_ALLOCATEALL, F_PEOFPOSMODE, 0, bytes, 0};
                 return ::fcntl(file, F_PREALLOCATE, &room) == 0 && ::ftruncate(file, bytes) == 0 ? 0 : errno;)
#else
CTLM_SYSTEM_CALL(int reserve(int file, off_t bytes), return ::posix_fallocate(file, 0, bytes);)
#endif

}  // namespace system_calls
#undef CTLM_SYSTEM_CALL

/// Makes a call until no signal interrupts it.
template <class Call>
auto uninterrupted(Call call) {
  auto answer = call();
  while (answer < 0 && errno == EINTR) answer = call();
  return answer;
}

}}  // namespace ctlm
