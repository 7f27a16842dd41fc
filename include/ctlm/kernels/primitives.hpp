// SPDX-License-Identifier: MIT
// ctlm: the contract of an arch: the operations that every other kernel is written with.
//
//   elementwise, sum, maximum     loops over arrays (portable/elementwise.hpp)
//   gemm                          matrix product (portable/gemm.hpp)
//   dot_products                  the same for few rows (portable/dot.hpp)
//   decode_row                    stored numbers to arithmetic ones (portable/decode.hpp)
//   quantise_row, quantised_block    integer weights x int8 activations (portable/quantised_block.hpp)
//
// The portable ones are complete and constexpr. An overload for simd<A> replaces one of them; deleting it leaves a
// working build.
#pragma once

#include "../arch/native.hpp"
#include "portable/decode.hpp"
#include "portable/dot.hpp"
#include "portable/elementwise.hpp"
#include "portable/gemm.hpp"
#include "portable/quantised_block.hpp"
#if CTLM_XSIMD
#include "xsimd/decode.hpp"
#include "xsimd/dot.hpp"
#include "xsimd/elementwise.hpp"
#include "xsimd/gemm.hpp"
#include "xsimd/quantise.hpp"
#if CTLM_AVX2
#include "xsimd/avx2/quantised_block.hpp"
#include "xsimd/avx2/widen.hpp"
#endif
#if CTLM_NEON
#include "xsimd/neon/quantised_block.hpp"
#endif
#endif
