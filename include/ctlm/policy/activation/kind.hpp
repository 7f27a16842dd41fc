// SPDX-License-Identifier: MIT
// ctlm: activations by a value, for configs that are read from a text.
#pragma once

#include "all.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The activation of a config that is not known as a type.
enum class activation_kind : std::uint8_t {
  relu,       ///< relu
  gelu,       ///< gelu
  gelu_tanh,  ///< gelu_tanh
  silu,       ///< silu
  swiglu,     ///< swiglu
  geglu,      ///< geglu
  geglu_tanh  ///< geglu_tanh
};

template <activation_kind Kind>
struct activation_of_kind;
template <>
struct activation_of_kind<activation_kind::relu> : std::type_identity<relu> {};
template <>
struct activation_of_kind<activation_kind::gelu> : std::type_identity<gelu> {};
template <>
struct activation_of_kind<activation_kind::gelu_tanh> : std::type_identity<gelu_tanh> {};
template <>
struct activation_of_kind<activation_kind::silu> : std::type_identity<silu> {};
template <>
struct activation_of_kind<activation_kind::swiglu> : std::type_identity<swiglu> {};
template <>
struct activation_of_kind<activation_kind::geglu> : std::type_identity<geglu> {};
template <>
struct activation_of_kind<activation_kind::geglu_tanh> : std::type_identity<geglu_tanh> {};

}}  // namespace ctlm
