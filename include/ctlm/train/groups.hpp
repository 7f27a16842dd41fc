// SPDX-License-Identifier: MIT
// ctlm: groups of weights that learn at a rate, and decay, of their own.
#pragma once

#include "../model/selectors.hpp"
#include "../policy/optimizer/optimizer.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// What trainer::options says of one group.
struct group_options {
  float rate = 1;   ///< times the learning rate; at least 0; 0: these weights stay as they are
  float decay = 1;  ///< times the optimizer's weight_decay; at least 0
};

/// The policy of groups<Where...>.
template <class... Where>
struct weight_groups {
  static constexpr std::size_t count = sizeof...(Where);  ///< how many
  using options = group_options[sizeof...(Where)];        ///< of each group, in the order of the slot

  /// The group that tensor number `tensor` of `layer`, or no_layer, is in: the first that names it; count if none does.
  static constexpr std::size_t of(std::size_t tensor, std::size_t layer) {
    std::size_t i = 0;
    static_cast<void>(((Where::has(tensor, layer) || (++i, false)) || ...));
    return i;
  }
  /// What is wrong with the options.
  static constexpr failure problem_of(const options& o) {
    for (const group_options& g : o)
      if (const failure f = first_problem(not_negative(static_cast<double>(g.rate), "groups.rate"),
                                          not_negative(static_cast<double>(g.decay), "groups.decay"));
          f.code != errc::ok)
        return f;
    return {};
  }
};
/// No groups: all weights learn alike.
template <>
struct weight_groups<> {
  static constexpr std::size_t count = 0;
  struct options {};
};

/// Slot of a trainer: weights that learn in their own way (default: none). Where are selectors of namespace tensors,
/// each a group: groups<tensors::embedding, tensors::gains> with the options
/// .groups = {{.rate = 0.1f}, {.rate = 2, .decay = 0}}.
template <class... Where>
using groups = slot<slot_kind::groups, weight_groups<Where...>>;

namespace groups_detail {

template <class Where>
constexpr bool names_some(const tensor_table& table) {
  for (const tensor_info& t : table)
    for (std::size_t l = 0; l < t.layers; ++l)
      if (Where::has(t.selected(), t.is_of_layer() ? l : no_layer)) return true;
  return false;
}
template <class Shape, class Groups, bool own_head>
inline constexpr bool all_name_some = true;
template <class Shape, bool own_head, class... Where>
inline constexpr bool all_name_some<Shape, weight_groups<Where...>, own_head> =
    ((names_some<Where>(tensor_table(Shape::value)) ||
      (own_head && Where::has(static_cast<std::size_t>(tensor_id::head_weight), no_layer))) &&
     ...);

}  // namespace groups_detail

/// How one layer of a tensor is updated.
template <class Options>
struct group_update {
  Options options;  ///< the optimizer's
  update step;      ///< what it is told of the step
};

/// The options and the update of a layer of a tensor, with the factors of the group that it is in. Of a model that
/// is `factored`, the tensors of a projection are in the groups that it is in.
template <class Groups, class Optimizer, bool factored = false>
constexpr group_update<typename Optimizer::options> in_group(const tensor_info& t, std::size_t layer,
                                                             const typename Optimizer::options& o, const update& u,
                                                             [[maybe_unused]] const typename Groups::options& groups) {
  group_update<typename Optimizer::options> own{o, u};
  if constexpr (Groups::count > 0) {
    const std::size_t group = Groups::of(factored ? t.selected() : t.index(), t.is_of_layer() ? layer : no_layer);
    if (group == Groups::count) return own;
    own.step.lr *= static_cast<double>(groups[group].rate);
    scale_decay_of<Optimizer>(own.options, groups[group].decay);
  }
  return own;
}

}}  // namespace ctlm
