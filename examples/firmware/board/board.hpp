// What the firmware examples ask of their surroundings: a line of text, an end, and how deep the stack went. Two
// implementations: cortex_m.cpp for a Cortex-M under an emulator or a debugger, host.cpp for a computer.
#pragma once

#include <cstdint>

namespace board {

void print(const char* text);
void print(std::uint64_t number);
[[noreturn]] void stop(int status);

/// Bytes of stack used so far, and of its whole region; 0 where nobody knows.
std::uint32_t stack_used();
std::uint32_t stack_size();

inline void line(const char* name, std::uint64_t number) {
  print(name);
  print(" ");
  print(number);
  print("\n");
}

}  // namespace board
