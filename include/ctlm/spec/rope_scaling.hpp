// SPDX-License-Identifier: MIT
// ctlm: how a config says that its rotary angles were changed for longer texts.
#pragma once

#include "decoder.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Scaling of rotary angles; the fields are those that the kind reads (spec/decoder.hpp says what each does).
struct rope_scaling {
  rope_kind kind = rope_kind::plain;  ///< which scaling
  double factor = 1;                  ///< how much longer texts become; at least 1
  std::size_t context = 0;            ///< positions before the scaling
  double low = 1;                     ///< llama3
  double high = 4;                    ///< llama3
  double fast = 32;                   ///< yarn
  double slow = 1;                    ///< yarn
  double attention = 0;               ///< yarn; 0: 0.1 ln(factor) + 1

  /// What generated headers call this type (io/pack.hpp).
  static constexpr const char* name = "rope_scaling";
  /// f(name, value) for every field, in order.
  template <class F>
  constexpr void for_each_field(F&& f) const {
    f("kind", kind);
    f("factor", factor);
    f("context", context);
    f("low", low);
    f("high", high);
    f("fast", fast);
    f("slow", slow);
    f("attention", attention);
  }
  /// The shape with this scaling.
  constexpr decoder_shape applied_to(decoder_shape s) const {
    s.rope_scaling = kind;
    s.rope_factor = factor;
    s.rope_context = context;
    s.rope_low = low;
    s.rope_high = high;
    s.rope_fast = fast;
    s.rope_slow = slow;
    s.rope_attention = attention;
    return s;
  }
};

}}  // namespace ctlm
