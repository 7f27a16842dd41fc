// A Cortex-M from its reset on: vector table, memory, the floating point unit, a painted stack, text through
// semihosting, and the three functions that a compiler expects of a freestanding library.
#include "board.hpp"

#include <cstddef>

#include <ctlm/core/result.hpp>

void firmware();

extern "C" {

extern std::uint32_t data_start[], data_end[], data_image[], bss_start[], bss_end[], stack_start[], stack_end[];

[[noreturn]] void reset();
[[noreturn]] void fault();

__attribute__((section(".vectors"), used)) const void* const vectors[] = {
    stack_end, reinterpret_cast<const void*>(reset),
    reinterpret_cast<const void*>(fault),  // NMI
    reinterpret_cast<const void*>(fault),  // hard fault, to which all others escalate
};

void* memcpy(void* to, const void* from, std::size_t n) {
  auto* t = static_cast<unsigned char*>(to);
  const auto* f = static_cast<const unsigned char*>(from);
  for (std::size_t i = 0; i < n; ++i) t[i] = f[i];
  return to;
}
void* memset(void* to, int byte, std::size_t n) {
  auto* t = static_cast<unsigned char*>(to);
  for (std::size_t i = 0; i < n; ++i) t[i] = static_cast<unsigned char>(byte);
  return to;
}
void* memmove(void* to, const void* from, std::size_t n) {
  auto* t = static_cast<unsigned char*>(to);
  const auto* f = static_cast<const unsigned char*>(from);
  if (t < f) return memcpy(to, from, n);
  while (n-- > 0) t[n] = f[n];
  return to;
}

/// Before anything else runs: no function is called, since the stack is being painted.
__attribute__((naked)) void reset() {
  asm volatile(
      "ldr r0, =0xE000ED88\n"  // CPACR: the floating point unit is off after a reset
      "ldr r1, [r0]\n"
      "orr r1, r1, #0xF00000\n"
      "str r1, [r0]\n"
      "dsb\n"
      "isb\n"
      "ldr r0, =stack_start\n"
      "ldr r1, =stack_end\n"
      "ldr r2, =0xA5A5A5A5\n"
      "1: cmp r0, r1\n"
      "it lo\n"
      "strlo r2, [r0], #4\n"
      "blo 1b\n"
      "b begin\n"
      ".ltorg\n");
}

[[noreturn]] __attribute__((used)) void begin() {
  for (std::uint32_t *to = data_start, *from = data_image; to != data_end;) *to++ = *from++;
  for (std::uint32_t* p = bss_start; p != bss_end;) *p++ = 0;
  firmware();
  board::stop(0);
}

void fault() {
  board::print("fault\n");
  board::stop(1);
}

}  // extern "C"

namespace {

constexpr std::uint32_t paint = 0xA5A5A5A5u;

/// Arm's semihosting: the emulator, or the debugger, acts on this breakpoint.
std::uint32_t semihost(std::uint32_t operation, const void* argument) {
  register std::uint32_t r0 asm("r0") = operation;
  register const void* r1 asm("r1") = argument;
  asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

}  // namespace

namespace board {

void print(const char* text) { semihost(0x04, text); }  // SYS_WRITE0

void print(std::uint64_t number) {
  char digits[24];
  char* p = digits + sizeof digits;
  *--p = '\0';
  do *--p = static_cast<char>('0' + number % 10);
  while ((number /= 10) != 0);
  print(p);
}

// The debugger writes the name of the program, a space and the rest.
std::size_t read_command_line(char* text, std::size_t room) {
  struct {
    char* text;
    std::size_t bytes;
  } line{text, room};
  if (room == 0 || semihost(0x15, &line) != 0) return 0;  // SYS_GET_CMDLINE
  std::size_t begin = 0, n = 0;
  while (text[begin] != '\0' && text[begin] != ' ') ++begin;
  if (text[begin] == ' ') ++begin;
  for (; text[begin] != '\0'; ++begin, ++n) text[n] = text[begin];
  return n;
}

std::uintptr_t open_file(const char* name) {
  std::size_t length = 0;
  while (name[length] != '\0') ++length;
  const struct {
    const char* name;
    std::uint32_t mode, length;
  } wanted{name, 5, length};                           // "wb"
  const std::uint32_t file = semihost(0x01, &wanted);  // SYS_OPEN
  return file == 0xFFFFFFFFu ? 0 : file;
}
void write_file(std::uintptr_t file, const void* bytes, std::size_t n) {
  const struct {
    std::uintptr_t file;
    const void* bytes;
    std::size_t n;
  } piece{file, bytes, n};
  if (semihost(0x05, &piece) != 0) stop(1);  // SYS_WRITE: how many bytes were not written
}
void close_file(std::uintptr_t file) {
  if (semihost(0x02, &file) != 0) stop(1);  // SYS_CLOSE
}

// The system timer counts 24 bits down at the board's 25 MHz, which are 40 instructions each.
std::uint64_t clock() {
  volatile std::uint32_t* const timer = reinterpret_cast<volatile std::uint32_t*>(0xE000E010);
  if ((timer[0] & 1u) == 0) {
    timer[1] = 0xFFFFFF;
    timer[2] = 0;
    timer[0] = 5;  // on, by the processor's clock
  }
  return 0xFFFFFF - (timer[2] & 0xFFFFFF);
}
std::uint64_t elapsed(std::uint64_t begin, std::uint64_t end) { return ((end - begin) & 0xFFFFFF) * 40; }

void stop(int status) {
  const std::uint32_t reason[] = {0x20026, static_cast<std::uint32_t>(status)};  // ADP_Stopped_ApplicationExit
  semihost(0x20, reason);                                                        // SYS_EXIT_EXTENDED
  for (;;) {
  }
}

std::uint32_t stack_size() { return static_cast<std::uint32_t>(stack_end - stack_start) * 4; }

std::uint32_t stack_used() {
  const std::uint32_t* p = stack_start;
  while (p != stack_end && *p == paint) ++p;
  return static_cast<std::uint32_t>(stack_end - p) * 4;
}

}  // namespace board

namespace ctlm { inline namespace CTLM_ABI {
void fatal(const failure& f) noexcept {
  board::print(f.what);
  board::print("\n");
  board::stop(1);
}
}}  // namespace ctlm
