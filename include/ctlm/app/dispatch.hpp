// SPDX-License-Identifier: MIT
// ctlm: one program for processors with different instructions. A file is compiled several times, and the program takes
// the variant that is the best its processor can run (docs/dispatch.md).
#pragma once

#include "../core/result.hpp"
#include "../core/span.hpp"
#include "processor.hpp"

#include <cstdlib>

/// In a header of the program: `name()` is the table of the variant that runs here, and `name_target()` the name of the
/// level that it was compiled for. The first call chooses. Where no variant can run, or the environment's CTLM_TARGET
/// names one that cannot, it throws what is caught as std::exception (without exceptions it calls ctlm::fatal).
///
/// `type` is a struct that is known before the program starts, such as one of pointers to functions. No type of ctlm
/// may be in it, nor in their parameters: each variant has its own.
#define CTLM_DISPATCHED(type, name)                                                     \
  using name##_table = type;                                                            \
  extern "C" const void* ctlm_chosen_##name();                                          \
  extern "C" const char* ctlm_target_##name();                                          \
  inline const type& name() { return *static_cast<const type*>(ctlm_chosen_##name()); } \
  inline const char* name##_target() { return ctlm_target_##name(); }

// What this file is compiled for, as ctlm_dispatch of CMake defines it: x86_64_v3.
#ifndef CTLM_VARIANT_TARGET
#define CTLM_VARIANT_TARGET native
#endif
#define CTLM_VARIANT_PASTE(name, target) ctlm_variant_##name##_##target
#define CTLM_VARIANT_SYMBOL(name, target) CTLM_VARIANT_PASTE(name, target)

/// In the file that is compiled several times: `CTLM_VARIANT(name) = {...};` is the table of each of its variants.
#define CTLM_VARIANT(name)                                                                  \
  static_assert(ctlm::level_named(CTLM_QUOTE(CTLM_VARIANT_TARGET)) != nullptr,              \
                "ctlm: CTLM_VARIANT_TARGET is a level of docs/dispatch.md");                \
  static_assert(ctlm::compiled_for(ctlm::level_named(CTLM_QUOTE(CTLM_VARIANT_TARGET))),     \
                "ctlm: an option such as -mavx changes what this variant is compiled for"); \
  extern "C" const name##_table CTLM_VARIANT_SYMBOL(name, CTLM_VARIANT_TARGET);             \
  constinit const name##_table CTLM_VARIANT_SYMBOL(name, CTLM_VARIANT_TARGET)

/// In the file that chooses: this variant is linked.
#define CTLM_LINKED(name, target)                                                                            \
  static_assert(ctlm::level_named(#target) != nullptr, "ctlm: " #target " is no level of docs/dispatch.md"); \
  extern "C" const char ctlm_variant_##name##_##target[];
/// An entry of the list below.
#define CTLM_CHOICE(name, target) \
  ctlm::variant { ctlm::level_named(#target), ctlm_variant_##name##_##target }

/// In the file that chooses: defines what CTLM_DISPATCHED declares. Behind the name comes a CTLM_CHOICE for each
/// variant.
#define CTLM_CHOOSE(model, ...)                                                                                        \
  static constexpr ctlm::variant ctlm_linked_##model[] = {__VA_ARGS__};                                                \
  static_assert(ctlm::runs_wherever_some(ctlm_linked_##model),                                                         \
                "ctlm: the file that chooses is compiled for more than the least of its variants: leave options "      \
                "such as -march=native out");                                                                          \
  static const ctlm::variant& ctlm_choice_of_##model() {                                                               \
    static ctlm::explanation words;                                                                                    \
    static const ctlm::variant& chosen =                                                                               \
        *ctlm::choose_variant(ctlm_linked_##model, std::getenv("CTLM_TARGET"), ctlm::this_processor(), words).value(); \
    return chosen;                                                                                                     \
  }                                                                                                                    \
  extern "C" const void* ctlm_chosen_##model();                                                                        \
  extern "C" const char* ctlm_target_##model();                                                                        \
  extern "C" const void* ctlm_chosen_##model() { return ctlm_choice_of_##model().table; }                              \
  extern "C" const char* ctlm_target_##model() { return ctlm_choice_of_##model().level->name.data(); }

namespace ctlm { inline namespace CTLM_ABI {

/// One variant of a file.
struct variant {
  const processor_level* level = nullptr;  ///< what it is compiled for
  const void* table = nullptr;             ///< where its table lies
};

/// Whether this translation unit has no instructions beyond those that the least of the variants needs.
constexpr bool runs_wherever_some(span<const variant> linked) {
  std::size_t least = linked[0].level->features, mine = 0;
  for (const variant& v : linked) {
    if (v.level == &processor_levels[0]) return true;  // native
    least = smaller(least, v.level->features);
  }
  for (const processor_level& level : processor_levels)
    if (level.compiled.starts_with(CTLM_QUOTE(CTLM_ABI_ISA) "_")) mine = level.features;
  return mine <= least;
}

/// The variant that the processor runs best; if `wanted` is neither a null pointer nor empty, the one of that name.
/// `words` must outlive the failure.
inline result<const variant*> choose_variant(span<const variant> linked, const char* wanted, const processor& here,
                                             explanation& words) {
  words = {};
  result_detail::sentence said(words);
  const variant *best = nullptr, *least = &linked[0], *asked = nullptr;
  const bool asks = wanted != nullptr && *wanted != '\0';
  for (const variant& v : linked) {
    if (v.level <= least->level) least = &v;
    if (asks && level_named(wanted) == v.level) asked = &v;
    if (lacks(here, *v.level).empty() && (best == nullptr || v.level > best->level)) best = &v;
  }
  if (asks && asked == nullptr) {
    said.word("ctlm: CTLM_TARGET is ");
    said.word(wanted);
    said.word(", and this program has");
    for (const variant& v : linked) said.letter(' '), said.word(v.level->name.data());
    return failure{errc::invalid_argument, "{name}", 0, 0, 0, words};
  }
  const variant* const chosen = asks ? asked : best;
  if (chosen != nullptr && lacks(here, *chosen->level).empty()) return chosen;
  const processor_level& needed = *(asks ? asked : least)->level;
  said.word(asks ? "ctlm: CTLM_TARGET is " : "ctlm: this program needs ");
  said.word(needed.name.data());
  said.word(", and this processor has ");
  said.word(level_of(here).name.data());
  said.word(": there is no ");
  said.word(lacks(here, needed).data());
  said.word(", or the operating system does not allow it");
  return failure{errc::unsupported, "{name}", 0, 0, 0, words};
}

}}  // namespace ctlm
