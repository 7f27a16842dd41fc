// SPDX-License-Identifier: MIT
// ctlm: the levels of x86-64 that a file can be compiled for, and which of them a processor has.
//
// Sources: System V ABI of AMD64, "micro-architecture levels"; Intel's Software Developer's Manual: CPUID in volume 2A,
// and chapter 13 of volume 1 for what an operating system must save before a program may use it.
#pragma once

#include "../core/types.hpp"

#include <string_view>

#if CTLM_HAS_CPUID
#include <cpuid.h>
#endif

namespace ctlm { inline namespace CTLM_ABI {

/// Where CPUID answers.
struct cpuid_words {
  std::uint32_t eax = 0;  ///< the register eax
  std::uint32_t ebx = 0;  ///< ebx
  std::uint32_t ecx = 0;  ///< ecx
  std::uint32_t edx = 0;  ///< edx
};

/// What a processor and its operating system say. All zero is a processor of another kind.
struct processor {
  cpuid_words basic;        ///< leaf 1
  cpuid_words extended;     ///< leaf 7
  cpuid_words more;         ///< leaf 7, subleaf 1
  cpuid_words amd;          ///< leaf 0x80000001
  std::uint64_t saved = 0;  ///< the register XCR0: what the operating system saves for each thread
};

/// The processor that this runs on.
inline processor this_processor() {
  processor p;
#if CTLM_HAS_CPUID
  const auto ask = [](unsigned leaf, unsigned subleaf, cpuid_words& w) {
    __get_cpuid_count(leaf, subleaf, &w.eax, &w.ebx, &w.ecx, &w.edx);  // zeros where there is no such leaf
  };
  ask(1, 0, p.basic);
  ask(7, 0, p.extended);
  if (p.extended.eax >= 1) ask(7, 1, p.more);
  ask(0x80000001, 0, p.amd);
  if ((p.basic.ecx >> 27 & 1) != 0) {  // OSXSAVE: XCR0 may be read
    std::uint32_t low = 0, high = 0;
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    p.saved = std::uint64_t{high} << 32 | low;
  }
#endif
  return p;
}

namespace processor_detail {

/// A bit of CPUID, and what the operating system must save.
struct feature {
  std::string_view name;  // as an option of compilers calls it
  cpuid_words processor::*leaf;
  std::uint32_t cpuid_words::*word;
  unsigned bit;
  std::uint64_t saved = 0;  // bits of XCR0
};

inline constexpr auto basic = &processor::basic, extended = &processor::extended, more = &processor::more,
                      amd = &processor::amd;
inline constexpr auto eax = &cpuid_words::eax, ebx = &cpuid_words::ebx, ecx = &cpuid_words::ecx,
                      edx = &cpuid_words::edx;
inline constexpr std::uint64_t vectors = 0x6, wide_vectors = 0xe6, tiles = 0x60000;

// In the order of the levels.
inline constexpr feature features[] = {
    {"sse3", basic, ecx, 0},
    {"ssse3", basic, ecx, 9},
    {"cx16", basic, ecx, 13},
    {"sse4.1", basic, ecx, 19},
    {"sse4.2", basic, ecx, 20},
    {"popcnt", basic, ecx, 23},
    {"sahf", amd, ecx, 0},
    {"avx", basic, ecx, 28, vectors},
    {"avx2", extended, ebx, 5, vectors},
    {"fma", basic, ecx, 12, vectors},
    {"f16c", basic, ecx, 29, vectors},
    {"movbe", basic, ecx, 22},
    {"bmi", extended, ebx, 3},
    {"bmi2", extended, ebx, 8},
    {"lzcnt", amd, ecx, 5},
    {"avx512f", extended, ebx, 16, wide_vectors},
    {"avx512dq", extended, ebx, 17, wide_vectors},
    {"avx512cd", extended, ebx, 28, wide_vectors},
    {"avx512bw", extended, ebx, 30, wide_vectors},
    {"avx512vl", extended, ebx, 31, wide_vectors},
    {"avx512vnni", extended, ecx, 11, wide_vectors},
    {"gfni", extended, ecx, 8},
    {"avx512bf16", more, eax, 5, wide_vectors},
    {"amx-tile", extended, edx, 24, tiles},
    {"amx-int8", extended, edx, 25, tiles},
    {"amx-bf16", extended, edx, 22, tiles},
};

constexpr bool has(const processor& p, const feature& f) {
  return ((p.*f.leaf.*f.word) >> f.bit & 1) != 0 && (p.saved & f.saved) == f.saved;
}

}  // namespace processor_detail

/// What a file can be compiled for. A level has all that the levels before it have.
struct processor_level {
  std::string_view name;      ///< as ctlm_dispatch takes it
  std::size_t features;       ///< how many of processor_detail::features it needs, from the first
  std::string_view compiled;  ///< what the ABI tag says of a file that is compiled for it
};

/// All levels, from the least to the most. `native` is whatever the compiler was told. With bf16 comes gfni.
///
/// Tiles have to be asked for as well (kernels/xsimd/amx/tiles.hpp), and the library does without where they are
/// refused: so the last level needs only what the operating system says that it saves.
inline constexpr processor_level processor_levels[] = {
    {"native", 0, ""},
    {"x86-64", 0, "sse2_b00000000"},
    {"x86-64-v2", 7, "sse42_b10000000"},
    {"x86-64-v3", 15, "avx2_mh111111000"},
    {"x86-64-v4", 20, "avx512_mh11111100111100000000"},
    {"x86-64-v4+vnni", 21, "avx512vnni_mh11111100111110000000"},
    {"x86-64-v4+vnni+gfni", 22, "avx512gfni_mh11111101111110000000"},
    {"x86-64-v4+vnni+bf16", 23, "avx512bf16_mh11111101111111000000"},
    {"x86-64-v4+vnni+bf16+amx", 26, "avx512amx_mh11111101111111000000"},
};

/// The level of a name, in which `_` may stand for every sign (x86_64_v3); a null pointer if there is none.
constexpr const processor_level* level_named(std::string_view name) {
  for (const processor_level& level : processor_levels) {
    bool same = level.name.size() == name.size();
    for (std::size_t i = 0; same && i < name.size(); ++i)
      same = name[i] == level.name[i] || (name[i] == '_' && (level.name[i] == '-' || level.name[i] == '+'));
    if (same) return &level;
  }
  return nullptr;
}

/// The first feature of a level that a processor, or its operating system, has not; empty if it has all.
constexpr std::string_view lacks(const processor& p, const processor_level& level) {
  for (std::size_t i = 0; i < level.features; ++i)
    if (!processor_detail::has(p, processor_detail::features[i])) return processor_detail::features[i].name;
  return {};
}

/// The last level that a processor has.
constexpr const processor_level& level_of(const processor& p) {
  const processor_level* best = &processor_levels[0];
  for (const processor_level& level : processor_levels)
    if (lacks(p, level).empty()) best = &level;
  return *best;
}

/// Whether this translation unit is compiled for exactly this level; each is for `native`, and for none.
constexpr bool compiled_for(const processor_level* level) {
  return level == nullptr || level->compiled.empty() ||
         level->compiled == CTLM_QUOTE(CTLM_ABI_ISA) "_" CTLM_QUOTE(CTLM_ABI_UNITS);
}

}}  // namespace ctlm
