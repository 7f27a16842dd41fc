// SPDX-License-Identifier: MIT
// ctlm: what rounding took from a model, learned again: the model in few bits follows the exact one, by the scales of
// its groups, its gains and its biases. Its codes stay.
#pragma once

#include "../policy/schedule/warmup_cosine.hpp"
#include "kept_codes.hpp"
#include "learning.hpp"
#include "teacher.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// What a distiller is told at run time.
struct distil_options {
  std::size_t steps = 256;  ///< that it does; at least 1
  float lr = 1e-3f;         ///< of gains and biases, in the first step; it falls to 0 with the last
  double scale_rate = 1;    ///< of the logarithms of scales: this part of lr. 0: they stay
  std::uint64_t seed = 1;   ///< of where the sequences begin in the text
};

/// Makes the weights of model Small, which were rounded from those of Full (quantiser.hpp), predict what Full predicts.
/// Each step reads Batch sequences of `Sequence` tokens of a text with both, and changes scales, gains and biases where
/// Small has them, so that it can be stopped after any. All memory lies in an arena of bytes_needed(): some 16 bytes
/// for each weight. Deterministic: the same for any number of threads.
///
/// Slots are those of a trainer that change how a step is computed and not what it is for: compute<bf16>, for both
/// models, activations<bf16> or activations<f16>, recompute<N>.
template <class Full, class Small, std::size_t Sequence = smaller(std::size_t{512}, Full::shape.context),
          std::size_t Batch = 2, class... Slots>
class distiller {
  struct recipe {
    static constexpr train_config config{.batch = Batch, .sequence = Sequence};
  };
 struct slots : trainer_slots<Full, Slots...> {
    using schedule = warmup_cosine;
    using target_format = kept_codes<typename Small::weight_format>;
  };
  static_assert(slot_count<slot_kind::compute, Slots...> + slot_count<slot_kind::activations, Slots...> +
                        slot_count<slot_kind::recompute, Slots...> ==
                    sizeof...(Slots),
                "ctlm: a distiller takes compute<bf16>, activations<bf16> or activations<f16>, and recompute<N>: the "
                "rest of a trainer's slots it chooses itself");
  static_assert(!slots::scales_loss,
                "ctlm: a distiller has no compute<f16>, whose scale of the loss it does not keep: take compute<bf16>");
  using learning_type = learning<Full, batch_shape<Full, recipe>, slots>;
  using teacher_type = teacher<Full, recipe, typename slots::compute_format>;
  static_assert(std::same_as<typename Full::shape_type, typename Small::shape_type>,
                "ctlm: a distiller is made for two forms of one model, which differ in weights<> alone");
  static_assert(std::same_as<typename Full::weight_format, f32>, "ctlm: a distiller's exact model has weights<f32>");

 public:
  using executor_type = typename Full::executor_policy;         ///< what the constructor takes last
  static constexpr decoder_shape shape = Full::shape;           ///< the model's sizes
  static constexpr std::size_t step_tokens = Batch * Sequence;  ///< tokens of a step

  /// Weights and the arena's memory must outlive the distiller. Raises errc::out_of_memory where the arena has less
  /// than bytes_needed(), errc::invalid_argument for options that nothing can be computed with.
  template <arena A>
  requires std::is_empty_v<executor_type> distiller(const typename Full::const_weights& exact,
                                                    const typename Small::weights& rounded, A& a,
                                                    const distil_options& o = {})
      : teacher_(exact, a), learning_{.settings = settings_of(o)} {
    start(rounded, a, o);
  }
  template <arena A>
  distiller(const typename Full::const_weights& exact, const typename Small::weights& rounded, A& a,
            executor_type& exec, const distil_options& o = {})
      : teacher_(exact, a, exec), learning_{.exec = exec, .settings = settings_of(o)} {
    start(rounded, a, o);
  }
  distiller(const distiller&) = delete;
  distiller& operator=(const distiller&) = delete;

  /// Exact bytes of the arena.
  static constexpr std::size_t bytes_needed() { return learning_type::bytes_needed() + teacher_type::bytes_needed(); }

  /// One step over step_tokens tokens, [Batch][Sequence]. The loss that it returns is the cross entropy of what the two
  /// models predict: at least that of the exact model with itself. Raises errc::invalid_argument for another number of
  /// tokens, and for tokens outside the vocabulary.
  step_result step(span<const token> inputs) {
    require_batch("ctlm: a distiller's step needs {needed} tokens, not {had}", inputs, step_tokens, shape.vocab);
    const step_result r = learning_.learn(inputs, step_tokens, [&](span<const token> tokens, std::size_t) {
      teacher_.read(tokens);
      return teacher_targets<teacher_type>{&teacher_};
    });
    learning_.in_use.store(learning_.weights);
    return r;
  }

 private:
  static constexpr typename learning_type::options settings_of(const distil_options& o) {
    typename learning_type::options settings{};
    settings.optimizer.lr = o.lr;
    settings.schedule.total = o.steps;
    settings.clip_norm = 0;
    return settings;
  }
  template <class A>
  void start(const typename Small::weights& rounded, A& a, const distil_options& o) {
    const failure problem = not_negative(o.scale_rate, "scale_rate");
    check(problem.code == errc::ok, problem);
    learning_.start(a);
    learning_.in_use.scale_rate = o.scale_rate;
    learning_.in_use.begin(rounded, learning_.weights, *learning_.exec.get());
  }

  teacher_type teacher_;
  learning_type learning_;
};

}}  // namespace ctlm
