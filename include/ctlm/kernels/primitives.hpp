// SPDX-License-Identifier: MIT
// ctlm: the contract of a backend: the operations that every other kernel is written with.
//
//   elementwise, sum, maximum     loops over arrays (portable/elementwise.hpp)
//   gemm                          matrix product (portable/gemm.hpp)
//   dot_products                  the same for few rows (portable/dot.hpp)
//   decode_row, decode_rows       stored numbers to arithmetic ones (portable/decode.hpp)
//   stored_products, add_stored_products    few rows x stored ones; portable code decodes (portable/stored_rows.hpp)
//   add_levels, pick_between, lane_sum, largest_number, first_reaching    for sampling (portable/levels.hpp)
//   quantise_row, quantised_stripe    integer weights x int8 activations (portable/quantised_stripe.hpp)
//
// The portable ones are complete and constexpr. An overload for simd<A> replaces one of them; deleting it leaves a
// working build.
#pragma once

#include "../backend/native.hpp"
#include "portable/decode.hpp"
#include "portable/dot.hpp"
#include "portable/elementwise.hpp"
#include "portable/gemm.hpp"
#include "portable/half_products.hpp"
#include "portable/levels.hpp"
#include "portable/quantised_stripe.hpp"
#include "portable/stored_rows.hpp"
#if CTLM_XSIMD
#include "xsimd/amx/tiles.hpp"
#include "xsimd/decode.hpp"
#include "xsimd/decode_codes.hpp"
#include "xsimd/decode_rows.hpp"
#include "xsimd/dot.hpp"
#include "xsimd/elementwise.hpp"
#include "xsimd/gemm.hpp"
#include "xsimd/half_gemm.hpp"
#include "xsimd/levels.hpp"
#include "xsimd/quantise.hpp"
#include "xsimd/stored_rows.hpp"
#if CTLM_AVX2
#include "xsimd/avx2/decode_codes.hpp"
#include "xsimd/avx2/quantised_block.hpp"
#include "xsimd/avx2/quantised_stripe.hpp"
#include "xsimd/avx2/stored_chunks.hpp"
#include "xsimd/avx2/stored_rows.hpp"
#include "xsimd/avx2/widen.hpp"
#include "xsimd/avx512/levels.hpp"
#include "xsimd/avx512/quantised_stripe.hpp"
#if CTLM_AVX512BF16
#include "xsimd/avx512/half_products.hpp"
#if CTLM_AMX
#include "xsimd/amx/quantised_stripe.hpp"
#endif
#endif
#endif
#if CTLM_NEON
#include "xsimd/neon/quantised_stripe.hpp"
#if CTLM_NEON_BF16
#include "xsimd/neon/half_products.hpp"
#endif
#endif
#endif
