// SPDX-License-Identifier: MIT
// ctlm: what a quantiser is told: how to round, what to read, and what it has memory for.
#pragma once

#include "../core/span.hpp"
#include "../core/types.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// How weights become integers.
enum class rounding : std::uint8_t {
  weighted,  ///< each group by itself, errors weighted by the mean square of the input that they meet
  gptq,      ///< as weighted; then column by column, each error made good by the columns after it
};

/// What a quantiser is told at run time.
struct quantise_options {
  rounding method = rounding::weighted;  ///< how to round
  std::uint64_t seed = 1;                ///< of the tokens that are drawn where there is no text
  span<const token> text{};  ///< what the model reads; its beginning, as far as there is room. None: tokens are drawn
  double damping = 0.01;     ///< gptq: what is added to the diagonal, as a part of its mean
  bool by_size = true;       ///< gptq: columns with large inputs are rounded first ("act order")
  double towards_exact = 0.25;  ///< gptq: a layer sees what the rounded layers before it make, and its weights move
                                ///< by this part of the way to those that make of it what the exact model has there.
                                ///< 0: it sees what the exact layers make, and its weights do not move
};

/// What a quantiser has memory for.
struct quantiser_room {
  rounding method = rounding::gptq;  ///< gptq: the other method, too
  std::size_t tokens = 2048;         ///< that the full model reads at most: whole sequences of them
};

}}  // namespace ctlm
