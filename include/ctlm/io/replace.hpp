// SPDX-License-Identifier: MIT
// ctlm: replacing a file at once, so that a crash, a full disk or a second writer loses nothing.
#pragma once

#include "temporary.hpp"

#include <csignal>

namespace ctlm { inline namespace CTLM_ABI {

namespace file_detail {

/// While it lives, a file that reaches the size limit of the process (RLIMIT_FSIZE) is an error of the call that
/// writes (EFBIG), and not a signal that ends the program. Only this thread's signals are held back.
class size_limit_as_error {
 public:
  size_limit_as_error() {
    sigemptyset(&limit_);
    sigaddset(&limit_, SIGXFSZ);
    was_pending_ = pending();
    sigset_t before;
    was_blocked_ = ::pthread_sigmask(SIG_BLOCK, &limit_, &before) != 0 || sigismember(&before, SIGXFSZ) == 1;
  }
  size_limit_as_error(const size_limit_as_error&) = delete;
  size_limit_as_error& operator=(const size_limit_as_error&) = delete;
  ~size_limit_as_error() {
    if (!was_pending_ && pending()) take();
    if (!was_blocked_) ::pthread_sigmask(SIG_UNBLOCK, &limit_, nullptr);
  }

 private:
  static bool pending() {
    sigset_t all;
    sigemptyset(&all);
    return ::sigpending(&all) == 0 && sigismember(&all, SIGXFSZ) == 1;
  }
  void take() const {
#if defined(_POSIX_REALTIME_SIGNALS) && _POSIX_REALTIME_SIGNALS > 0
    const timespec at_once{};
    ::sigtimedwait(&limit_, nullptr, &at_once);
#else
    int which = 0;
    ::sigwait(&limit_, &which);
#endif
  }

  sigset_t limit_;
  bool was_pending_ = false, was_blocked_ = false;
};

/// replace_file, with the caller's function as a pointer: one copy of this code serves all of them.
CTLM_NOINLINE inline result<void> replace(const char* path, void* context, result<void> (*write)(void*, int)) {
  return or_out_of_memory(file_detail::no_memory, [&]() -> result<void> {
    const auto place = resolve(path);
    if (!place) return place.error();
    remove_abandoned(*place);
    const size_limit_as_error limit;
    temporary_file f(*place);
    if (const auto r = f.create(); !r) return r;
    if (const auto r = write(context, f.descriptor()); !r) return r;
    return f.take_its_place();
  });
}

}  // namespace file_detail

/// Makes `path` hold what `write(descriptor)` writes, or leaves it as it was: a temporary file beside it is written,
/// flushed to the disk and renamed (temporary.hpp).
///
/// - Any number of threads and processes may replace one file: it always holds the whole of what one of them wrote.
/// - Where `path` is a symbolic link, what it points to is replaced. Permissions stay as they are; those of a new file
///   are 0666 less the umask. The owner is the writer, and other names (hard links) keep the old contents.
/// - Whatever fails, also by an exception, no temporary file stays. What a killed process leaves is removed by the next
///   one on this machine that replaces the same file.
/// - A failure says that the file is as it was, except for the one that says that the file was replaced and the disk
///   did not confirm it. std::bad_alloc comes back as errc::out_of_memory; other exceptions of `write` pass through.
template <class Write>
requires std::is_invocable_v<Write, int> result<void> replace_file(const char* path, Write&& write) {
  using function = std::remove_reference_t<Write>;
  auto call = [](void* f, int descriptor) -> result<void> { return (*static_cast<function*>(f))(descriptor); };
  return file_detail::replace(path, const_cast<void*>(static_cast<const void*>(&write)), call);
}

/// Makes `path` hold this text, or leaves it as it was.
inline result<void> replace_file(const char* path, const std::string& text) {
  return replace_file(path, [&](int d) { return write_exactly(d, text.data(), text.size()); });
}

}}  // namespace ctlm
