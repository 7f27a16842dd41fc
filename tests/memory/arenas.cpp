// Arenas: exact sizes, alignment, exhaustion.
#include "catch.hpp"

#include <ctlm/ctlm.hpp>

#include <cstdint>

namespace {

template <class A>
constexpr void lay_out(A& a) {
  a.template allocate<float>(3);
  ctlm::overlay(
      a, [](auto& x) { x.template allocate<double>(20); },
      [](auto& x) {
        x.template allocate<std::uint16_t>(40);
        x.template allocate<float>(40);
      });
  a.template allocate<std::int8_t>(65);
}
constexpr std::size_t expected = 64 + ctlm::larger(192, 128 + 192) + 128;

bool aligned(const void* p) { return reinterpret_cast<std::uintptr_t>(p) % ctlm::memory_alignment == 0; }

}  // namespace

static_assert(ctlm::measure([](auto& a) { lay_out(a); }) == expected);

TEST_CASE("a measured layout fits exactly, in every arena", "[memory]") {
  static ctlm::static_arena<expected> fixed;
  lay_out(fixed);
  CHECK(fixed.remaining() == 0);
  CHECK(fixed.allocate<float>(1) == nullptr);

  ctlm::heap_arena heap(expected);
  lay_out(heap);
  CHECK(heap.remaining() == 0);
  CHECK(heap.allocate<float>(1) == nullptr);

  alignas(ctlm::memory_alignment) static std::byte memory[expected];
  ctlm::span_arena span{memory};
  lay_out(span);
  CHECK(span.remaining() == 0);
  CHECK(span.allocate<float>(1) == nullptr);
}

TEST_CASE("allocations are aligned and zeroed", "[memory]") {
  alignas(ctlm::memory_alignment) static std::byte memory[512];
  for (auto& b : memory) b = std::byte{0xAB};
  ctlm::span_arena a{memory};
  const auto* bytes = a.allocate<std::int8_t>(5);
  const auto* words = a.allocate<float>(16);
  CHECK(aligned(bytes));
  CHECK(aligned(words));
  for (int i = 0; i < 5; ++i) CHECK(bytes[i] == 0);
  for (int i = 0; i < 16; ++i) CHECK(words[i] == 0.0f);
  ctlm::heap_arena heap(1000);
  CHECK(aligned(heap.allocate<double>(3)));
}

#if CTLM_EXCEPTIONS
TEST_CASE("misaligned or missing memory is refused", "[memory]") {
  alignas(ctlm::memory_alignment) static std::byte memory[128];
  CHECK_THROWS_AS(ctlm::span_arena((ctlm::span<std::byte>{memory + 1, 100})), ctlm::error);
  const void* volatile escaped = nullptr;  // an arena that nobody looks into may be optimised away
  CHECK_THROWS_AS(
      [&] {
        ctlm::heap_arena impossible(std::size_t{1} << 62);
        escaped = impossible.allocate<float>(1);
      }(),
      ctlm::error);
  CHECK(escaped == nullptr);
}
#endif
