// SPDX-License-Identifier: MIT
// ctlm: weights with factored projections as files of other programs have them: multiplied out.
#pragma once

#include "../memory/heap_arena.hpp"
#include "../memory/out_of_memory.hpp"
#include "../model/causal_lm.hpp"
#include "../model/merge_factors.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// use(weights with whole matrices), in memory that is taken for as long, of the numbers of arithmetic. Errors:
/// errc::out_of_memory; those of `use`.
template <class Whole, class Factors, class F, class Use>
result<void> with_merged(const weight_views<factored_shape<Whole, Factors>, F>& weights, Use&& use) {
  using real = std::remove_const_t<typename weight_views<factored_shape<Whole, Factors>, F>::real>;
  using whole = weight_views<Whole, native_format_of<real>>;
  return or_out_of_memory("ctlm: there is no memory for the products of factored weights", [&]() -> result<void> {
    heap_arena memory(whole::bytes_needed());
    const whole merged(memory);
    merge_factors(weights, merged);
    return use(merged);
  });
}

}}  // namespace ctlm
