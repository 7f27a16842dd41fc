// Which variant of a program runs on which processor, and what is said of one that cannot.
#include "catch.hpp"

#include <ctlm/app/dispatch.hpp>

#include <string>

namespace {

/// A processor that has all features of levels up to one, by the words of Intel's manual.
ctlm::processor with(std::string_view level) {
  ctlm::processor p;
  const auto at_least = [&](std::string_view other) { return ctlm::level_named(level) >= ctlm::level_named(other); };
  p.basic.edx = 1u << 25 | 1u << 26;  // SSE, SSE2
  if (at_least("x86-64-v2")) {
    p.basic.ecx = 1u | 1u << 9 | 1u << 13 | 1u << 19 | 1u << 20 | 1u << 23;
    p.amd.ecx = 1u;
  }
  if (at_least("x86-64-v3")) {
    p.basic.ecx |= 1u << 12 | 1u << 22 | 1u << 26 | 1u << 27 | 1u << 28 | 1u << 29;
    p.extended.ebx = 1u << 3 | 1u << 5 | 1u << 8;
    p.amd.ecx |= 1u << 5;
    p.saved = 0x7;
  }
  if (at_least("x86-64-v4")) {
    p.extended.ebx |= 1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31;
    p.saved |= 0xe0;
  }
  if (at_least("x86-64-v4+vnni")) p.extended.ecx |= 1u << 11;
  if (at_least("x86-64-v4+vnni+gfni")) p.extended.ecx |= 1u << 8;
  if (at_least("x86-64-v4+vnni+bf16")) p.more.eax |= 1u << 5;
  if (at_least("x86-64-v4+vnni+bf16+amx")) {
    p.extended.edx |= 1u << 22 | 1u << 24 | 1u << 25;
    p.saved |= 0x60000;
  }
  return p;
}

constexpr int two = 2, three = 3, seven = 7;  // tables: their addresses are looked at
constexpr ctlm::variant linked[] = {{ctlm::level_named("x86-64-v4+vnni+bf16"), &seven},
                                    {ctlm::level_named("x86_64_v2"), &two},
                                    {ctlm::level_named("x86-64-v3"), &three}};

/// What is chosen: the number in its table, or the words of the refusal.
std::string chosen(const ctlm::processor& p, const char* wanted = nullptr) {
  ctlm::explanation words;
  const auto found = ctlm::choose_variant(linked, wanted, p, words);
  return found ? std::to_string(*static_cast<const int*>((*found)->table)) : std::string(explain(found.error()));
}

}  // namespace

TEST_CASE("a processor has its level and those below, and no other", "[app]") {
  for (const ctlm::processor_level& level : ctlm::processor_levels) {
    if (level.name == "native") continue;
    const ctlm::processor p = with(level.name);
    CHECK(ctlm::level_of(p).name == level.name);
    for (const ctlm::processor_level& other : ctlm::processor_levels)
      CHECK(ctlm::lacks(p, other).empty() == (&other <= &level));
  }
  CHECK(ctlm::lacks({}, *ctlm::level_named("native")).empty());
}

TEST_CASE("every feature of a level is asked for, and that the operating system saves its registers", "[app]") {
  const ctlm::processor_level& all = *ctlm::level_named("x86-64-v4+vnni+bf16+amx");
  const ctlm::processor whole = with(all.name);
  REQUIRE(ctlm::lacks(whole, all).empty());
  std::size_t bits = 0;
  for (auto leaf : {&ctlm::processor::basic, &ctlm::processor::extended, &ctlm::processor::more, &ctlm::processor::amd})
    for (auto word :
         {&ctlm::cpuid_words::eax, &ctlm::cpuid_words::ebx, &ctlm::cpuid_words::ecx, &ctlm::cpuid_words::edx})
      for (unsigned bit = 0; bit < 32; ++bit) {
        ctlm::processor p = whole;
        if ((p.*leaf.*word >> bit & 1) == 0) continue;
        p.*leaf.*word &= ~(1u << bit);
        bits += !ctlm::lacks(p, all).empty();
      }
  CHECK(bits == all.features);  // XSAVE, OSXSAVE, SSE and SSE2 are no features of their own

  ctlm::processor p = whole;
  p.saved = 0x600e3;  // no upper halves of the 256 bits
  CHECK(ctlm::level_of(p).name == "x86-64-v2");
  p.saved = 0x60007;
  CHECK(ctlm::level_of(p).name == "x86-64-v3");
  for (unsigned bit : {5, 6, 7}) {
    p.saved = 0xe7ull & ~(1ull << bit);
    CHECK(ctlm::level_of(p).name == "x86-64-v3");
  }
  p.saved = 0xe7;
  CHECK(ctlm::level_of(p).name == "x86-64-v4+vnni+bf16");
}

TEST_CASE("the best variant runs, or the one that is asked for", "[app]") {
  CHECK(chosen(with("x86-64-v2")) == "2");
  CHECK(chosen(with("x86-64-v3")) == "3");
  CHECK(chosen(with("x86-64-v4+vnni")) == "3");
  CHECK(chosen(with("x86-64-v4+vnni+bf16+amx")) == "7");
  CHECK(chosen(with("x86-64-v4+vnni+bf16"), "") == "7");
  CHECK(chosen(with("x86-64-v4+vnni+bf16"), "x86-64-v2") == "2");
  CHECK(chosen(with("x86-64-v3"), "x86_64_v3") == "3");
}

TEST_CASE("a variant that cannot run is refused in words", "[app]") {
  CHECK(chosen(with("x86-64-v3"), "x86-64-v4") ==
        "ctlm: CTLM_TARGET is x86-64-v4, and this program has x86-64-v4+vnni+bf16 x86-64-v2 x86-64-v3");
  CHECK(chosen(with("x86-64-v3"), "fast") ==
        "ctlm: CTLM_TARGET is fast, and this program has x86-64-v4+vnni+bf16 x86-64-v2 x86-64-v3");
  CHECK(chosen(with("x86-64-v3"), "x86-64-v4+vnni+bf16") ==
        "ctlm: CTLM_TARGET is x86-64-v4+vnni+bf16, and this processor has x86-64-v3: there is no avx512f, or the "
        "operating system does not allow it");
  CHECK(chosen(with("x86-64-v4+vnni"), "x86-64-v4+vnni+bf16") ==
        "ctlm: CTLM_TARGET is x86-64-v4+vnni+bf16, and this processor has x86-64-v4+vnni: there is no gfni, or the "
        "operating system does not allow it");
  CHECK(chosen(with("x86-64")) ==
        "ctlm: this program needs x86-64-v2, and this processor has x86-64: there is no sse3, or the operating system "
        "does not allow it");
}

TEST_CASE("this processor has what the compiler's library says that it has", "[app]") {
#if CTLM_HAS_CPUID
  const ctlm::processor here = ctlm::this_processor();
  const auto up_to = [&](const char* level) { return ctlm::lacks(here, *ctlm::level_named(level)).empty(); };
  __builtin_cpu_init();
  const auto says = [](auto... has) { return (... && (has != 0)); };
  const bool v2 =
      says(__builtin_cpu_supports("sse3"), __builtin_cpu_supports("ssse3"), __builtin_cpu_supports("sse4.1"),
           __builtin_cpu_supports("sse4.2"), __builtin_cpu_supports("popcnt"));
  const bool v3 =
      v2 && says(__builtin_cpu_supports("avx"), __builtin_cpu_supports("avx2"), __builtin_cpu_supports("fma"),
                 __builtin_cpu_supports("bmi"), __builtin_cpu_supports("bmi2"));
  const bool v4 = v3 && says(__builtin_cpu_supports("avx512f"), __builtin_cpu_supports("avx512bw"),
                             __builtin_cpu_supports("avx512cd"), __builtin_cpu_supports("avx512dq"),
                             __builtin_cpu_supports("avx512vl"));
  const bool vnni = v4 && says(__builtin_cpu_supports("avx512vnni"));
  const bool gfni = vnni && says(__builtin_cpu_supports("gfni"));
  CHECK(up_to("x86-64-v2") == v2);
  CHECK(up_to("x86-64-v3") == v3);
  CHECK(up_to("x86-64-v4") == v4);
  CHECK(up_to("x86-64-v4+vnni") == vnni);
  CHECK(up_to("x86-64-v4+vnni+gfni") == gfni);
  CHECK(up_to("x86-64-v4+vnni+bf16") == (gfni && says(__builtin_cpu_supports("avx512bf16"))));
#endif
  CHECK(ctlm::level_named("x86-64-v5") == nullptr);
  CHECK(ctlm::level_named("x86-64") != nullptr);
}
