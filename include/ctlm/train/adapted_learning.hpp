// SPDX-License-Identifier: MIT
// ctlm: training of a part of a model: where what learns begins, and the scratch that its passes need.
#pragma once

#include "../core/hash.hpp"
#include "adapted_weights.hpp"
#include "checkpoint_head.hpp"
#include "what_learns.hpp"

#include <bit>

namespace ctlm { inline namespace CTLM_ABI {

/// Whether an adapter stands beside all of each projection that the model's files have as one.
template <class Lora>
constexpr bool adapts_whole_projections(const decoder_shape& s) {
  for (const tensor_id id : {tensor_id::qkv_weight, tensor_id::up_weight})
    for (std::size_t l = 0; has_fused_projections(s) && l < s.layers; ++l)
      for (std::size_t part = 1; part < (id == tensor_id::qkv_weight ? 3 : s.gated ? 2 : 1); ++part) {
        const auto tensor = static_cast<std::size_t>(id);
        if (Lora::adapts(tensor, part, l) != Lora::adapts(tensor, 0, l)) return false;
      }
  return true;
}

/// Identifies what learns: tensors, layers, parts of projections, and which adapter.
template <class M, class Chosen>
constexpr std::uint64_t learned_fingerprint() {
  using lora = typename Chosen::adapter;
  constexpr const auto& tensors = learned_views<M, Chosen>::tensors;
  fingerprint f;
  for (const tensor_info& t : tensors) {
    f.text(t.name);
    f.number(t.rows);
    f.number(t.cols);
    for (std::size_t l = 0; l < (t.is_of_layer() ? M::shape.layers : 1); ++l) f.number(tensors.has(t.id, l));
    for (std::size_t p = 0; tensors.adapts(t.id) && p < tensors.parts(t.id).count; ++p)
      f.number(tensors.parts(t.id).first[p]);
  }
  f.number(lora::rank);
  f.number(std::bit_cast<std::uint64_t>(lora::config.alpha));
  f.number(lora::config.rank_stabilised);
  f.number(lora::config.weight_decomposed);
  return f.value();
}

/// "learns 0123456789abcdef": the name of a section without bytes, by which a checkpoint knows what learned.
struct learned_section {
  char text[sizeof checkpoint_detail::learns + 16]{};  ///< the name

  /// Of a fingerprint.
  static constexpr learned_section of(std::uint64_t learned) {
    learned_section s;
    std::size_t at = 0;
    for (; checkpoint_detail::learns[at] != '\0'; ++at) s.text[at] = checkpoint_detail::learns[at];
    for (int shift = 60; shift >= 0; shift -= 4) s.text[at++] = "0123456789abcdef"[(learned >> shift) & 15];
    return s;
  }
};
/// That of a model of which Chosen learns.
template <class M, class Chosen>
inline constexpr learned_section learned_section_of = learned_section::of(learned_fingerprint<M, Chosen>());

/// In the place of weights_in_use, for train_only<>: the base, and what learns.
template <class M, class Chosen>
class adapted_in_use {
  using real = typename M::real;
  using learned_type = learned_views<M, Chosen>;

 public:
  using weights_type = adapted_weights<M, Chosen>;  ///< what the passes read
  using format = typename weights_type::format;     ///< how the base is stored
  static constexpr bool matrices_learn = true;      ///< those that learn at all

  weights_type weights{};   ///< what the passes read
  real* decoded = nullptr;  ///< [workers][stride] scratch for rows of the base
  std::size_t stride = 0;   ///< numbers of it for each worker

  /// Asks an arena for the gains of DoRA.
  template <class A>
  constexpr void place(A& a) {
    weights.place(a);
  }
  /// What the passes read follows from what the last update changed: the gains of DoRA do.
  template <class E>
  constexpr void refresh(const learned_type&, std::size_t, E& exec) {
    weights.refresh(exec, decoded, stride, false);
  }
  /// What the passes read.
  constexpr const weights_type& of(const learned_type&) const { return weights; }
  /// Nothing learns besides.
  template <class Options, class E>
  constexpr void learn(const learned_type&, const learned_type&, const Options&, const update&, E&) {}
  /// A checkpoint knows what learned.
  template <class Visit>
  void for_each_state(Visit&& f) {
    f(learned_section_of<M, Chosen>.text, static_cast<void*>(nullptr), std::size_t{0});
  }
};

/// What the kernel calls of a trainer need over a base in any format.
template <class M, class Backend>
struct adapted_context {
  [[no_unique_address]] Backend backend{};                                             ///< which kernels
  typename M::executor_policy* exec = nullptr;                                         ///< who runs them
  decoding_workspace<Backend, typename M::weights::format> linear{};                   ///< scratch of products
  attention_workspace<typename M::real> attention[M::executor_policy::max_workers]{};  ///< scratch of each worker
};

/// Those that train_only<> names.
template <class M, class Batch, class Slots>
requires(Slots::in_part && !Slots::own_head) struct what_learns<M, Batch, Slots> {
  using chosen = typename Slots::chosen;          ///< what learns
  using lora = typename chosen::adapter;          ///< its adapters
  static constexpr bool in_part = true;           ///< some weights stay as they are
  using model = learned_model<M, chosen>;         ///< whose tensors the optimizer sees
  using weights = learned_views<M, chosen>;       ///< what learns
  using in_use_type = adapted_in_use<M, chosen>;  ///< what the passes read
  /// Which kernels, and their scratch.
  using context_type = adapted_context<M, typename Slots::template backend_of<typename M::backend_policy>>;
  using real = typename M::real;                            ///< numbers of arithmetic
  static constexpr decoder_shape shape = M::shape;          ///< the model's sizes
  static constexpr const auto& tensors = weights::tensors;  ///< what learns

  static_assert(
      adapts_whole_projections<lora>(shape),
      "ctlm: GPT-2 and Phi-3 have queries, keys and values as one projection, and gate and up as another: lora<> "
      "stands beside all of it, tensors::qkv or tensors::up");
  static_assert(shape.experts == 0 || lora::rank == 0,
                "ctlm: lora<> adapts no experts: train_only<> with selectors trains tensors of their layers");
  static_assert(shape.experts == 0, "ctlm: train_only<> does not train models with experts yet");
  static_assert(
      native_format<typename M::weights::format> ||
          [] {
            for (const tensor_info& t : tensors)
              if (t.is_matrix() && tensors.learns(t.id)) return false;
            return true;
          }(),
      "ctlm: matrices learn themselves over weights<f32> (or f64) alone: over others, gains, biases and "
      "adapters do (lora<>)");

  /// Scratch of the products of a step.
  template <class A>
  static constexpr auto place_products(A& a, std::size_t workers) {
    constexpr std::size_t widest = larger(Batch::rows, shape.most_outputs());
    constexpr std::size_t inputs = larger(larger(shape.d_model, shape.d_ff), shape.q_dim());
    constexpr bool decodes = !native_format<typename M::weights::format> || lora::config.weight_decomposed;
    auto ws = decltype(context_type::linear)::place(a, widest, decodes ? inputs : 0, workers);
    const auto cols = [](tensor_id id) { return rule_of(id).cols(shape); };
    const auto rows = [](tensor_id id) { return rule_of(id).rows(shape); };
    const auto width = [](tensor_id id) { return tensors.parts(id).count * lora::rank; };
    ws.low_rank.place(a, Batch::rows, tensors.most(width), lora::config.dropout > 0 ? tensors.most(cols) : 0,
                      lora::config.weight_decomposed ? tensors.most(rows) : 0, true);
    return ws;
  }

  /// Before the first step: tensors that learn begin with what `base` has, A with small random numbers, B with zeros.
  template <class Context>
  static constexpr void begin(Context& c, const weights& learned, in_use_type& used, std::uint64_t seed,
                              const typename M::const_weights& base) {
    used.decoded = c.linear.tile;
    used.stride = c.linear.tile_stride;
    used.weights.base = base;
    used.weights.learned = learned;
    rng random{mix(seed)};
    for (const tensor_info& t : tensors) {
      const span<real> numbers = learned.numbers(t);
      if (tensors.learns(t.id))
        copy(base, t, numbers);
      else if (tensors.place_of(t) == tensors.entry(t.id))
        spread(random, t.cols, numbers);
      else
        for (real& x : numbers) x = 0;
    }
    used.weights.refresh(*c.exec, used.decoded, used.stride, true);
  }
  /// Before the passes of a micro-batch with the dropout of `stream`, or, where it is 0, without.
  static constexpr void begin_pass(in_use_type& used, std::uint64_t stream) { used.weights.stream = stream; }

 private:
  /// As torch.nn.Linear begins: between -1 and 1, over the root of the number of inputs.
  static constexpr void spread(rng& random, std::size_t inputs, span<real> to) {
    const double bound = 1 / math::sqrt(static_cast<double>(inputs));
    for (real& x : to) x = static_cast<real>((2 * random.uniform() - 1) * bound);
  }
  static constexpr void copy(const typename M::const_weights& base, const tensor_info& t, span<real> to) {
    std::size_t n = 0;
    for (std::size_t l = 0; l < (t.is_of_layer() ? shape.layers : 1); ++l) {
      if (!tensors.has(t.id, l)) continue;
      const real* from = nullptr;
      if constexpr (native_format<typename M::weights::format>)
        if (t.is_matrix()) from = base.matrix_of(t.id, l).data;
      if (!t.is_matrix()) from = base.vector_of(t.id, l);
      for (std::size_t i = 0; i < t.rows * t.cols; ++i) to[n++] = from[i];
    }
  }
};

}}  // namespace ctlm
