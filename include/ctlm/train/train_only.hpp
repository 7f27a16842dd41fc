// SPDX-License-Identifier: MIT
// ctlm: what of a model learns: all of it, some of its tensors, or adapters beside its matrices.
#pragma once

#include "../model/selectors.hpp"
#include "../policy/slots.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// How adapters are computed: the `config` of the third argument of lora<>.
struct lora_config {
  double alpha = 8;                ///< what is added is multiplied by alpha / rank
  double dropout = 0;              ///< the share of what A sees that is dropped while training; at least 0, less than 1
  bool rank_stabilised = false;    ///< alpha / sqrt(rank) instead (rsLoRA: Kalajdzievski 2023)
  bool weight_decomposed = false;  ///< the lengths of the rows learn by themselves (DoRA: Liu et al. 2024)
};

/// The options of lora<> unless the user says otherwise: those of PEFT.
struct lora_defaults {
  static constexpr lora_config config{};  ///< as above
};

/// In train_only<>: adapters of rank Rank beside the projections that Where names, all unless said otherwise. The
/// projections themselves do not learn. Options is a type with a `config`, as a recipe is:
/// `struct mine { static constexpr ctlm::lora_config config{.alpha = 16}; };`.
template <std::size_t Rank, class Where = tensors::projections, class Options = lora_defaults>
struct lora {
  static constexpr std::size_t rank = Rank;               ///< rows of A, columns of B
  static constexpr lora_config config = Options::config;  ///< how they are computed
  static_assert(Rank > 0, "ctlm: lora<rank, ...> needs a rank of at least 1");
  static_assert(config.dropout >= 0 && config.dropout < 1,
                "ctlm: the dropout of lora<> must be at least 0 and less than 1");
  static_assert(!config.weight_decomposed || !(config.dropout > 0),
                "ctlm: lora<> with weight_decomposed has no dropout: what is dropped would change the lengths of rows");

  /// What B A is multiplied by.
  static constexpr double scale() {
    return config.alpha / (config.rank_stabilised ? math::sqrt(static_cast<double>(Rank)) : static_cast<double>(Rank));
  }
  /// Whether part number `part` of a tensor has an adapter.
  static constexpr bool adapts(std::size_t tensor, std::size_t part, std::size_t layer) {
    return tensors::has_part<Where>(tensor, part, layer);
  }
};

namespace train_only_detail {

struct no_lora {
  static constexpr std::size_t rank = 0;
  static constexpr lora_config config{};
  static constexpr double scale() { return 0; }
  static constexpr bool adapts(std::size_t, std::size_t, std::size_t) { return false; }
};
template <class... Parts>
struct find_lora {
  using type = no_lora;
  static constexpr std::size_t count = 0;
};
template <class First, class... Rest>
struct find_lora<First, Rest...> : find_lora<Rest...> {};
template <std::size_t Rank, class Where, class Options, class... Rest>
struct find_lora<lora<Rank, Where, Options>, Rest...> {
  using type = lora<Rank, Where, Options>;
  static constexpr std::size_t count = 1 + find_lora<Rest...>::count;
};
/// Whether a tensor learns itself.
template <class Part>
struct part {
  static constexpr bool has(std::size_t tensor, std::size_t layer) { return Part::has(tensor, layer); }
};
template <std::size_t Rank, class Where, class Options>
struct part<lora<Rank, Where, Options>> {
  static constexpr bool has(std::size_t, std::size_t) { return false; }
};

}  // namespace train_only_detail

/// What train_only<Parts...> stands for.
template <class... Parts>
struct chosen_tensors {
  using adapter = typename train_only_detail::find_lora<Parts...>::type;  ///< the lora<> among them, or one of rank 0
  static_assert(sizeof...(Parts) > 0, "ctlm: train_only<...> needs to know what learns: train_only<lora<8>>");
  static_assert(train_only_detail::find_lora<Parts...>::count <= 1,
                "ctlm: train_only<...> takes one lora<>: give it all projections, lora<8, tensors::any<...>>");

  /// Whether a tensor learns itself.
  static constexpr bool learns(std::size_t tensor, std::size_t layer) {
    return (train_only_detail::part<Parts>::has(tensor, layer) || ...);
  }
};

/// Slot of a trainer: what learns (default: everything). Selectors (model/selectors.hpp) name tensors that learn
/// themselves, lora<> adapters beside projections: `train_only<tensors::gains, tensors::layers<28, 29>>`,
/// `train_only<lora<8>>`. All else stays in the weights that the trainer is given, in their format, and has neither
/// gradients nor state of an optimizer.
template <class... Parts>
using train_only = slot<slot_kind::train_only, chosen_tensors<Parts...>>;

}}  // namespace ctlm
