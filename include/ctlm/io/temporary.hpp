// SPDX-License-Identifier: MIT
// ctlm: the temporary file in which a new version of a file is written: who may remove it, and when.
//
// Its name is NAME.tmp-HOST-PROCESS-NUMBER, in the folder of the file NAME (ctlm-HASH.tmp-... where that name would be
// too long). Its writer holds a lock (flock) on it from its creation until it has its final name; the system takes the
// lock away when the writer ends, however it ends. So a temporary file of this host that can be locked belongs to
// nobody. Those of other hosts are left alone: on a network a lock may be known to its own host only.
#pragma once

#include "../core/hash.hpp"
#include "../core/rng.hpp"
#include "file.hpp"

#include <ctime>
#include <string_view>

namespace ctlm { inline namespace CTLM_ABI { namespace file_detail {

/// Where a file is to be written, all symbolic links followed: its folder, its name there, and what is there now.
struct place {
  file_handle folder;
  std::string name;
  bool exists = false;
  mode_t mode = 0666;  // of the file that exists; for a new one, what the umask leaves of this
};

CTLM_NOINLINE inline result<file_handle> open_folder(const std::string& path) {
  auto open_as = [&](int flags) {
    return file_handle(uninterrupted(
        [&] { return system_calls::open_at(AT_FDCWD, path.c_str(), flags | O_DIRECTORY | O_CLOEXEC, 0); }));
  };
  file_handle folder = open_as(O_RDONLY);
#ifdef O_PATH
  if (!folder && errno == EACCES) folder = open_as(O_PATH);  // files can be made in it, and not be listed
#endif
  if (!folder) return system_failure("ctlm: the file's folder could not be opened (system error {where})");
  return result<file_handle>(static_cast<file_handle&&>(folder));
}

/// Follows links from `path` to a regular file, or to where there is none yet.
CTLM_NOINLINE inline result<place> resolve(const char* path) {
  if (const auto r = check_path(path); !r) return r.error();
  std::string at(path);
  for (int links = 0; links <= 40; ++links) {
    const auto slash = at.rfind('/');
    const std::string folder = slash == std::string::npos ? "" : at.substr(0, slash + 1);
    place p;
    p.name = at.substr(folder.size());
    if (p.name.empty())
      return failure{errc::io_error, "ctlm: this path ends in a slash: it names a folder, not a file"};
    auto opened = open_folder(folder.empty() ? "." : folder);
    if (!opened) return opened.error();
    p.folder = static_cast<file_handle&&>(*opened);
    struct stat s {};
    if (uninterrupted([&] { return system_calls::status_at(p.folder.get(), p.name.c_str(), &s); }) != 0) {
      if (errno != ENOENT)
        return system_failure("ctlm: the file to be replaced could not be examined (system error {where})");
      return result<place>(static_cast<place&&>(p));
    }
    if (S_ISDIR(s.st_mode)) return failure{errc::io_error, "ctlm: this is a folder, not a file"};
    if (S_ISREG(s.st_mode)) {
      p.exists = true;
      p.mode = s.st_mode & 0777;
      return result<place>(static_cast<place&&>(p));
    }
    if (!S_ISLNK(s.st_mode))
      return failure{errc::io_error, "ctlm: this is a device or a pipe, which cannot be replaced by a file"};
    char target[4096];
    const ssize_t n =
        uninterrupted([&] { return system_calls::read_link(p.folder.get(), p.name.c_str(), target, sizeof target); });
    if (n < 0 || n == static_cast<ssize_t>(sizeof target)) {
      if (n >= 0) errno = ENAMETOOLONG;
      return system_failure("ctlm: a symbolic link could not be read (system error {where})");
    }
    const std::string to(target, static_cast<std::size_t>(n));
    at = n > 0 && target[0] == '/' ? to : folder + to;
  }
  errno = ELOOP;
  return system_failure("");
}

/// Tells this machine's temporary files from those of others in a shared folder.
inline unsigned host_number() {
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  fingerprint f;
  f.text(name);
  return static_cast<unsigned>(f.value() ^ (f.value() >> 32));
}

/// What temporary names of the file `name` begin with.
inline std::string temporary_stem(const std::string& name, bool short_one) {
  char text[64];
  fingerprint f;
  f.text(name.c_str());
  std::snprintf(text, sizeof text, "ctlm-%016llx", static_cast<unsigned long long>(f.value()));
  std::string stem = short_one ? text : name;
  std::snprintf(text, sizeof text, ".tmp-%08x-", host_number());
  return stem += text;
}

/// A name that hardly anybody else uses: it is made of the time and an address. If somebody does, creating the file
/// fails, and another name is tried.
inline std::string temporary_name(const std::string& stem, std::uint64_t attempt) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  std::uint64_t number = mix(static_cast<std::uint64_t>(now.tv_sec), static_cast<std::uint64_t>(now.tv_nsec));
  number = mix(number, reinterpret_cast<std::uintptr_t>(&now) + attempt);
  char text[64];
  std::snprintf(text, sizeof text, "%ld-%016llx", static_cast<long>(::getpid()),
                static_cast<unsigned long long>(number));
  return stem + text;
}

/// Whether `name` is `stem` and what temporary_name() adds to it: digits, a dash, sixteen hexadecimal digits.
inline bool is_temporary_name(std::string_view name, std::string_view stem) {
  if (name.substr(0, stem.size()) != stem) return false;
  const std::string_view rest = name.substr(stem.size());
  const auto dash = rest.find_first_not_of("0123456789");
  return dash != 0 && dash != std::string_view::npos && rest[dash] == '-' && rest.size() == dash + 17 &&
         rest.find_first_not_of("0123456789abcdef", dash + 1) == std::string_view::npos;
}

inline void remove_if_abandoned(const place& p, const char* name) {
  const file_handle f(uninterrupted(
      [&] { return system_calls::open_at(p.folder.get(), name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0); }));
  struct stat s {};
  if (!f || system_calls::status(f.get(), &s) != 0 || !S_ISREG(s.st_mode)) return;
  if (uninterrupted([&] { return system_calls::lock(f.get()); }) != 0) return;  // somebody writes it
  system_calls::remove_at(p.folder.get(), name);
}

/// Removes what writers of this file left behind when they were killed. What cannot be removed stays: no failure.
inline void remove_abandoned(const place& p) {
  const std::string stems[] = {temporary_stem(p.name, false), temporary_stem(p.name, true)};
  file_handle folder(
      uninterrupted([&] { return system_calls::open_at(p.folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0); }));
  if (!folder) return;
  DIR* const entries = system_calls::list(folder.get());
  if (entries == nullptr) return;
  folder.release();  // the list closes it
  while (const dirent* const entry = system_calls::next(entries))
    for (const std::string& stem : stems)
      if (is_temporary_name(entry->d_name, stem)) remove_if_abandoned(p, entry->d_name);
  system_calls::close_list(entries);
}

/// A new file beside the one at a place, gone with this object unless it took its place.
class temporary_file {
 public:
  explicit temporary_file(const place& p) : place_(p) {}
  temporary_file(const temporary_file&) = delete;
  temporary_file& operator=(const temporary_file&) = delete;
  ~temporary_file() { drop(); }

  int descriptor() const { return file_.get(); }

  result<void> create() {
    constexpr std::size_t attempts = 32;
    bool short_name = false;
    for (std::size_t i = 0; i < attempts; ++i) {
      name_ = temporary_name(temporary_stem(place_.name, short_name), i);
      file_ = file_handle(uninterrupted([&] {
        return system_calls::open_at(place_.folder.get(), name_.c_str(),
                                     O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                                     place_.exists ? mode_t{0600} : place_.mode);
      }));
      if (!file_) {
        if (errno == EEXIST) continue;
        if (errno != ENAMETOOLONG || short_name)
          return system_failure("ctlm: the file could not be created (system error {where})");
        short_name = true;
        continue;
      }
      bool mine = false;
      if (const auto r = take(mine); !r || mine) return r;
      drop();
    }
    return failure{errc::io_error, "ctlm: no temporary file could be created beside this one in {needed} attempts", 0,
                   attempts};
  }

  /// Flushes the file to the disk and gives it its final name.
  result<void> take_its_place() {
    struct stat s {};
    if (uninterrupted([&] { return system_calls::status(descriptor(), &s); }) != 0)
      return system_failure("ctlm: the written file could not be examined (system error {where})");
    if (place_.exists && (s.st_mode & 0777) != place_.mode &&
        uninterrupted([&] { return system_calls::change_mode(descriptor(), place_.mode); }) != 0)
      return system_failure("ctlm: the file's permissions could not be kept (system error {where})");
    if (uninterrupted([&] { return system_calls::flush(descriptor()); }) != 0)
      return system_failure("ctlm: the file could not be flushed to the disk (system error {where})");
    if (uninterrupted(
            [&] { return system_calls::rename_at(place_.folder.get(), name_.c_str(), place_.name.c_str()); }) != 0)
      return system_failure("ctlm: the file could not be renamed (system error {where})");
    const bool closed = file_.close();
    if (closed && flush_folder()) return {};
    return failure{errc::io_error,
                   "ctlm: the file was replaced, but the disk did not confirm it (system error {where}): after a loss "
                   "of power the old one may be back",
                   static_cast<std::size_t>(errno)};
  }

 private:
  /// Locks the new file. `mine` stays false if somebody took it for an abandoned one, and removed or locked it, before
  /// it was locked here.
  result<void> take(bool& mine) {
    if (uninterrupted([&] { return system_calls::lock(descriptor()); }) != 0) {
      if (errno == EWOULDBLOCK) return {};
      const bool no_locks = errno == ENOLCK || errno == ENOSYS || errno == EOPNOTSUPP || errno == ENOTSUP;
      if (!no_locks)  // without locks, nobody takes a file for an abandoned one
        return system_failure("ctlm: the temporary file could not be locked (system error {where})");
    }
    struct stat s {};
    if (uninterrupted([&] { return system_calls::status(descriptor(), &s); }) != 0)
      return system_failure("ctlm: the temporary file could not be examined (system error {where})");
    mine = s.st_nlink > 0;
    return {};
  }

  bool flush_folder() {  // the new name reaches the disk as well
    return uninterrupted([&] { return system_calls::flush(place_.folder.get()); }) == 0 || errno == EINVAL ||
           errno == EBADF || errno == ENOTSUP || errno == EOPNOTSUPP;  // a file system without such a thing
  }

  void drop() {
    if (!file_) return;
    uninterrupted([&] { return system_calls::remove_at(place_.folder.get(), name_.c_str()); });
    file_.close();
  }

  const place& place_;
  std::string name_;
  file_handle file_;
};

}  // namespace file_detail

}}  // namespace ctlm
