// SPDX-License-Identifier: MIT
// ctlm: a trainer whose head has weights of its own: its steps learn from sequences and what is wanted of each.
#pragma once

#include "headed_learning.hpp"
#include "trainer.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// What evaluate() of such a trainer returns.
struct head_evaluation {
  double loss = 0;          ///< mean over the sequences that took part
  double accuracy = 0;      ///< the share of them whose most probable class was theirs; 0 of heads without classes
  std::size_t counted = 0;  ///< how many there were
};

namespace headed_detail {

/// "head 3 mean classification": by this name a checkpoint knows the head, cut off after 39 characters.
template <class H>
struct section_name {
  char text[40]{};
  std::size_t length = 0;
  constexpr void add(const char* word) {
    for (; *word != '\0' && length + 1 < sizeof text; ++word) text[length++] = *word;
  }
  constexpr section_name() {
    char digits[21]{};
    std::size_t at = sizeof digits - 1;
    for (std::size_t n = H::outputs; n > 0; n /= 10) digits[--at] = static_cast<char>('0' + n % 10);
    for (const char* word : {"head ", static_cast<const char*>(digits + at), " ", H::pooling::name, " ", H::name})
      add(word);
  }
};
template <class H>
inline constexpr section_name<H> section_name_of{};

}  // namespace headed_detail

/// A trainer with head<H> where H is a sequence_head: all slots of trainer<> but loss<>, which H has. Sequences are
/// [accumulate][batch][sequence] tokens. Of a sequence with a length the first tokens count and the others are padding,
/// any tokens of the vocabulary; a length of 0 means that the sequence takes no part. Without lengths all tokens count.
template <class M, class Recipe, class... Slots>
requires(trainer_slots<M, Slots...>::own_head) class trainer<M, Recipe, Slots...>
    : public basic_trainer<M, Recipe, Slots...> {
  using base = basic_trainer<M, Recipe, Slots...>;
  using base::learning_;
  using typename base::batch_type;

 public:
  using head_type = typename trainer_slots<M, Slots...>::head;  ///< the head
  using weights_of_head = head_weights<M, head_type>;           ///< its weights
  using typename base::real, typename base::result_type;
  using target = typename head_type::template target<real>;  ///< what is wanted of a sequence, or a part of it
  using base::accumulate, base::batch, base::batch_tokens, base::sequence, base::shape, base::step_tokens;
  using base::base;
  static constexpr std::size_t batch_targets = batch * head_type::targets;  ///< targets of a micro-batch
  static constexpr std::size_t step_targets = accumulate * batch_targets;   ///< targets of a step
  static constexpr std::size_t batch_outputs = batch * head_type::outputs;  ///< outputs of a micro-batch

  /// One optimizer step over accumulate * batch sequences. Everything is checked before anything changes.
  constexpr result_type step(span<const token> inputs, span<const std::size_t> lengths, span<const target> targets) {
    require_lengths(lengths, accumulate * batch);
    return learn(inputs, lengths.data(), targets);
  }
  /// The same of sequences without padding.
  constexpr result_type step(span<const token> inputs, span<const target> targets) {
    return learn(inputs, nullptr, targets);
  }

  /// Gradients of the mean loss over one micro-batch, left in gradients() and head_gradients(); returns the loss. No
  /// update.
  constexpr double forward_backward(span<const token> inputs, span<const std::size_t> lengths,
                                    span<const target> targets) {
    require_lengths(lengths, batch);
    return gradients_of(inputs, lengths.data(), targets);
  }
  constexpr double forward_backward(span<const token> inputs, span<const target> targets) {
    return gradients_of(inputs, nullptr, targets);
  }

  /// Loss and accuracy over one micro-batch, without dropout.
  constexpr head_evaluation evaluate(span<const token> inputs, span<const std::size_t> lengths,
                                     span<const target> targets) {
    require_lengths(lengths, batch);
    return evaluation_of(inputs, lengths.data(), targets);
  }
  constexpr head_evaluation evaluate(span<const token> inputs, span<const target> targets) {
    return evaluation_of(inputs, nullptr, targets);
  }

  /// What the head makes of a micro-batch's sequences, to outputs [batch][H::outputs]: logits of classes, say. Those of
  /// a sequence of length 0 are 0.
  constexpr void predict(span<const token> inputs, span<const std::size_t> lengths, span<real> outputs) {
    require_lengths(lengths, batch);
    outputs_of(inputs, lengths.data(), outputs);
  }
  constexpr void predict(span<const token> inputs, span<real> outputs) { outputs_of(inputs, nullptr, outputs); }

  /// The head's weights, to read and, before the first step, to write.
  constexpr const weights_of_head& head() const { return learning_.weights.own_head(); }
  /// Their gradients, as gradients() are those of the model.
  constexpr const weights_of_head& head_gradients() const { return learning_.gradients.own_head(); }

  /// f(name, data, bytes) for everything that a bit-exact resume needs. The head is known by its name, its outputs and
  /// its pooling.
  template <class F>
  void for_each_state(F&& f) {
    learning_.for_each_state(f);
    f(headed_detail::section_name_of<head_type>.text, static_cast<void*>(&outputs_), sizeof outputs_);
  }

 private:
  using targets_type = sequence_targets<M, batch_type, head_type>;

  constexpr targets_type targets_at(const std::size_t* lengths, const target* wanted, std::size_t micro,
                                    head_sums& sums, real* outputs = nullptr) const {
    return {lengths == nullptr ? nullptr : lengths + micro * batch,
            wanted == nullptr ? nullptr : wanted + micro * batch_targets,
            head(),
            head_gradients(),
            micro == 0,
            sums,
            outputs};
  }
  /// Refuses what cannot be lengths of so many sequences.
  static constexpr void require_lengths(span<const std::size_t> lengths, std::size_t sequences) {
    check(lengths.size() == sequences,
          failure{errc::invalid_argument, "ctlm: a length for each of {needed} sequences is needed, not {had}", 0,
                  sequences, lengths.size()});
    for (std::size_t s = 0; s < sequences; ++s)
      check(lengths[s] <= sequence,
            failure{errc::invalid_argument, "ctlm: sequence {where} has a length of {had}, and at most {needed} fit", s,
                    sequence, lengths[s]});
  }
  /// Refuses other numbers of tokens and of targets than those of `sequences` sequences, and targets that the head does
  /// not take. Returns how many sequences take part.
  static constexpr std::size_t require(span<const token> inputs, const std::size_t* lengths, span<const target> targets,
                                       std::size_t sequences) {
    constexpr std::size_t each = head_type::targets;
    require_batch("ctlm: these sequences have {needed} tokens together, not {had}", inputs, sequences * sequence,
                  shape.vocab);
    check(targets.size() == sequences * each,
          failure{errc::invalid_argument, "ctlm: these sequences have {needed} targets together, not {had}", 0,
                  sequences * each, targets.size()});
    std::size_t counted = 0;
    for (std::size_t s = 0; s < sequences; ++s) {
      const target* const own = targets.data() + s * each;
      if (lengths != nullptr && lengths[s] == 0) continue;
      const failure problem = head_type::problem_of(own, s);
      check(problem.code == errc::ok, problem);
      counted += head_type::takes_part(own);
    }
    return counted;
  }

  constexpr result_type learn(span<const token> inputs, const std::size_t* lengths, span<const target> targets) {
    const std::size_t counted = require(inputs, lengths, targets, accumulate * batch);
    head_sums sums;
    return learning_.learn(inputs, counted, [&](span<const token>, std::size_t i) {
      return targets_at(lengths, targets.data(), i, sums);
    });
  }
  constexpr double gradients_of(span<const token> inputs, const std::size_t* lengths, span<const target> targets) {
    const std::size_t counted = require(inputs, lengths, targets, batch);
    head_sums sums;
    learning_.begin_gradients();
    const double total = learning_.learn_from(inputs, targets_at(lengths, targets.data(), 0, sums), counted, 0);
    learning_.end_gradients();
    return total / static_cast<double>(larger(1, counted));
  }
  constexpr head_evaluation evaluation_of(span<const token> inputs, const std::size_t* lengths,
                                          span<const target> targets) {
    require(inputs, lengths, targets, batch);
    head_sums sums;
    read(inputs, targets_at(lengths, targets.data(), 0, sums));
    const auto n = static_cast<double>(larger(1, sums.counted));
    return {sums.loss / n, static_cast<double>(sums.right) / n, sums.counted};
  }
  constexpr void outputs_of(span<const token> inputs, const std::size_t* lengths, span<real> outputs) {
    require_batch("ctlm: predict needs batch * sequence tokens, {needed}, not {had}", inputs, batch_tokens,
                  shape.vocab);
    check(outputs.size() == batch_outputs,
          failure{errc::invalid_argument, "ctlm: predict needs room for batch * outputs numbers, {needed}, not {had}",
                  0, batch_outputs, outputs.size()});
    head_sums sums;
    read(inputs, targets_at(lengths, nullptr, 0, sums, outputs.data()));
  }
  constexpr void read(span<const token> inputs, const targets_type& targets) {
    learning_.read(inputs);
    targets.from_rows(learning_.context, learning_.rows_read, real(0), learning_.activations.head_out, nullptr);
  }

  std::uint64_t outputs_ = head_type::outputs;  // what a checkpoint keeps under the head's name
};

}}  // namespace ctlm
