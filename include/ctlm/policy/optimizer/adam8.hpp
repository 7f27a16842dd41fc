// SPDX-License-Identifier: MIT
// ctlm: AdamW with moments of 8 bits (Dettmers et al. 2022, "8-bit Optimizers via Block-wise Quantization").
#pragma once

#include "adamw.hpp"
#include "any_stack.hpp"
#include "dynamic_codes.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// AdamW whose two moments are stored in a byte each, as codes of a non-uniform scale (dynamic_codes) times the largest
/// of their block of 256. Gains, biases and routers, which are few, keep theirs in full. State: 2 bytes for each weight
/// of a matrix and 8 for each block, a quarter of AdamW's.
struct adam8 {
  static constexpr const char* name = "adam8";
  static constexpr std::size_t block = 256;  ///< weights whose moments share a scale
  using options = adamw::options;            ///< those of AdamW

  static constexpr failure problem_of(const options& o) { return adamw::problem_of(o); }

  /// Of matrices: codes [size] and scales [blocks] of both moments. Of vectors: the moments of AdamW.
  template <class T>
  struct state {
    std::uint8_t* codes[adamw::moments];                   ///< [size]
    float* scales[adamw::moments];                         ///< [blocks]
    typename any_stack<adamw>::template state<T> in_full;  ///< [size] each
  };
  template <class T, class A>
  static constexpr state<T> place_state(A& a, const weight_stack& s) {
    state<T> kept{};
    if (s.kind == weight_kind::vector) {
      kept.in_full = any_stack<adamw>::place_state<T>(a, s);
      return kept;
    }
    for (std::size_t i = 0; i < adamw::moments; ++i) {
      kept.codes[i] = a.template allocate<std::uint8_t>(s.size());
      kept.scales[i] = a.template allocate<float>(ceil_div(s.size(), block));
    }
    return kept;
  }
  /// None: a block's moments are decoded on the stack.
  template <class T>
  struct scratch {};
  template <class T, class A, class Backend>
  static constexpr scratch<T> place_scratch(A&, Backend, std::size_t, const weight_stack&) {
    return {};
  }

  template <class Backend, executor E, class T>
  static constexpr void apply(Backend backend, E& exec, const weight_stack& s, T* w, const T* g, const state<T>& kept,
                              const scratch<T>&, const options& o, const update& u) {
    if (s.kind == weight_kind::vector) return any_stack<adamw>::apply(backend, exec, s, w, g, kept.in_full, {}, o, u);
    const auto f = adamw::factors_of<T>(o, u);
    parallel_for(exec, s.size(), 64 * block, [&](std::size_t first, std::size_t count, std::size_t) {
      for (std::size_t i = first; i < first + count; i += block)
        apply_block(backend, smaller(block, first + count - i), i, w + i, g + i, kept, f);
    });
  }

 private:
  template <class Backend, class T>
  static constexpr void apply_block(Backend backend, std::size_t n, std::size_t first, T* w, const T* g,
                                    const state<T>& kept, const adamw::factors<T>& f) {
    T mean[block], square[block];
    T* moments[] = {mean, square};
    const dynamic_codes<T>* const codes[] = {&signed_dynamic_codes<T>, &unsigned_dynamic_codes<T>};
    for (std::size_t i = 0; i < adamw::moments; ++i)
      codes[i]->decode(n, kept.codes[i] + first, kept.scales[i][first / block], moments[i]);
    adamw::apply(backend, n, w, g, moments, f);
    for (std::size_t i = 0; i < adamw::moments; ++i)
      kept.scales[i][first / block] = codes[i]->encode(n, moments[i], kept.codes[i] + first);
  }
};
static_assert(stack_optimizer<adam8>);

}}  // namespace ctlm
