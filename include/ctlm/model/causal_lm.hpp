// SPDX-License-Identifier: MIT
// ctlm: a language model is a struct.
//
//   struct tiny { static constexpr ctlm::llama_config config{.vocab = 512, .d_model = 64, .layers = 5, ...}; };
//   using lm = ctlm::causal_lm<tiny, ctlm::weights<ctlm::int4<32>>>;
//   static_assert(lm::session_bytes <= 96 * 1024);
#pragma once

#include "../policy/slots.hpp"
#include "session.hpp"
#include "weights.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// A tag that holds a config of one of the specs (gpt2_config, llama_config...).
template <class Tag>
concept model_tag = requires {
  typename std::remove_cvref_t<decltype(Tag::config)>::default_activation;
  { Tag::config.shape(true) } -> std::same_as<decoder_shape>;
};

template <class Tag, bool Gated>
struct shape_of {
  static constexpr decoder_shape value = Tag::config.shape(Gated);
};

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

template <class M, class Recipe, class... Slots>
class trainer;

/// The model that Tag::config describes, with its policies (slots.hpp lists them). Nothing is stored in it: it is the
/// types and figures from which weights, sessions and trainers are made.
template <class Tag, class... Slots>
struct causal_lm {
  static_assert(model_tag<Tag>,
                "ctlm: a model's tag needs `static constexpr ctlm::gpt2_config config{...}` (or llama_config...)");
  static_assert(check_slots<slot_kind::weights, slot_kind::prompt_chunk, Slots...>::ok);

  using tag = Tag;
  using weight_format = slot_or<slot_kind::weights, f32, Slots...>;
  using real = typename weight_format::compute;
  using cache_format = slot_or<slot_kind::kv_cache, native_format_of<real>, Slots...>;
  using activation_policy =
      slot_or<slot_kind::activation, typename std::remove_cvref_t<decltype(Tag::config)>::default_activation, Slots...>;
  using compute_format = slot_or<slot_kind::compute, default_compute<weight_format>, Slots...>;
  using backend_policy = slot_or<slot_kind::backend, native, Slots...>;
  using executor_policy = slot_or<slot_kind::threads, serial, Slots...>;
  using memory_policy = slot_or<slot_kind::memory, resident, Slots...>;
  static constexpr std::size_t prompt_chunk_rows =
      slot_or<slot_kind::prompt_chunk, ctlm::prompt_chunk_rows<8>, Slots...>::value;

  using shape_type = shape_of<Tag, activation_policy::gated>;
  static constexpr decoder_shape shape = shape_type::value;
  static_assert(check_decoder<Tag, shape_type>::ok);
  static_assert(std::same_as<typename cache_format::compute, real>,
                "ctlm: kv_cache<> computes in other numbers than weights<>");
  static_assert(std::same_as<compute_format, decoded> || quantised_format<weight_format>,
                "ctlm: compute<dynamic_int8> needs integer weights: int8, int4 or int2");
  /// What the spec normalises with, and what this model does.
  using default_norm = std::conditional_t<shape.norm == norm_kind::rms, rms_norm, layer_norm>;
  using norm = slot_or<slot_kind::norm, default_norm, Slots...>;

  /// Views of the weights, mutable and read-only. `weights w{arena}` places them in weight_bytes of memory.
  using weights = weight_views<shape_type, weight_format>;
  using const_weights = weight_views<shape_type, const weight_format>;
  using session = basic_session<causal_lm>;

  static constexpr tensor_table tensors{shape};
  static constexpr std::size_t parameters = tensors.parameters();
  /// Exact bytes of memory, padding included. Those of weights follow from config and format alone; those of a session
  /// depend on backend<> (wider vectors, larger buffers: `native` differs between machines), threads<>, prompt_chunk<>
  /// and kv_cache<> too. Name the backend where a limit must hold everywhere.
  static constexpr std::size_t weight_bytes = weights::bytes_needed();
  static_assert(check_size<Tag, shape_type>::ok);
  static constexpr std::size_t session_bytes = session::bytes_needed();
  static constexpr std::size_t cache_bytes = session::cache_bytes_needed();  // those of them that are the KV cache's
  /// Weights, gradients, optimizer state and activations of training by a recipe (train/trainer.hpp).
  template <class Recipe, class... TrainerSlots>
  static constexpr std::size_t train_bytes = trainer<causal_lm, Recipe, TrainerSlots...>::train_bytes;
};

template <class M>
using model_weights = typename M::weights;

}}  // namespace ctlm
