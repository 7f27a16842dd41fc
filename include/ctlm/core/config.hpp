// SPDX-License-Identifier: MIT
// ctlm: what the compiler and the user's macros say about this build. The only file that asks.
//
// A user may define (to 1; undefined means 0)
//   CTLM_FREESTANDING   trim everything that needs an operating system, a heap or exceptions; undefined, it is 1 where
//                       the compiler is told -ffreestanding
//   CTLM_XSIMD          the `native` backend uses xsimd (the CMake target ctlm::ctlm sets it)
//   CTLM_USER_FATAL     the user supplies the definition of ctlm::fatal
//   CTLM_ALLOW_FAST_MATH   compile under -ffast-math, at the price that the error below names
//   CTLM_PCRE2          tokenizers may have any pattern: the program links -lpcre2-8 (ctlm::ctlm sees to both)
//   CTLM_UTF8PROC       tokenizers have every normal form of Unicode: the program links -lutf8proc (likewise)
//   CTLM_USER_FILES     the user supplies the definitions of ctlm::system_calls (io/system.hpp)
#pragma once

#if !defined(__cplusplus) || __cplusplus < 202002L
#error "ctlm needs C++20: compile with -std=c++20"
#endif

#include "version.hpp"

#ifndef CTLM_FREESTANDING
#if defined(__STDC_HOSTED__) && __STDC_HOSTED__ == 0  // -ffreestanding
#define CTLM_FREESTANDING 1
#else
#define CTLM_FREESTANDING 0
#endif
#endif
#ifndef CTLM_XSIMD
#define CTLM_XSIMD 0
#endif
#ifndef CTLM_PCRE2
#define CTLM_PCRE2 0
#endif
#ifndef CTLM_UTF8PROC
#define CTLM_UTF8PROC 0
#endif
#ifndef CTLM_USER_FATAL
#define CTLM_USER_FATAL 0
#endif
#ifndef CTLM_USER_FILES
#define CTLM_USER_FILES 0
#endif

#ifndef CTLM_ALLOW_FAST_MATH
#define CTLM_ALLOW_FAST_MATH 0
#endif

// Told that there is no NaN and no infinity (-ffast-math), compilers remove the code that looks for them.
#if defined(__FAST_MATH__)
#define CTLM_FAST_MATH 1
#elif defined(__FINITE_MATH_ONLY__)
#define CTLM_FAST_MATH __FINITE_MATH_ONLY__
#else
#define CTLM_FAST_MATH 0
#endif
#if CTLM_FAST_MATH && !CTLM_ALLOW_FAST_MATH
#error "ctlm: -ffast-math and -ffinite-math-only hide NaN: leave them out, or define CTLM_ALLOW_FAST_MATH=1"
#endif

#if defined(__cpp_exceptions) && !CTLM_FREESTANDING
#define CTLM_EXCEPTIONS 1
#else
#define CTLM_EXCEPTIONS 0
#endif

// May memory be asked for in large pages?
#if defined(__linux__) && !CTLM_FREESTANDING
#define CTLM_LARGE_PAGES 1
#else
#define CTLM_LARGE_PAGES 0
#endif

// May square roots be left to the compiler? It calls the C library for them, of a negative number at least; not where
// it is told that errno is not wanted and has an instruction.
#if !CTLM_FREESTANDING || (defined(__wasm__) && defined(__NO_MATH_ERRNO__))
#define CTLM_HAS_SQRT 1
#else
#define CTLM_HAS_SQRT 0
#endif

// Instruction sets that have kernels of their own.
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__)
#define CTLM_AVX512 1
#else
#define CTLM_AVX512 0
#endif
#if CTLM_AVX512 && defined(__AVX512VNNI__)
#define CTLM_AVX512VNNI 1
#else
#define CTLM_AVX512VNNI 0
#endif
#if CTLM_AVX512VNNI && defined(__GFNI__)
#define CTLM_AVX512GFNI 1
#else
#define CTLM_AVX512GFNI 0
#endif
#if CTLM_AVX512GFNI && defined(__AVX512BF16__)
#define CTLM_AVX512BF16 1
#else
#define CTLM_AVX512BF16 0
#endif
// Tiles have to be asked for, which is known of Linux alone (kernels/xsimd/amx/tiles.hpp). Clang before 16 has names of
// its own.
#if CTLM_AVX512BF16 && defined(__linux__) && !CTLM_FREESTANDING &&                \
    ((defined(__AMX_TILE__) && defined(__AMX_INT8__) && defined(__AMX_BF16__)) || \
     (defined(__AMXTILE__) && defined(__AMXINT8__) && defined(__AMXBF16__)))
#define CTLM_AMX 1
#else
#define CTLM_AMX 0
#endif
#if defined(__AVX2__) && defined(__FMA__)
#define CTLM_AVX2 1
#else
#define CTLM_AVX2 0
#endif
#if defined(__aarch64__) && defined(__ARM_NEON)
#define CTLM_NEON 1
#else
#define CTLM_NEON 0
#endif
// Can a program ask the processor what it has (app/processor.hpp)?
#if defined(__x86_64__) && !CTLM_FREESTANDING
#define CTLM_HAS_CPUID 1
#else
#define CTLM_HAS_CPUID 0
#endif
#if CTLM_NEON && defined(__ARM_FEATURE_DOTPROD)
#define CTLM_NEON_DOT 1
#else
#define CTLM_NEON_DOT 0
#endif
#if CTLM_NEON && defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)
#define CTLM_NEON_BF16 1
#else
#define CTLM_NEON_BF16 0
#endif
// Numbers in single precision that a register holds, where vectors are written as the compiler's own
// (format/fit_lanes.hpp); 0: they are not.
#if !defined(__GNUC__)
#define CTLM_FIT_WIDTH 0
#elif CTLM_AVX512
#define CTLM_FIT_WIDTH 16
#elif CTLM_AVX2
#define CTLM_FIT_WIDTH 8
#elif CTLM_NEON
#define CTLM_FIT_WIDTH 4
#else
#define CTLM_FIT_WIDTH 0
#endif
#if defined(__F16C__)
#define CTLM_F16C 1
#else
#define CTLM_F16C 0
#endif

// The ABI tag. Inline functions of two translation units compiled for different targets or with different options
// have different symbols, so that the linker cannot silently run AVX-512 code on a machine without it.
#if CTLM_AMX
#define CTLM_ABI_ISA avx512amx
#elif CTLM_AVX512BF16
#define CTLM_ABI_ISA avx512bf16
#elif CTLM_AVX512GFNI
#define CTLM_ABI_ISA avx512gfni
#elif CTLM_AVX512VNNI
#define CTLM_ABI_ISA avx512vnni
#elif CTLM_AVX512
#define CTLM_ABI_ISA avx512
#elif defined(__AVX512F__)
#define CTLM_ABI_ISA avx512f
#elif CTLM_AVX2
#define CTLM_ABI_ISA avx2
#elif defined(__AVX__)
#define CTLM_ABI_ISA avx
#elif defined(__SSE4_2__)
#define CTLM_ABI_ISA sse42
#elif defined(__SSE4_1__)
#define CTLM_ABI_ISA sse41
#elif defined(__SSSE3__)
#define CTLM_ABI_ISA ssse3
#elif defined(__SSE3__)
#define CTLM_ABI_ISA sse3
#elif defined(__SSE2__)
#define CTLM_ABI_ISA sse2
#elif defined(__ARM_FEATURE_SVE)
#define CTLM_ABI_ISA sve
#elif defined(__ARM_FEATURE_DOTPROD)
#define CTLM_ABI_ISA neondot
#elif defined(__ARM_NEON)
#define CTLM_ABI_ISA neon
#else
#define CTLM_ABI_ISA generic
#endif

// Clang prints an array in a template's arguments as numbers.
#if defined(__clang__)
#define CTLM_PRINTS_NUMBERS 1
#else
#define CTLM_PRINTS_NUMBERS 0
#endif

#define CTLM_QUOTE_EXPANDED(text) #text
#define CTLM_QUOTE(text) CTLM_QUOTE_EXPANDED(text)

// 1 if a macro of the compiler is defined as 1, otherwise 0.
#define CTLM_ABI_KNOWN_1 ~, 1
#define CTLM_ABI_SECOND(first, second, ...) second
#define CTLM_ABI_CHOOSE(...) CTLM_ABI_SECOND(__VA_ARGS__)
#define CTLM_ABI_HAS_EXPANDED(value) CTLM_ABI_CHOOSE(CTLM_ABI_KNOWN_##value, 0, ~)
#define CTLM_ABI_HAS(macro) CTLM_ABI_HAS_EXPANDED(macro)
#define CTLM_ABI_JOIN(a, b, c, d, e, f, g, h) a##b##c##d##e##f##g##h
#define CTLM_ABI_JOINED(a, b, c, d, e, f, g, h) CTLM_ABI_JOIN(a, b, c, d, e, f, g, h)

// What a processor may have beside each of these: fused multiply-add and conversion of half precision, in letters, and
// in digits what compilers use on their own.
#if defined(__FMA__) && CTLM_F16C
#define CTLM_ABI_FLOATS mh
#elif defined(__FMA__)
#define CTLM_ABI_FLOATS m
#elif CTLM_F16C
#define CTLM_ABI_FLOATS h
#else
#define CTLM_ABI_FLOATS b
#endif
#if defined(__SSE2__)
#define CTLM_ABI_SCALAR                                                                                             \
  CTLM_ABI_JOINED(CTLM_ABI_HAS(__POPCNT__), CTLM_ABI_HAS(__LZCNT__), CTLM_ABI_HAS(__BMI__), CTLM_ABI_HAS(__BMI2__), \
                  CTLM_ABI_HAS(__MOVBE__), CTLM_ABI_HAS(__AVX2__), CTLM_ABI_HAS(__AVXVNNI__), CTLM_ABI_HAS(__GFNI__))
#elif defined(__aarch64__)
#define CTLM_ABI_SCALAR                                                                                        \
  CTLM_ABI_JOINED(CTLM_ABI_HAS(__ARM_FEATURE_ATOMICS), CTLM_ABI_HAS(__ARM_FEATURE_DOTPROD),                    \
                  CTLM_ABI_HAS(__ARM_FEATURE_FP16_VECTOR_ARITHMETIC), CTLM_ABI_HAS(__ARM_FEATURE_MATMUL_INT8), \
                  CTLM_ABI_HAS(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC), CTLM_ABI_HAS(__ARM_FEATURE_SVE2), , )
#else
#define CTLM_ABI_SCALAR
#endif
#if defined(__AVX512F__)
#define CTLM_ABI_WIDE                                                                                     \
  CTLM_ABI_JOINED(CTLM_ABI_HAS(__AVX512BW__), CTLM_ABI_HAS(__AVX512CD__), CTLM_ABI_HAS(__AVX512DQ__),     \
                  CTLM_ABI_HAS(__AVX512VL__), CTLM_ABI_HAS(__AVX512VNNI__), CTLM_ABI_HAS(__AVX512BF16__), \
                  CTLM_ABI_HAS(__AVX512FP16__), CTLM_ABI_HAS(__AVX512IFMA__))
#define CTLM_ABI_BYTES                                                                                         \
  CTLM_ABI_JOINED(CTLM_ABI_HAS(__AVX512VBMI__), CTLM_ABI_HAS(__AVX512VBMI2__), CTLM_ABI_HAS(__AVX512BITALG__), \
                  CTLM_ABI_HAS(__AVX512VPOPCNTDQ__), , , , )
#elif defined(__AVX__)
#define CTLM_ABI_WIDE CTLM_ABI_HAS(__FMA4__)
#define CTLM_ABI_BYTES
#else
#define CTLM_ABI_WIDE
#define CTLM_ABI_BYTES
#endif
#define CTLM_ABI_UNITS CTLM_ABI_JOINED(CTLM_ABI_FLOATS, CTLM_ABI_SCALAR, CTLM_ABI_WIDE, CTLM_ABI_BYTES, , , , )

#if CTLM_XSIMD
#define CTLM_ABI_SIMD x
#else
#define CTLM_ABI_SIMD p
#endif
#if CTLM_FREESTANDING
#define CTLM_ABI_HOST f
#elif CTLM_EXCEPTIONS
#define CTLM_ABI_HOST e
#else
#define CTLM_ABI_HOST n
#endif
#if CTLM_FAST_MATH
#define CTLM_ABI_MATH q
#else
#define CTLM_ABI_MATH i
#endif

#if CTLM_PCRE2 && CTLM_UTF8PROC
#define CTLM_ABI_TEXT pu
#elif CTLM_PCRE2
#define CTLM_ABI_TEXT p
#elif CTLM_UTF8PROC
#define CTLM_ABI_TEXT u
#else
#define CTLM_ABI_TEXT
#endif

#define CTLM_ABI_PASTE(major, minor, isa, units, simd, host, math, text) \
  v##major##_##minor##_##isa##_##units##_##simd##host##math##text
#define CTLM_ABI_EXPAND(major, minor, isa, units, simd, host, math, text) \
  CTLM_ABI_PASTE(major, minor, isa, units, simd, host, math, text)

/// Name of the inline namespace around everything in ctlm.
#define CTLM_ABI                                                                                                      \
  CTLM_ABI_EXPAND(CTLM_VERSION_MAJOR, CTLM_VERSION_MINOR, CTLM_ABI_ISA, CTLM_ABI_UNITS, CTLM_ABI_SIMD, CTLM_ABI_HOST, \
                  CTLM_ABI_MATH, CTLM_ABI_TEXT)

/// What the inner loops ask of the compiler: to inline a function (otherwise its sums would not stay in registers), not
/// to inline one, that two pointers do not overlap, and to have a cache line brought before it is needed.
#if defined(__GNUC__)
#define CTLM_INLINE inline __attribute__((always_inline))
#define CTLM_LAMBDA_INLINE __attribute__((always_inline))
#define CTLM_NOINLINE __attribute__((noinline))
#define CTLM_RESTRICT __restrict__
#define CTLM_PREFETCH_READ(p) __builtin_prefetch(p, 0, 2)
#define CTLM_PREFETCH_WRITE(p) __builtin_prefetch(p, 1)
#else
#define CTLM_INLINE inline
#define CTLM_LAMBDA_INLINE
#define CTLM_NOINLINE
#define CTLM_RESTRICT
#define CTLM_PREFETCH_READ(p) static_cast<void>(p)
#define CTLM_PREFETCH_WRITE(p) static_cast<void>(p)
#endif

/// Before a short loop over numbers that should stay in registers: WebAssembly's compiler, told to make code small,
/// leaves it a loop, and the numbers in memory, at half the speed.
#if defined(__wasm__)
#define CTLM_UNROLL _Pragma("clang loop unroll(full)")
#else
#define CTLM_UNROLL
#endif

/// Around code that intrinsics are inlined into: silences GCC 12, which warns that values inside AVX-512 intrinsics are
/// not initialised (GCC bug 105593). The pragma must be at every place between the function and the intrinsic.
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
#define CTLM_INTRINSICS_BEGIN                                                                \
  _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wmaybe-uninitialized\"") \
      _Pragma("GCC diagnostic ignored \"-Wuninitialized\"")
#define CTLM_INTRINSICS_END _Pragma("GCC diagnostic pop")
#else
#define CTLM_INTRINSICS_BEGIN
#define CTLM_INTRINSICS_END
#endif
