// SPDX-License-Identifier: MIT
// ctlm: the weights of a model in few bits, rounded by what its matrices see, from whatever its files are.
#pragma once

#include "../quantise/own_text.hpp"
#include "../quantise/quantiser.hpp"
#include "load_weights.hpp"

namespace ctlm { inline namespace CTLM_ABI {

namespace load_detail {

/// Tokens that a model is rounded by: more of a text's than of its own, because what goes together takes many to see.
inline constexpr std::size_t own_tokens = 512, most_text_tokens = 16384;
/// A text of its own takes a pass over the weights for every token: a model with more parameters reads random tokens.
inline constexpr std::size_t most_parameters_to_write = std::size_t{1} << 30;

/// Do the inputs of its matrices decide how the weights of M are rounded? Scales of 8 bits follow from the weights
/// alone, so that only feedback makes a difference there.
template <class M, class F = stored<typename M::weight_format>>
constexpr bool sees_inputs(rounding method) {
  bool any = false;
  if constexpr (mixed_format<F>)
    mixed_detail::each<typename F::formats, mixed_detail::views<true>>::for_each(
        [&]<class G>() { any = any || sees_inputs<M, G>(method); });
  else if constexpr (quantised_format<F>)
    any = method == rounding::gptq || F::numbers::searched;
  return any;
}

template <class M, executor E, class Progress>
result<void> load_and_round(const char* path, const typename M::weights& weights, E& exec, quantise_options o,
                            tensor_report* report, Progress& progress) {
  using full = full_form<M, E>;
  using work = quantiser<full, M>;
  heap_arena full_memory(full::weight_bytes);
  typename full::weights exact(full_memory);
  if (const auto loaded = load_weights<full>(path, exact, exec, report); !loaded) return loaded;
  std::vector<token> own;
  if constexpr (M::parameters <= most_parameters_to_write)
    if (o.text.empty()) o.text = own = own_text<M>(exact, exec, own_tokens, o.seed);
  const quantiser_room room{
      .method = o.method,
      .tokens = o.text.empty() ? 2 * own_tokens : larger(own_tokens, smaller(o.text.size(), most_text_tokens))};
  heap_arena memory(work::bytes_needed(room));
  if constexpr (std::is_empty_v<E>)
    work(memory, room).run(exact, weights, o, progress);
  else
    work(memory, exec, room).run(exact, weights, o, progress);
  return {};
}

}  // namespace load_detail

/// Fills the weights of model M, as load_weights does, but rounds them by what its matrices see (quantiser.hpp): the
/// full model is loaded first, into 4 bytes a weight of the heap, reads up to 16,384 tokens of `o.text`, and is given
/// back. Without a text it reads 512 tokens that it writes itself, by `o.seed`. 1,024 random tokens take their place in
/// models of more than 2^30 parameters, which would write for minutes, and in those that compute what is not finite.
/// `progress(layer, layers)` is called before each layer and after the last.
///
/// load_weights does all there is to do for weights that are no integers, and for 8 bits without feedback.
///
/// Errors: those of load_weights and of quantiser::run; out_of_memory. After an error the weights are undefined.
template <class M, executor E, class Progress>
result<void> load_calibrated(const char* path, const typename M::weights& weights, E& exec, const quantise_options& o,
                             tensor_report* report, Progress&& progress) {
  if constexpr (load_detail::sees_inputs<M>(rounding::gptq)) {
    if (load_detail::sees_inputs<M>(o.method))
      return or_failure("ctlm: there is not enough memory to round this model",
                        [&] { return load_detail::load_and_round<M>(path, weights, exec, o, report, progress); });
  }
  return load_weights<M>(path, weights, exec, report);
}
/// The same without progress.
template <class M, executor E>
result<void> load_calibrated(const char* path, const typename M::weights& weights, E& exec,
                             const quantise_options& o = {}, tensor_report* report = nullptr) {
  return load_calibrated<M>(path, weights, exec, o, report, [](std::size_t, std::size_t) {});
}

}}  // namespace ctlm
