// The firmware examples on a computer: the same program, printed by the C library.
#include "board.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

void firmware();

static std::string command_line;

namespace board {

void print(const char* text) { std::fputs(text, stdout); }
void print(std::uint64_t number) { std::printf("%llu", static_cast<unsigned long long>(number)); }
void stop(int status) { std::exit(status); }
std::size_t read_command_line(char* text, std::size_t room) { return command_line.copy(text, room); }
std::uintptr_t open_file(const char* name) { return reinterpret_cast<std::uintptr_t>(std::fopen(name, "wb")); }
void write_file(std::uintptr_t file, const void* bytes, std::size_t n) {
  if (std::fwrite(bytes, 1, n, reinterpret_cast<std::FILE*>(file)) != n) stop(1);
}
void close_file(std::uintptr_t file) {
  if (std::fclose(reinterpret_cast<std::FILE*>(file)) != 0) stop(1);
}
std::uint64_t clock() {
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1));
}
std::uint64_t elapsed(std::uint64_t begin, std::uint64_t end) { return end - begin; }
std::uint32_t stack_used() { return 0; }
std::uint32_t stack_size() { return 0; }

}  // namespace board

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) command_line.append(i > 1 ? " " : "").append(argv[i]);
  firmware();
}
