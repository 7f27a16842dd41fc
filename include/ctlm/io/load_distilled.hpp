// SPDX-License-Identifier: MIT
// ctlm: the weights of a model in few bits from its files, rounded with feedback, and taught what that took from it.
#pragma once

#include "../train/distiller.hpp"
#include "load_calibrated.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Fills the weights of model M as load_calibrated() does with rounding::gptq, and then distils the exact model into
/// them (train/distiller.hpp). Both read `o.text`, the distiller any part of it; without one, 8,192 tokens that the
/// exact model writes itself. `progress(layer, layers)` is called as by load_calibrated; `told(step_result, steps)`
/// after each step, and false ends the steps: the weights are whole after any. From the heap: 4 bytes for each weight,
/// and distiller::bytes_needed(). Slots are the distiller's: `load_distilled<small, 512, compute<bf16>>(...)`.
///
/// Errors: those of load_calibrated; invalid_argument for options out of range, and a text shorter than one sequence. A
/// model that writes what is not finite is rounded, and not distilled.
template <class M, std::size_t Sequence = smaller(std::size_t{512}, M::shape.context), class... Slots, executor E,
          class Progress, class Told>
result<void> load_distilled(const char* path, const typename M::weights& weights, E& exec, quantise_options o,
                            const distil_options& d, tensor_report* report, Progress&& progress, Told&& told) {
  using full = full_form<M, E>;
  using work = quantiser<full, M, Sequence>;
  using learner = distiller<full, M, Sequence, 2, Slots...>;
  constexpr std::size_t own_tokens = 8192;
  o.method = rounding::gptq;
  return or_failure("ctlm: there is not enough memory to distil this model", [&]() -> result<void> {
    heap_arena full_memory(full::weight_bytes);
    typename full::weights exact(full_memory);
    if (const auto loaded = load_weights<full>(path, exact, exec, report); !loaded) return loaded;
    std::vector<token> own;
    if (o.text.empty()) o.text = own = own_text<M>(exact, exec, larger(own_tokens, Sequence), o.seed);
    const quantiser_room room{
        .method = o.method,
        .tokens = larger(Sequence, smaller(larger(o.text.size(), Sequence), load_detail::most_text_tokens))};
    {
      heap_arena memory(work::bytes_needed(room));
      if constexpr (std::is_empty_v<E>)
        work(memory, room).run(exact, weights, o, progress);
      else
        work(memory, exec, room).run(exact, weights, o, progress);
    }
    if (o.text.empty()) return {};  // what it writes is not finite
    heap_arena memory(learner::bytes_needed());
    learner learns = [&] {
      if constexpr (std::is_empty_v<E>)
        return learner(exact, weights, memory, d);
      else
        return learner(exact, weights, memory, exec, d);
    }();
    rng random{d.seed};
    std::vector<token> batch(learner::step_tokens);
    for (std::size_t step = 0; step < d.steps; ++step) {
      for (std::size_t i = 0; i < batch.size(); i += Sequence) {
        const std::size_t first = random.below(o.text.size() - Sequence + 1);
        for (std::size_t j = 0; j < Sequence; ++j) batch[i + j] = o.text[first + j];
      }
      if (!told(learns.step(batch), d.steps)) break;
    }
    return {};
  });
}

}}  // namespace ctlm
