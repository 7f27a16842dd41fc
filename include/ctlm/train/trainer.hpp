// SPDX-License-Identifier: MIT
// ctlm: a trainer: all that it needs lies in one arena of train_bytes, and a step allocates nothing. learning.hpp says
// what it consists of and how a step goes.
#pragma once

#include "basic_trainer.hpp"
#include "contrast.hpp"
#include "preference.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// M is a causal_lm with weights<f32> (or f64), Recipe a tag with `static constexpr train_config config`. Slots, each
/// with its default: optimizer<adamw>, schedule<constant_rate>, loss<cross_entropy_loss>, head<vocabulary_head>,
/// trained_for<F> (the model's own format; another makes training aware of the quantisation that follows), groups<...>
/// (none), clip<clip_by_norm>,
/// recompute<0> (activations of N layers are not kept, at the price of about a fifth of the time where N is all),
/// train_only<...> of train/adapters.hpp (everything learns; otherwise the weights, in any format, are the
/// constructor's first argument, and train_bytes has room for what learns alone).
template <class M, class Recipe, class... Slots>
class trainer : public basic_trainer<M, Recipe, Slots...> {
  using base = basic_trainer<M, Recipe, Slots...>;
  using base::learning_;
  using typename base::batch_type;

 public:
  using base::accumulate, base::batch, base::batch_tokens, base::sequence, base::shape, base::step_tokens;
  using base::base;
  using typename base::real, typename base::result_type;

  /// One optimizer step over step_tokens tokens: [accumulate][batch][sequence]. Targets of ignore_token take no part;
  /// if all are, the loss and the gradients are 0. All tokens and targets are checked before anything changes.
  constexpr result_type step(span<const token> inputs, span<const token> targets) {
    const std::size_t counted =
        require_batch("ctlm: step needs accumulate * batch * sequence tokens, {needed}, and as many targets, not {had}",
                      inputs, targets, step_tokens, shape.vocab);
    return learning_.learn(inputs, counted, [&](span<const token>, std::size_t i) {
      return learning_.targets_at(targets.data() + i * batch_tokens);
    });
  }

  /// One optimizer step towards what a teacher (train/teacher.hpp, or another trainer) of the same batch shape and
  /// vocabulary predicts: its whole distribution is the target, so that a few thousand tokens teach much.
  template <class Teacher>
  constexpr result_type distil(span<const token> inputs, Teacher& teacher) {
    static_assert(
        Teacher::batch_tokens == batch_tokens && Teacher::sequence == sequence && Teacher::shape.vocab == shape.vocab,
        "ctlm: a teacher needs the student's batch, sequence and vocabulary");
    require_batch("ctlm: distil needs accumulate * batch * sequence tokens, {needed}, not {had}", inputs, step_tokens,
                  shape.vocab);
    return learning_.learn(inputs, step_tokens, [&](span<const token> tokens, std::size_t) {
      teacher.read(tokens);
      return teacher_targets<Teacher>{&teacher};
    });
  }
  /// The same by the divergence between the two distributions, at a temperature, in either direction. Refuses a
  /// temperature that is not above 0.
  template <class Teacher>
  constexpr result_type distil(span<const token> inputs, Teacher& teacher, const distillation_options& o) {
    static_assert(
        Teacher::batch_tokens == batch_tokens && Teacher::sequence == sequence && Teacher::shape.vocab == shape.vocab,
        "ctlm: a teacher needs the student's batch, sequence and vocabulary");
    require_batch("ctlm: distil needs accumulate * batch * sequence tokens, {needed}, not {had}", inputs, step_tokens,
                  shape.vocab);
    refuse(positive(static_cast<double>(o.temperature), "temperature"));
    return learning_.learn(inputs, step_tokens, [&](span<const token> tokens, std::size_t) {
      teacher.read(tokens);
      return divergence_targets<Teacher>{&teacher, o};
    });
  }

  /// One optimizer step of direct preference optimisation. Of the sequences of every micro-batch, [batch][sequence],
  /// number 2i is the chosen answer and 2i + 1 the rejected one, both after the same prompt; targets of ignore_token,
  /// those of prompts and padding, take no part. `reference` is a teacher, or a trainer that stays as it is, with the
  /// weights that this one began with.
  template <class Reference>
  constexpr result_type prefer(span<const token> inputs, span<const token> targets, Reference& reference,
                               const preference& o = {}, preference_result* found = nullptr) {
    require_preference(o);
    require_batch("ctlm: prefer needs accumulate * batch * sequence tokens, {needed}, and as many targets, not {had}",
                  inputs, targets, step_tokens, shape.vocab);
    preference_result sums{};
    real weights[batch]{};
    const result_type r =
        learning_.learn(inputs, accumulate * (batch / 2), [&](span<const token> tokens, std::size_t i) {
          reference.read(tokens);
          return preference_targets<batch_type, Reference, real>{targets.data() + i * batch_tokens, &reference, o, sums,
                                                                 weights};
        });
    if (found != nullptr) *found = mean_of(sums, accumulate * (batch / 2));
    return r;
  }
  /// The same of one micro-batch, without an update and without dropout.
  template <class Reference>
  constexpr preference_result compare(span<const token> inputs, span<const token> targets, Reference& reference,
                                      const preference& o = {}) {
    require_preference(o);
    require_batch("ctlm: compare needs batch * sequence tokens, {needed}, and as many targets, not {had}", inputs,
                  targets, batch_tokens, shape.vocab);
    reference.read(inputs);
    learning_.refresh();
    learning_.loss(inputs, token_targets<cross_entropy_loss>{targets.data()});
    preference_result sums{};
    real weights[batch]{};
    preference_targets<batch_type, Reference, real>{targets.data(), &reference, o, sums, weights}.prepare(
        learning_.context, shape.vocab, learning_.head.losses());
    return mean_of(sums, batch / 2);
  }

  /// One optimizer step of contrastive learning. Of the sequences of every micro-batch, [batch][sequence], 2i and 2i +
  /// 1 belong together, and all other second ones are what 2i is told from. A sequence's vector is the mean of its
  /// final rows whose target is not ignore_token. Refuses sequences without any.
  constexpr result_type contrast(span<const token> inputs, span<const token> targets, const contrast_options& o = {},
                                 contrast_result* found = nullptr) {
    refuse(positive(static_cast<double>(o.temperature), "temperature"));
    require_batch("ctlm: contrast needs accumulate * batch * sequence tokens, {needed}, and as many targets, not {had}",
                  inputs, targets, step_tokens, shape.vocab);
    for (std::size_t i = 0; i < accumulate; ++i)
      for (std::size_t s = 0; s < batch; ++s) vectors_of(targets.data() + i * batch_tokens).length(s);
    contrast_result sums{};
    constexpr std::size_t pairs = accumulate * (batch / 2);
    const result_type r = learning_.learn(inputs, pairs, [&](span<const token>, std::size_t i) {
      return contrast_targets<M, batch_type>{{targets.data() + i * batch_tokens}, o, sums};
    });
    if (found != nullptr) *found = {sums.loss / pairs, sums.accuracy / pairs};
    return r;
  }
  /// The same of one micro-batch, without an update and without dropout.
  constexpr contrast_result match(span<const token> inputs, span<const token> targets, const contrast_options& o = {}) {
    refuse(positive(static_cast<double>(o.temperature), "temperature"));
    require_batch("ctlm: match needs batch * sequence tokens, {needed}, and as many targets, not {had}", inputs,
                  targets, batch_tokens, shape.vocab);
    learning_.read(inputs);
    contrast_result sums{};
    contrast_targets<M, batch_type>{{targets.data()}, o, sums}.from_rows(
        learning_.context, learning_.rows_read, real(0), learning_.activations.head_out, nullptr);
    constexpr std::size_t pairs = batch / 2;
    return {sums.loss / pairs, sums.accuracy / pairs};
  }
  /// The vectors of a micro-batch's sequences, as contrast() makes them, to vectors [batch][d_model].
  constexpr void embed(span<const token> inputs, span<const token> targets, span<real> vectors) {
    require_batch("ctlm: embed needs batch * sequence tokens, {needed}, and as many targets, not {had}", inputs,
                  targets, batch_tokens, shape.vocab);
    check(vectors.size() == batch * shape.d_model,
          failure{errc::invalid_argument, "ctlm: embed needs room for batch * d_model numbers, {needed}, not {had}", 0,
                  batch * shape.d_model, vectors.size()});
    learning_.read(inputs);
    real lengths[batch]{};
    vectors_of(targets.data()).pool(learning_.context, learning_.rows_read, vectors.data(), lengths);
  }

  /// Takes a micro-batch as a teacher does, for another trainer's distil().
  constexpr void read(span<const token> inputs) {
    require_batch("ctlm: read needs batch * sequence tokens, {needed}, not {had}", inputs, batch_tokens, shape.vocab);
    learning_.read(inputs);
  }
  /// Logits [n][vocab] of rows [first, first + n) of what was read, n being at most 256; the caller may overwrite them.
  constexpr real* logits(std::size_t first, std::size_t n) { return learning_.logits(first, n); }

  /// Gradients of the mean loss over one micro-batch, left in gradients(); returns the loss. No update.
  constexpr double forward_backward(span<const token> inputs, span<const token> targets) {
    const std::size_t counted =
        require_batch("ctlm: forward_backward needs batch * sequence tokens, {needed}, and as many targets, not {had}",
                      inputs, targets, batch_tokens, shape.vocab);
    learning_.begin_gradients();
    const double total = learning_.learn_from(inputs, learning_.targets_at(targets.data()), counted, 0);
    learning_.end_gradients();
    return total / static_cast<double>(larger(1, counted));
  }

  /// Mean loss over one micro-batch, without dropout; 0 if all targets are ignore_token.
  constexpr double evaluate(span<const token> inputs, span<const token> targets) {
    const std::size_t counted =
        require_batch("ctlm: evaluate needs batch * sequence tokens, {needed}, and as many targets, not {had}", inputs,
                      targets, batch_tokens, shape.vocab);
    learning_.refresh();
    return learning_.loss(inputs, learning_.targets_at(targets.data())) / static_cast<double>(larger(1, counted));
  }

  /// Cross entropy and accuracy over one micro-batch, without dropout, whatever the loss of the steps is.
  constexpr evaluation judge(span<const token> inputs, span<const token> targets) {
    const std::size_t counted =
        require_batch("ctlm: judge needs batch * sequence tokens, {needed}, and as many targets, not {had}", inputs,
                      targets, batch_tokens, shape.vocab);
    learning_.refresh();
    std::size_t right = 0;
    const double total = learning_.loss(inputs, judged_targets{targets.data(), right});
    const auto n = static_cast<double>(larger(1, counted));
    return {total / n, static_cast<double>(right) / n, counted};
  }

 private:
  static constexpr void refuse(const failure& problem) { check(problem.code == errc::ok, problem); }
  static constexpr pooled_rows<M, batch_type> vectors_of(const token* targets) { return {targets}; }
  static constexpr void require_preference(const preference& o) {
    refuse(first_problem(positive(static_cast<double>(o.beta), "beta"),
                         option_problem(o.label_smoothing >= 0 && o.label_smoothing < 0.5f,
                                        "ctlm: {name} must be at least 0 and less than 0.5", "label_smoothing")));
  }
  static constexpr preference_result mean_of(preference_result sums, std::size_t pairs) {
    for (double* sum : {&sums.loss, &sums.accuracy, &sums.margin}) *sum /= static_cast<double>(pairs);
    return sums;
  }
};

}}  // namespace ctlm
