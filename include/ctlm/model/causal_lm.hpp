// SPDX-License-Identifier: MIT
// ctlm: a language model is a struct.
//
//   struct tiny { static constexpr ctlm::llama_config config{.vocab = 512, .d_model = 64, .layers = 5, ...}; };
//   using lm = ctlm::causal_lm<tiny, ctlm::weights<ctlm::int4<32>>>;
//   static_assert(lm::session_bytes <= 96 * 1024);
#pragma once

#include "../policy/activation/kind.hpp"
#include "../policy/slots.hpp"
#include "factored.hpp"
#include "selectors.hpp"
#include "session.hpp"
#include "weights.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The activation of a tag's config: a type of the spec's, or named by a value of its own.
template <class Tag>
struct spec_activation {};
template <class Tag>
requires requires { typename std::remove_cvref_t<decltype(Tag::config)>::default_activation; }
struct spec_activation<Tag> {
  using type = typename std::remove_cvref_t<decltype(Tag::config)>::default_activation;
};
template <class Tag>
requires requires { typename activation_of_kind<Tag::config.activation>::type; }
struct spec_activation<Tag> {
  using type = typename activation_of_kind<Tag::config.activation>::type;
};

/// Asks a config that was read from a text whether everything in it can be computed with.
template <class Tag>
constexpr bool config_is_supported() {
  if constexpr (requires { Tag::config.template supported<Tag>(); })
    return Tag::config.template supported<Tag>();
  else
    return true;
}

/// A tag that holds a config of one of the specs (gpt2_config, llama_config...).
template <class Tag>
concept model_tag = requires {
  typename spec_activation<Tag>::type;
  { Tag::config.shape(true) } -> std::same_as<decoder_shape>;
};

/// The shape of a tag's config, as a type: messages that a compiler prints then name the tag and not its numbers.
template <class Tag, bool Gated>
struct shape_of {
  static constexpr decoder_shape value = Tag::config.shape(Gated);
};

/// The format that holds numbers of type Real as they are.
template <class Real>
using native_format_of = std::conditional_t<std::same_as<Real, double>, f64, f32>;

/// Has every tensor a number of elements that a std::size_t can hold?
constexpr bool countable(const tensor_table& tensors) {
  for (const tensor_info& t : tensors)
    if (~std::size_t{0} / larger(1, t.layers) / larger(1, t.rows) < t.cols) return false;
  return true;
}

/// As check_decoder: says nothing of a config with an error in it.
template <class Tag, class Shape>
struct check_size {
  static constexpr bool ok = true;
};
template <class Tag, class Shape>
requires(check_decoder<Tag, Shape>::readable) struct check_size<Tag, Shape> {
  static_assert(countable(tensor_table(Shape::value)),
                "ctlm: the weights of this config are larger than any memory: look at vocab, d_model, layers and d_ff");
  static constexpr bool ok = true;
};

/// Whether a cache's rotation can rotate the heads of this shape; says nothing of a config with an error in it.
template <class Tag, class Shape, class Rotation>
constexpr bool rotates_heads() {
  if constexpr (check_decoder<Tag, Shape>::readable)
    return Rotation::fits(Shape::value.head_dim);
  else
    return true;
}

template <class M, class Recipe, class... Slots>
class trainer;
template <class Tag, class... Slots>
struct causal_lm;

/// The model of a tag with these slots, but for factored<>.
template <class Model, class... Slots>
struct model_without_factors {
  using type = Model;
};
template <class Tag, class... Kept, class First, class... Rest>
struct model_without_factors<causal_lm<Tag, Kept...>, First, Rest...>
    : model_without_factors<std::conditional_t<slot_has_kind<slot_kind::factored, First>(), causal_lm<Tag, Kept...>,
                                               causal_lm<Tag, Kept..., First>>,
                            Rest...> {};

/// The model that Tag::config describes, with its policies (slots.hpp lists them). Nothing is stored in it: it is the
/// types and figures from which weights, sessions and trainers are made.
template <class Tag, class... Slots>
struct causal_lm {
  static_assert(model_tag<Tag>,
                "ctlm: a model's tag needs `static constexpr ctlm::gpt2_config config{...}` (or llama_config...)");
  static_assert(config_is_supported<Tag>());
  static_assert(check_slots<slot_kind::weights, slot_kind::prompt_chunk, Slots...>::ok);

  using tag = Tag;                                                   ///< the user's struct that holds the config
  using weight_format = slot_or<slot_kind::weights, f32, Slots...>;  ///< slot weights<>
  using real = typename weight_format::compute;  ///< numbers of arithmetic: float, or double for f64
  using cache_format = slot_or<slot_kind::kv_cache, native_format_of<real>, Slots...>;  ///< slot kv_cache<>
  using cache_policy_parts = cache_parts<cache_format>;                                 ///< what that is made of

  /// Slot activation<>, or the spec's own.
  using activation_policy = slot_or<slot_kind::activation, typename spec_activation<Tag>::type, Slots...>;
  using compute_format = slot_or<slot_kind::compute, default_compute<weight_format>, Slots...>;  ///< slot compute<>
  using backend_policy = slot_or<slot_kind::backend, native, Slots...>;                          ///< slot backend<>
  using executor_policy = slot_or<slot_kind::threads, serial, Slots...>;                         ///< slot threads<>
  using memory_policy = slot_or<slot_kind::memory, resident, Slots...>;                          ///< slot memory<>

  /// Slot prompt_chunk<>: tokens of a prompt that go through the layers together.
  static constexpr std::size_t prompt_chunk_rows =
      slot_or<slot_kind::prompt_chunk, ctlm::prompt_chunk_rows<8>, Slots...>::value;

  /// Slot adapters<>: the highest rank of adapters that sessions take; 0: they take none.
  static constexpr std::size_t adapter_rank = slot_or<slot_kind::adapters, highest_rank<0>, Slots...>::value;

  /// Slot factored<>: which projections are products of thin matrices; void: none.
  using factors = slot_or<slot_kind::factored, void, Slots...>;
  using whole_shape = shape_of<Tag, activation_policy::gated>;                 ///< the shape, all matrices whole
  using shape_type = typename shape_with_factors<whole_shape, factors>::type;  ///< the shape, as a type

  /// The model without factored<>.
  using whole_model = typename model_without_factors<causal_lm<Tag>, Slots...>::type;

  /// The shape: all sizes, with the config's defaults filled in.
  static constexpr decoder_shape shape = shape_type::value;
  static_assert(check_decoder<Tag, shape_type>::ok);
  static_assert(check_factors<Tag, whole_shape, factors>::ok);
  static_assert(adapter_rank == 0 || !shape.is_factored(), "ctlm: adapters<N> is not for models with factored<> yet");
  static_assert(std::same_as<typename cache_policy_parts::storage::compute, real>,
                "ctlm: kv_cache<> computes in other numbers than weights<>");
  static_assert(rotates_heads<Tag, shape_type, typename cache_policy_parts::rotation>(),
                "ctlm: kv_cache<rotated<...>> cannot rotate heads of this size: hadamard needs an even head_dim");
  static_assert(keeps_are_matrices<shape_type>(static_cast<weight_format*>(nullptr)));
  static_assert(!std::same_as<compute_format, bf16>,
                "ctlm: compute<bf16> is a slot of a trainer: a model's weights<bf16> are stored in 16 bits");
  static_assert(!std::same_as<compute_format, f16>,
                "ctlm: compute<f16> is a slot of a trainer: a model's weights<f16> are stored in 16 bits");
  static_assert(!std::same_as<compute_format, dynamic_int8> || quantised_format<weight_format> ||
                    mixed_format<weight_format>,
                "ctlm: compute<dynamic_int8> needs integer weights: int8, int6, int5, int4, int3, int2 or ternary");
  /// What the spec normalises with: rms_norm or layer_norm.
  using default_norm = std::conditional_t<shape.norm == norm_kind::rms, rms_norm, layer_norm>;
  /// What this model normalises with.
  using norm = slot_or<slot_kind::norm, default_norm, Slots...>;

  /// Views of the weights. `weights w{arena}` places them in weight_bytes of memory.
  using weights = weight_views<shape_type, weight_format>;
  /// Views of weights that are only read: what sessions take.
  using const_weights = weight_views<shape_type, const weight_format>;
  /// One sequence of tokens in flight: `session s{weights, arena}`.
  using session = basic_session<causal_lm>;

  /// The model's tensors: names, roles and sizes.
  static constexpr const auto& tensors = tensors_of<shape_type>;
  /// Numbers in all tensors.
  static constexpr std::size_t parameters = tensors.parameters();
  /// Exact bytes of the weights, padding included. They follow from config and format alone.
  static constexpr std::size_t weight_bytes = weights::bytes_needed();
  static_assert(check_size<Tag, shape_type>::ok);
  /// Exact bytes of a session, KV cache and padding included. They depend on backend<> (wider vectors, larger buffers:
  /// `native` differs between machines), threads<>, prompt_chunk<> and kv_cache<> too. Name the backend where a limit
  /// must hold everywhere.
  static constexpr std::size_t session_bytes = session::bytes_needed();
  /// Those of session_bytes that are the KV cache's: the whole context, or in layers with a window the last window - 1
  /// + prompt_chunk_rows positions.
  static constexpr std::size_t cache_bytes = session::cache_bytes_needed();
  /// Weights, gradients, optimizer state and activations of training by a recipe (train/trainer.hpp).
  template <class Recipe, class... TrainerSlots>
  static constexpr std::size_t train_bytes = trainer<causal_lm, Recipe, TrainerSlots...>::train_bytes;
};

/// The weights of model M.
template <class M>
using model_weights = typename M::weights;

}}  // namespace ctlm
