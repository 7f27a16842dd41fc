// SPDX-License-Identifier: MIT
// ctlm: what identifies a model in files: everything that gives the bytes of its weights their meaning.
#pragma once

#include "causal_lm.hpp"

#include <bit>

namespace ctlm { inline namespace CTLM_ABI {

namespace fingerprint_detail {

template <class T>
constexpr std::uint64_t as_number(T value) {
  if constexpr (std::is_same_v<T, float>)
    return std::bit_cast<std::uint32_t>(value);
  else if constexpr (std::is_same_v<T, double>)
    return std::bit_cast<std::uint64_t>(value);
  else
    return static_cast<std::uint64_t>(value);
}

template <class F>
constexpr void add_format(fingerprint& f) {
  f.text(F::name);
  if constexpr (mixed_format<F>)
    mixed_detail::each<typename F::formats, mixed_detail::views<true>>::for_each([&]<class G>() { add_format<G>(f); });
  if constexpr (quantised_format<F>) {
    f.number(F::group);
    f.number(F::compact ? 2 : F::has_min ? 1 : 0);
    f.number(stripe_rows * quad);  // the layout: interleaved.hpp
  }
}

/// Adds activation, norm (if it is not the spec's, which the shape names) and weight format. Activations with a
/// parameter differ in their value at 1. It is rounded to 16 bits after the point, so that it is the same number
/// whatever machine computes it.
template <class M>
constexpr void add_policies(fingerprint& f) {
  using F = typename M::weight_format;
  constexpr int activated = math::round_to_int(M::activation_policy::value(1.0) * 65536);
  f.text(M::activation_policy::name);
  f.number(static_cast<std::uint64_t>(activated));
  if constexpr (!std::same_as<typename M::norm, typename M::default_norm>) f.text(M::norm::name);
  add_format<F>(f);
  if constexpr (mixed_format<F>)
    for (const tensor_info& t : M::tensors)
      for (std::size_t l = 0; t.is_matrix() && l < t.layers; ++l)
        f.number(F::kind_of(t.selected(), t.is_of_layer() ? l : no_layer));
}

constexpr bool is_context(std::size_t decoder_shape::*field) { return field == &decoder_shape::context; }
template <class Field>
constexpr bool is_context(Field) {
  return false;
}

/// Names and values of the fields that are not at their defaults.
constexpr void add_shape(fingerprint& f, const decoder_shape& shape) {
  const decoder_shape absent{};
  const bool any_length = shape.position == position_kind::rope;
  decoder_shape::for_each_field([&](const char* name, auto field) {
    if (shape.*field == absent.*field || (any_length && is_context(field))) return;
    f.text(name);
    f.number(as_number(shape.*field));
  });
}

}  // namespace fingerprint_detail

/// Identifies the weights of M in checkpoints and flash images alike: every field of the shape that is not at its
/// default, names and shapes of the tensors, activation, norm, weight format, alignment. The context length takes part
/// only where positions are learned: with rotary ones it changes nothing about the weights.
template <class M>
constexpr std::uint64_t weights_fingerprint() {
  fingerprint f;
  fingerprint_detail::add_shape(f, M::shape);
  f.number(M::tensors.layout_hash());
  f.number(memory_alignment);
  fingerprint_detail::add_policies<M>(f);
  return f.value();
}

/// What images of layout version 1 have instead of weights_fingerprint. (Checkpoints of version 1 keep
/// tensors.layout_hash(), which knows names and shapes of tensors, and not heads, eps, theta or activation.)
template <class M>
constexpr std::uint64_t first_image_fingerprint() {
  constexpr decoder_shape s = M::shape;
  fingerprint f;
  f.number(M::tensors.layout_hash());
  for (std::size_t n : {s.heads, s.kv_heads, s.head_dim, std::size_t(s.tie_embeddings), std::size_t(s.norm),
                        std::size_t(s.position), memory_alignment})
    f.number(n);
  f.number(std::bit_cast<std::uint32_t>(s.norm_eps));
  f.number(std::bit_cast<std::uint64_t>(s.rope_theta));
  fingerprint_detail::add_policies<M>(f);
  return f.value();
}

}}  // namespace ctlm
