// SPDX-License-Identifier: MIT
// ctlm: slot factored<>: projections that are products of thin matrices, W = diag(d) U diag(s) V.
//
//   using lm = ctlm::causal_lm<tag, ctlm::factored<64, ctlm::tensors::up, ctlm::tensors::down>>;
#pragma once

#include "../policy/slots.hpp"
#include "selectors.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Of factored<>: matrices of fewer than N numbers stay as they are.
template <std::size_t N>
struct above {
  static constexpr std::size_t least = N;                                ///< numbers of a matrix that is factored
  static constexpr bool has(std::size_t, std::size_t) { return false; }  ///< it names nothing
};

/// The policy of factored<>: which projections, and their rank.
template <std::size_t Rank, class... Where>
struct factored_projections {
  static_assert(Rank > 0, "ctlm: factored<rank, ...> needs a rank of at least 1");

  /// Numbers of the smallest matrix that is factored.
  static constexpr std::size_t least() {
    std::size_t n = 0;
    ((n = larger(n,
                 [] {
                   if constexpr (requires { Where::least; })
                     return Where::least;
                   else
                     return std::size_t{0};
                 }())),
     ...);
    return n;
  }
  /// How many of Where name tensors; if none does, all projections are named.
  static constexpr std::size_t selectors = (std::size_t{0} + ... + (requires { Where::least; } ? 0 : 1));
  /// Whether a tensor of this number is named in this layer.
  static constexpr bool has([[maybe_unused]] tensor_id id, [[maybe_unused]] std::size_t layer) {
    return selectors == 0 || (Where::has(static_cast<std::size_t>(id), layer) || ...);
  }
  /// Whether a projection of this shape will be factored.
  static constexpr bool factors(const decoder_shape& s, tensor_id id) {
    return has(id, 0) && rule_of(id).rows(s) * rule_of(id).cols(s) >= least();
  }
  /// The shape of a model with these factors.
  static constexpr decoder_shape of(decoder_shape s) {
    const decoder_shape dense = s;
    for (std::size_t i = 0; i < factorable_count; ++i)
      if (factors(dense, factorable_tensors[i])) s.*factor_ranks[i] = Rank;
    return s;
  }

  /// Whether a selector names a projection, or is none.
  template <class W>
  static constexpr bool names_some(const decoder_shape& s) {
    if constexpr (requires { W::least; }) return true;
    for (const tensor_id id : factorable_tensors)
      for (std::size_t l = 0; l < s.layers; ++l)
        if (W::has(static_cast<std::size_t>(id), l)) return true;
    return false;
  }
  /// Whether every selector does.
  static constexpr bool all_name_some(const decoder_shape& s) { return (names_some<Where>(s) && ...); }
  /// Whether what is named in one layer is named in all.
  static constexpr bool all_layers(const decoder_shape& s) {
    for (const tensor_id id : factorable_tensors)
      for (std::size_t l = 1; l < s.layers; ++l)
        if (has(id, l) != has(id, 0)) return false;
    return true;
  }
  /// Whether the rank is at most that of each matrix.
  static constexpr bool rank_fits(const decoder_shape& s) {
    for (const tensor_id id : factorable_tensors)
      if (factors(s, id) && Rank > smaller(rule_of(id).rows(s), rule_of(id).cols(s))) return false;
    return true;
  }
};

/// Slot of a model: the projections that the selectors name (model/selectors.hpp; none: qkv, out, up and down), of all
/// layers, are products of thin matrices of this rank. Among the selectors, above<N> leaves matrices of fewer than N
/// numbers as they are.
template <std::size_t Rank, class... Where>
using factored = slot<slot_kind::factored, factored_projections<Rank, Where...>>;

/// The shape of a model with factors, as a type.
template <class Shape, class Factors>
struct factored_shape {
  using whole = Shape;                                               ///< that without
  static constexpr decoder_shape value = Factors::of(Shape::value);  ///< the shape
};
/// The shape of a model with slot factored<>, or the shape as it is where Factors is void.
template <class Shape, class Factors>
struct shape_with_factors {
  using type = factored_shape<Shape, Factors>;
};
template <class Shape>
struct shape_with_factors<Shape, void> {
  using type = Shape;
};

/// The checks of factored<>, each with its own words.
template <class Tag, class Shape, class Factors>
struct check_factors {
  static constexpr decoder_shape s = Shape::value;  ///< that of the whole model
  static_assert(s.experts == 0, "ctlm: factored<> is not for models with experts yet");
  static_assert(Factors::all_name_some(s),
                "ctlm: factored<rank, ...> names no projection: tensors::qkv, out, up and down can be factored");
  static_assert(Factors::all_layers(s),
                "ctlm: factored<rank, ...> factors a projection in all layers or in none: leave out tensors::layers<>");
  static_assert(Factors::rank_fits(s),
                "ctlm: factored<rank, ...>: the rank is above the rows or the columns of a matrix that is named");
  static_assert(!Factors::rank_fits(s) || !Factors::all_name_some(s) || Factors::of(s).is_factored(),
                "ctlm: factored<rank, above<N>, ...> factors nothing: all matrices have fewer than N numbers");
  static constexpr bool ok = true;
};
template <class Tag, class Shape>
struct check_factors<Tag, Shape, void> {
  static constexpr bool ok = true;
};

}}  // namespace ctlm
