#include "faults.hpp"

#include <ctlm/io/system.hpp>

static_assert(CTLM_USER_FILES, "this program defines the system calls of ctlm itself");

fault_plan faults;

namespace {

/// Counts a call; its error if it is the one that fails, otherwise 0.
int strike(const char* call, const char* name = "") {
  if (!faults.armed) return 0;
  if (faults.before) faults.before(call, name);
  return faults.calls++ == faults.at ? faults.error : 0;
}
bool fails(const char* call, const char* name = "") {
  const int error = strike(call, name);
  if (error > 0) errno = error;
  return error > 0;
}
/// Bytes that a read or write is allowed to do; 0 if it fails.
std::size_t allowed(const char* call, std::size_t n) {
  const int error = strike(call);
  if (error > 0) return errno = error, 0;
  if (error == fault_plan::cut_short) return n < 1 ? n : 1;
  return faults.armed && n > faults.most ? faults.most : n;
}

}  // namespace

namespace ctlm { inline namespace CTLM_ABI { namespace system_calls {

int open_at(int folder, const char* path, int flags, mode_t mode) noexcept {
  return fails((flags & O_CREAT) != 0 ? "create" : "open", path) ? -1 : ::openat(folder, path, flags, mode);
}
int close(int file) noexcept {  // as on Linux: closed, whatever the answer
  const bool failed = fails("close");
  const int error = errno, answer = ::close(file);
  if (!failed) return answer;
  errno = error;
  return -1;
}
ssize_t read(int file, void* to, std::size_t n) noexcept {
  n = allowed("read", n);
  return n == 0 ? -1 : ::read(file, to, n);
}
ssize_t read_at(int file, void* to, std::size_t n, off_t offset) noexcept {
  n = allowed("read_at", n);
  return n == 0 ? -1 : ::pread(file, to, n, offset);
}
ssize_t write(int file, const void* from, std::size_t n) noexcept {
  n = allowed("write", n);
  return n == 0 ? -1 : ::write(file, from, n);
}
off_t seek(int file, off_t offset) noexcept { return fails("seek") ? -1 : ::lseek(file, offset, SEEK_SET); }
int status(int file, struct stat* s) noexcept { return fails("status") ? -1 : ::fstat(file, s); }
int status_at(int folder, const char* name, struct stat* s) noexcept {
  return fails("status_at", name) ? -1 : ::fstatat(folder, name, s, AT_SYMLINK_NOFOLLOW);
}
ssize_t read_link(int folder, const char* name, char* to, std::size_t n) noexcept {
  return fails("read_link", name) ? -1 : ::readlinkat(folder, name, to, n);
}
int lock(int file) noexcept { return fails("lock") ? -1 : ::flock(file, LOCK_EX | LOCK_NB); }
int change_mode(int file, mode_t mode) noexcept { return fails("change_mode") ? -1 : ::fchmod(file, mode); }
int flush(int file) noexcept { return fails("flush") ? -1 : ::fsync(file); }
int rename_at(int folder, const char* from, const char* to) noexcept {
  return fails("rename", from) ? -1 : ::renameat(folder, from, folder, to);
}
int remove_at(int folder, const char* name) noexcept {
  return fails("remove", name) ? -1 : ::unlinkat(folder, name, 0);
}
DIR* list(int folder) noexcept { return fails("list") ? nullptr : ::fdopendir(folder); }
dirent* next(DIR* entries) noexcept { return fails("next") ? nullptr : ::readdir(entries); }
int close_list(DIR* entries) noexcept { return (fails("close_list") ? -1 : 0) | ::closedir(entries); }
void* map(std::size_t bytes, int protection, int file) noexcept {
  if (fails("map") && errno != EINTR) return MAP_FAILED;  // no signal interrupts mmap
  return ::mmap(nullptr, bytes, protection, MAP_SHARED, file, 0);
}
int reserve(int file, off_t bytes) noexcept {
  return fails("reserve") ? errno : (::ftruncate(file, bytes) == 0 ? 0 : errno);
}

}}}  // namespace ctlm
