// The firmware examples on a computer: the same program, printed by the C library.
#include "board.hpp"

#include <cstdio>
#include <cstdlib>

void firmware();

namespace board {

void print(const char* text) { std::fputs(text, stdout); }
void print(std::uint64_t number) { std::printf("%llu", static_cast<unsigned long long>(number)); }
void stop(int status) { std::exit(status); }
std::uint32_t stack_used() { return 0; }
std::uint32_t stack_size() { return 0; }

}  // namespace board

int main() { firmware(); }
