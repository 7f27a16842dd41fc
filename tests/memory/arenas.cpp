// Arenas: exact sizes, alignment, exhaustion.
#include "catch.hpp"

#include <ctlm/ctlm.hpp>

#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

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

TEST_CASE("memory that is given back is zeroed again before it is used again", "[memory]") {
  static ctlm::static_arena<256> fixed;
  ctlm::heap_arena heap(256);
  auto twice = [](auto& a) {
    const auto start = a.mark();
    std::memset(a.template allocate<std::int8_t>(130), 0x55, 130);
    a.rewind(start);
    const auto* again = a.template allocate<std::int8_t>(250);
    bool zero = true;
    for (int i = 0; i < 250; ++i) zero = zero && again[i] == 0;
    return zero;
  };
  CHECK(twice(fixed));
  CHECK(twice(heap));
}

namespace {

constexpr std::size_t huge = std::numeric_limits<std::size_t>::max();

/// Sizes whose bytes, padded or not, do not fit a size_t.
template <class A>
void refuses_huge_sizes(A& a) {
  const auto before = a.mark();
  CHECK(a.template allocate<double>(huge / sizeof(double) + 2) == nullptr);
  CHECK(a.template allocate<double>(huge / sizeof(double)) == nullptr);
  CHECK(a.template allocate<char>(huge - 10) == nullptr);
  CHECK(a.template allocate<char>(huge - 64) == nullptr);
  CHECK(a.template allocate<char>(huge) == nullptr);
  CHECK(a.mark() == before);
}

struct tag {
  static constexpr ctlm::gpt2_config config{.vocab = 8, .d_model = 16, .layers = 1, .heads = 2, .context = 8};
};
struct recipe {
  static constexpr ctlm::train_config config{.batch = 1};
};
using lm = ctlm::causal_lm<tag>;
using trainer = ctlm::trainer<lm, recipe>;

}  // namespace

static_assert(ctlm::padded_bytes<float>(huge / sizeof(float)) == ctlm::too_many_bytes);
static_assert(ctlm::padded_bytes<float>(0) == 0 && ctlm::padded_bytes<char>(65) == 128);
static_assert(ctlm::padded_bytes<char>(huge - 63) <= huge - 63);
static_assert(ctlm::measure([](auto& a) {
                a.template allocate<char>(huge - 63);
                a.template allocate<char>(64);
                a.template allocate<char>(64);
              }) == ctlm::too_many_bytes);

TEST_CASE("sizes that overflow are refused by every arena", "[memory]") {
  static ctlm::static_arena<256> fixed;
  alignas(ctlm::memory_alignment) static std::byte memory[256];
  ctlm::heap_arena heap(256);
  ctlm::span_arena span{memory};
  ctlm::binding_arena<std::byte> binding(memory, sizeof memory);
  refuses_huge_sizes(fixed);
  refuses_huge_sizes(heap);
  refuses_huge_sizes(span);
  refuses_huge_sizes(binding);
  CHECK(fixed.allocate<float>(1) != nullptr);  // partly used: the sum must not overflow either
  CHECK(span.allocate<float>(1) != nullptr);
  refuses_huge_sizes(fixed);
  refuses_huge_sizes(span);
  refuses_huge_sizes(heap);
}

TEST_CASE("an arena of no bytes has room for nothing", "[memory]") {
  static ctlm::static_arena<0> fixed;
  ctlm::heap_arena heap(0);
  ctlm::span_arena span{ctlm::span<std::byte>()};
  CHECK(fixed.allocate<char>(1) == nullptr);
  CHECK(heap.allocate<char>(1) == nullptr);
  CHECK(span.allocate<char>(1) == nullptr);
  CHECK(span.remaining() + heap.remaining() + fixed.remaining() == 0);
}

TEST_CASE("an arena that was moved from has room for nothing", "[memory]") {
  ctlm::heap_arena from(256);
  auto* numbers = from.allocate<float>(3);
  numbers[2] = 4;
  ctlm::heap_arena to(std::move(from));
  CHECK(numbers[2] == 4);
  CHECK(to.used() == 64);
  CHECK(from.remaining() == 0);
  CHECK(from.allocate<char>(1) == nullptr);
  CHECK(from.allocate<char>(0) == nullptr);
}

#if CTLM_EXCEPTIONS
namespace {

/// What f throws.
template <class F>
ctlm::failure failure_of(F f) {
  try {
    f();
  } catch (const ctlm::error& e) {
    return e.reason();
  }
  return {};
}

}  // namespace

TEST_CASE("an arena cannot be rewound beyond its end", "[memory]") {
  ctlm::heap_arena from(256);
  (void)from.allocate<char>(100);
  const auto mark = from.mark();
  ctlm::heap_arena to(std::move(from));
  const auto f = failure_of([&] { from.rewind(mark); });
  CHECK(std::strcmp(ctlm::explain(f).text, "ctlm: an arena of 0 bytes cannot be rewound to byte 128") == 0);
  CHECK(from.remaining() == 0);
}

TEST_CASE("a heap arena that cannot be is refused with its size", "[memory]") {
  for (const std::size_t size : {huge, huge - 1, huge - 63, huge / 2 + 1}) {
    const auto f = failure_of([&] { ctlm::heap_arena arena(size); });
    CHECK(f.code == ctlm::errc::out_of_memory);
    CHECK(f.needed == size);
    CHECK(std::string(ctlm::explain(f)) ==
          "ctlm: the system has no memory for an arena of " + std::to_string(size) + " bytes");
  }
}

TEST_CASE("an array longer than memory is refused by a constant arena", "[memory]") {
  ctlm::constant_arena a;
  const auto f = failure_of([&] { (void)a.allocate<double>(huge / 8 + 2); });
  CHECK(f.code == ctlm::errc::out_of_memory);
  CHECK(f.needed == huge / 8 + 2);
  CHECK(failure_of([&] { (void)a.allocate<char>(huge - 10); }).code == ctlm::errc::out_of_memory);
}

TEST_CASE("what does not fit an arena says how much is missing, and leaves it as it was", "[memory]") {
  ctlm::heap_arena arena(lm::weight_bytes - 1);
  auto refused = [&](const char* name, std::size_t needed, auto make) {
    const auto before = arena.remaining();
    const auto f = failure_of(make);
    CHECK(f.code == ctlm::errc::out_of_memory);
    CHECK(f.needed == needed);
    CHECK(f.had == before);
    CHECK(std::string(ctlm::explain(f)) == "ctlm: the arena is too small for the " + std::string(name) + ": " +
                                               std::to_string(needed) + " bytes are needed, " + std::to_string(before) +
                                               " are free");
    CHECK(arena.remaining() == before);
  };
  refused("weights", lm::weight_bytes, [&] { lm::weights w{arena}; });
  refused("trainer", trainer::train_bytes, [&] { trainer t(arena, {}); });
  (void)arena.allocate<std::byte>(arena.remaining() - 100);
  refused("weights", lm::weight_bytes, [&] { lm::weights w{arena}; });
  ctlm::heap_arena memory(lm::weight_bytes);
  lm::weights w(memory);
  refused("session", lm::session_bytes, [&] { lm::session s(w, arena); });
}

TEST_CASE("misaligned or missing memory is refused", "[memory]") {
  alignas(ctlm::memory_alignment) static std::byte memory[128];
  const auto f = failure_of([&] { ctlm::span_arena a{ctlm::span<std::byte>{memory + 3, 100}}; });
  CHECK(f.code == ctlm::errc::invalid_argument);
  CHECK(std::string(ctlm::explain(f)) ==
        "ctlm: the memory of an arena must be aligned to ctlm::memory_alignment: to 64 bytes, and it begins 3 bytes "
        "after such a place");
  const auto null = failure_of([] { ctlm::span_arena a{ctlm::span<std::byte>{nullptr, 100}}; });
  CHECK(std::string(ctlm::explain(null)) == "ctlm: an arena of 100 bytes is given a null pointer");
  const void* volatile escaped = nullptr;  // an arena that nobody looks into may be optimised away
  CHECK_THROWS_AS(
      [&] {
        ctlm::heap_arena impossible(huge / 4);
        escaped = impossible.allocate<float>(1);
      }(),
      ctlm::error);
  CHECK(escaped == nullptr);
}
#endif
