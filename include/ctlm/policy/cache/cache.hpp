// SPDX-License-Identifier: MIT
// ctlm: what a KV cache is made of: a storage format, and what may be around it.
#pragma once

#include "recent.hpp"
#include "rotated.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The parts of what kv_cache<P> takes: of a format, itself.
template <class P>
struct cache_parts {
  using rotation = no_rotation;  ///< of each head's numbers before they are stored
  using storage = P;             ///< a format, key_value<K, V>, or recent<F, ...>
};
template <class P, head_rotation R>
struct cache_parts<rotated<P, R>> {
  using rotation = R;
  using storage = P;
};

/// What holds keys and values: a format, key_value<K, V>, or recent<> of either.
template <class S>
inline constexpr bool is_cache_storage = row_storage<S>;
template <row_storage F, std::size_t N, row_storage G>
inline constexpr bool is_cache_storage<recent<F, N, G>> = true;

/// What kv_cache<P> takes: a storage of keys and values, or rotated<> of one.
template <class P>
concept cache_policy = is_cache_storage<typename cache_parts<P>::storage>;

}}  // namespace ctlm
