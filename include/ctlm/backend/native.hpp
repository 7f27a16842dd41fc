// SPDX-License-Identifier: MIT
// ctlm: `native`, the best backend of this translation unit: xsimd where the build links it, portable otherwise.
#pragma once

#include "portable.hpp"
#if CTLM_XSIMD
#include "xsimd.hpp"
#endif

namespace ctlm { inline namespace CTLM_ABI {

#if CTLM_XSIMD
/// The best backend of this translation unit.
using native = native_simd;
#else
using native = portable;
#endif

}}  // namespace ctlm
