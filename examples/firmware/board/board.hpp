// What the firmware examples ask of their surroundings: text out, a line in, an end, a clock, and how deep the stack
// went. Two implementations: cortex_m.cpp for a Cortex-M under an emulator or a debugger, host.cpp for a computer.
#pragma once

#include <cstddef>
#include <cstdint>

namespace board {

void print(const char* text);
void print(std::uint64_t number);
[[noreturn]] void stop(int status);
/// What the program was started with, without its name, of which `room` bytes are kept; returns how many there are.
std::size_t read_command_line(char* text, std::size_t room);
/// A file on the computer that runs or debugs the board: its handle, or 0 if it could not be made, and bytes for it.
std::uintptr_t open_file(const char* name);
void write_file(std::uintptr_t file, const void* bytes, std::size_t n);
void close_file(std::uintptr_t file);
/// A clock, and what passed between two times of it that are less than half a second apart: instructions under an
/// emulator that counts them (-icount shift=0), nanoseconds on a computer, 0 where nobody knows.
std::uint64_t clock();
std::uint64_t elapsed(std::uint64_t begin, std::uint64_t end);

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
