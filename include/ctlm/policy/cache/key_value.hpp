// SPDX-License-Identifier: MIT
// ctlm: a KV cache whose keys and values are stored in different formats: errors of keys change which positions a token
// looks at, and cost several times as much as those of values.
#pragma once

#include "../../format/format.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Of kv_cache<>: keys in format K, values in format V.
template <format K, format V>
struct key_value {
  static_assert(std::same_as<typename K::compute, typename V::compute>,
                "ctlm: key_value<K, V>: the formats K and V compute in different numbers");
  using compute = typename K::compute;  ///< the numbers that both decode to
};

/// The formats of keys and of values: of a format, both itself.
template <class S>
struct row_formats {};
template <format F>
struct row_formats<F> {
  using keys = F;
  using values = F;
};
template <format K, format V>
struct row_formats<key_value<K, V>> {
  using keys = K;
  using values = V;
};

/// How rows of keys and values are stored: a format, or key_value<K, V>.
template <class S>
concept row_storage = requires {
  typename row_formats<S>::keys;
};

/// Whether attention can use the rows in place, without decoding.
template <row_storage S>
inline constexpr bool rows_in_place =
    native_format<typename row_formats<S>::keys>&& native_format<typename row_formats<S>::values>;

}}  // namespace ctlm
