// SPDX-License-Identifier: MIT
// ctlm: a text that a model writes itself, to be rounded by where there is no other.
#pragma once

#include "../core/rng.hpp"
#include "../format/int8.hpp"
#include "../memory/heap_arena.hpp"
#include "../model/causal_lm.hpp"
#include "../model/quantise.hpp"
#include "../policy/sampler/sampler.hpp"

#include <vector>

namespace ctlm { inline namespace CTLM_ABI {

/// Model M with weights of another format, in single precision by default, computing with executor E.
template <class M, class E, class Format = f32>
using full_form = causal_lm<typename M::tag, weights<Format>, activation<typename M::activation_policy>,
                            norm<typename M::norm>, backend<typename M::backend_policy>, threads<E>>;

/// A text of `count` tokens that model M writes at temperature 1, in pieces of 128, each from some first token; with
/// weights in 8 bits, which write as well as the exact ones and are quicker. They lie on the heap meanwhile, with a
/// session. Empty if the model computes logits that are not finite.
template <class M, executor E>
std::vector<token> own_text(const typename full_form<M, E>::weights& exact, E& exec, std::size_t count,
                            std::uint64_t seed) {
  using writer = full_form<M, E, int8<>>;
  constexpr std::size_t piece = smaller(std::size_t{128}, M::shape.context);
  std::vector<token> text;
  heap_arena memory(writer::weight_bytes + writer::session_bytes);
  typename writer::weights weights(memory);
  quantise(exact, weights, exec);
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
    const auto logits = session.decode(next);
    if (!math::all_finite(logits.size(), logits.data())) return {};
    next = how.choose(typename M::backend_policy{}, logits);
  }
  return text;
}

}}  // namespace ctlm
