// Ctrl-C and a polite kill: training ends after the step under way and saves; the second one ends the program at once.
#pragma once

#include <atomic>
#include <csignal>

namespace demo {

/// While it lives, SIGINT and SIGTERM are only noted, once; a second one does what it does without this class.
class interrupt {
 public:
  interrupt() {
    for (int i = 0; i < 2; ++i) {
      struct sigaction note {};
      note.sa_handler = [](int s) {
        noted = s;
        for (int other : signals) std::signal(other, SIG_DFL);
      };
      note.sa_flags = SA_RESTART;
      sigaction(signals[i], nullptr, &before_[i]);
      if (before_[i].sa_handler != SIG_IGN) sigaction(signals[i], &note, nullptr);
    }
  }
  ~interrupt() {
    for (int i = 0; i < 2; ++i) sigaction(signals[i], &before_[i], nullptr);
  }
  interrupt(const interrupt&) = delete;
  interrupt& operator=(const interrupt&) = delete;

  explicit operator bool() const { return noted != 0; }
  const char* name() const { return noted == SIGINT ? "SIGINT" : "SIGTERM"; }
  /// What a shell reports for a program that a signal has ended: 130 or 143.
  int exit_status() const { return 128 + noted; }

 private:
  static constexpr int signals[] = {SIGINT, SIGTERM};
  inline static std::atomic<int> noted{0};
  struct sigaction before_[2]{};
};

}  // namespace demo
