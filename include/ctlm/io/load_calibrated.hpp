// SPDX-License-Identifier: MIT
// ctlm: the weights of a model in few bits, rounded by what its matrices see, from whatever its files are.
#pragma once

#include "../core/rng.hpp"
#include "../format/int8.hpp"
#include "../memory/heap_arena.hpp"
#include "../model/causal_lm.hpp"
#include "../model/quantise.hpp"
#include "../policy/sampler/sampler.hpp"
#include "../quantise/quantiser.hpp"
#include "load_weights.hpp"

#include <vector>

namespace ctlm { inline namespace CTLM_ABI {

/// Model M with weights in single precision, computing with executor E: what reads tokens while the weights of M are
/// rounded.
template <class M, class E, class Format = f32>
using full_form = causal_lm<typename M::tag, weights<Format>, activation<typename M::activation_policy>,
                            norm<typename M::norm>, backend<typename M::backend_policy>, threads<E>>;

/// A text of `count` tokens that model M writes at temperature 1, in pieces of 128, each from some first token; with
/// weights in 8 bits, which write as well as the exact ones and are quicker. They lie on the heap meanwhile, with a
/// session.
template <class M, executor E>
std::vector<token> own_text(const typename full_form<M, E>::weights& exact, E& exec, std::size_t count,
                            std::uint64_t seed) {
  using writer = full_form<M, E, int8<32>>;
  constexpr std::size_t piece = smaller(std::size_t{128}, M::shape.context);
  std::vector<token> text;
  heap_arena memory(writer::weight_bytes + writer::session_bytes);
  typename writer::weights weights(memory);
  quantise(exact, weights);
  typename writer::session session = [&] {
    if constexpr (std::is_empty_v<E>)
      return typename writer::session(weights, memory);
    else
      return typename writer::session(weights, memory, exec);
  }();
  rng random{seed};
  sampler how{.temperature = 1, .seed = random.next()};
  token next = 0;
  while (text.size() < count) {
    if (text.size() % piece == 0) {
      session.reset();
      next = static_cast<token>(random.below(M::shape.vocab));
    }
    text.push_back(next);
    next = how.choose(typename M::backend_policy{}, session.decode(next));
  }
  return text;
}

namespace load_detail {

/// Tokens that a model is rounded by: more of a text's than of its own, because what goes together takes many to see.
inline constexpr std::size_t own_tokens = 512, most_text_tokens = 16384;
/// A text of its own takes a pass over the weights for every token: a model with more parameters reads random tokens.
inline constexpr std::size_t most_parameters_to_write = std::size_t{1} << 30;

/// Do the inputs of its matrices decide how the weights of M are rounded? Scales of 8 bits follow from the weights
/// alone, so that only feedback makes a difference there.
template <class M>
constexpr bool sees_inputs(rounding method) {
  using format = typename M::weight_format;
  if constexpr (quantised_format<format> && M::shape.experts == 0)
    return method == rounding::gptq || format::searched;
  else
    return false;
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
/// full model is loaded first, into 4 bytes a weight of the heap, reads up to 16,384 tokens of `o.text`, or 1,024
/// random ones, and is given back. `progress(layer, layers)` is called before each layer and after the last. Models
/// whose weights are not integers, 8-bit integers without feedback, and models with experts are loaded by load_weights:
/// nothing would be better for them.
///
/// Errors: those of load_weights and of quantiser::run; out_of_memory. After an error the weights are undefined.
template <class M, executor E, class Progress>
result<void> load_calibrated(const char* path, const typename M::weights& weights, E& exec, const quantise_options& o,
                             tensor_report* report, Progress&& progress) {
  if constexpr (load_detail::sees_inputs<M>(rounding::gptq)) {
    if (load_detail::sees_inputs<M>(o.method))
      return or_out_of_memory("ctlm: there is not enough memory to round this model", [&]() -> result<void> {
#if CTLM_EXCEPTIONS
        try {
          return load_detail::load_and_round<M>(path, weights, exec, o, report, progress);
        } catch (const error& e) {  // of a heap_arena, or of the quantiser
          return e.reason();
        }
#else
        return load_detail::load_and_round<M>(path, weights, exec, o, report, progress);
#endif
      });
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
