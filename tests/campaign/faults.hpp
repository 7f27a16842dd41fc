// ctlm's system calls (io/system.hpp) as this program defines them: they can fail, one at a time.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>

/// Which call fails, and how. Calls are counted while this is armed.
struct fault_plan {
  static constexpr int never = -1;
  static constexpr int cut_short = -2;  // in place of an error: a read or write of one byte

  std::atomic<bool> armed{false};
  std::atomic<int> calls{0};
  int at = never;                                                  // number of the call that fails
  int error = 0;                                                   // its errno, or cut_short
  std::size_t most = SIZE_MAX;                                     // bytes per read and write, of all of them
  std::function<void(const char* call, const char* name)> before;  // sees every call

  void arm(int call, int with) {
    at = call;
    error = with;
    calls = 0;
    armed = true;
  }
  /// Number of calls since arm().
  int disarm() {
    armed = false;
    return calls;
  }
};

extern fault_plan faults;
