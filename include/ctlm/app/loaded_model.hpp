// SPDX-License-Identifier: MIT
// ctlm: a model that owns everything it needs, from its files to text in three lines:
//
//   using lm = ctlm::causal_lm<smol, ctlm::weights<ctlm::int4<32>>, ctlm::threads<ctlm::pool<16>>>;
//   auto m = ctlm::load<lm>(smol::files).value();
//   m.complete(prompt, 120, print).value();
#pragma once

#include "../io/load_calibrated.hpp"
#include "../memory/heap_arena.hpp"
#include "../model/causal_lm.hpp"
#include "../model/generate.hpp"
#include "../model/vocabulary.hpp"
#include "stop_tokens.hpp"

#include <memory>
#include <string_view>
#include <vector>

namespace ctlm { inline namespace CTLM_ABI {

namespace load_detail {

/// Chooses as a sampler does; whichever of `ends` it chooses becomes the token at which generation stops.
template <sampler_policy S>
struct sampler_with_ends {
  S how;
  span<const token> ends;
  token stop = how.stop;

  template <class Backend, class Logits>
  constexpr token choose(Backend backend, Logits logits) {
    const token chosen = how.choose(backend, logits);
    for (const token end : ends)
      if (chosen == end) stop = end;
    return chosen;
  }
  constexpr void take(span<const token> prompt) {
    if constexpr (requires { how.take(prompt); }) how.take(prompt);
  }
};

/// What a loaded model owns. It stays where it is, because its parts point to each other.
template <class M>
struct model_parts {
  typename M::executor_policy exec{};
  heap_arena weight_memory{M::weight_bytes};
  typename M::weights weights{weight_memory};
  heap_arena session_memory{M::session_bytes};
  typename M::session session{weights, session_memory, exec};
  std::vector<token> stops;
};

}  // namespace load_detail

/// Weights, a session and, where the model has threads, their pool (as many as the machine has cores), with the memory
/// of all of them: M::weight_bytes + M::session_bytes from the heap, taken when it is loaded. Can be moved; only one
/// thread at a time may use it. Made by load(); one that was made otherwise, or moved from, can only be assigned to.
template <class M>
class loaded_model {
  static_assert(
      !M::memory_policy::streams,
      "ctlm: load<lm> keeps all weights in memory: a model with memory<offloaded<...>> has offloaded_weights");

 public:
  loaded_model() = default;

  /// Begins anew with the prompt, which has at least one token, and draws up to `count` tokens; each is handed to
  /// on_token(token), which may return false to stop. Ends early at `how.stop` or one of stop_tokens(), which is not
  /// handed on, or where the context is full. Returns how many tokens were handed on. `how` is a sampler, a
  /// rule_sampler or another sampler_policy, of which the call has a copy: equal seeds draw equal tokens.
  ///
  /// Errors, after which the model is as it was: errc::invalid_argument, for an empty prompt or a token outside the
  /// vocabulary (`where` in the prompt); errc::context_full. What `how` cannot choose with raises an error, as in
  /// generate().
  template <class F, sampler_policy S = sampler>
  result<std::size_t> complete(span<const token> prompt, std::size_t count, F&& on_token, const S& how = S{}) {
    if (prompt.empty())
      return failure{errc::invalid_argument, "ctlm: a prompt needs at least {needed} token, it has {had}", 0, 1, 0};
    if (const auto r = check_prompt(prompt, 0); !r) return r.error();
    session().reset();
    return run(prompt, count, on_token, how);
  }
  /// The same, but goes on where the last call ended: a conversation. The first call needs a prompt; a later one may do
  /// without.
  template <class F, sampler_policy S = sampler>
  result<std::size_t> go_on(span<const token> prompt, std::size_t count, F&& on_token, const S& how = S{}) {
    if (session().position() == 0) return complete(prompt, count, on_token, how);
    if (const auto r = check_prompt(prompt, session().position()); !r) return r.error();
    return run(prompt, count, on_token, how);
  }

  /// Where generation ends: at first what ctlm::stop_tokens() finds in the model's files; yours to change.
  std::vector<token>& stop_tokens() { return parts_->stops; }
  /// The session: its logits, its position, and everything else that complete() does not do.
  typename M::session& session() { return parts_->session; }
  /// The weights.
  const typename M::weights& weights() const { return parts_->weights; }
  /// What runs the session's work: a pool, or serial.
  typename M::executor_policy& executor() { return parts_->exec; }

 private:
  template <class L>
  friend result<loaded_model<L>> load(const char* path, tensor_report* report);

  /// Is there room for the prompt behind `position`, and are all tokens in the vocabulary?
  static result<void> check_prompt(span<const token> prompt, std::size_t position) {
    const std::size_t left = M::shape.context - position, vocab = M::shape.vocab;
    if (prompt.size() > left)
      return failure{errc::context_full, "ctlm: the context is full: {needed} positions needed, {had} left", position,
                     prompt.size(), left};
    for (std::size_t i = 0; i < prompt.size(); ++i)
      if (!in_vocabulary(prompt[i], vocab))
        return failure{errc::invalid_argument,
                       "ctlm: token {token} at position {where} of the prompt is outside the vocabulary of {needed}", i,
                       vocab, static_cast<std::size_t>(prompt[i])};
    return {};
  }
  template <class F, sampler_policy S>
  std::size_t run(span<const token> prompt, std::size_t count, F& on_token, const S& how) {
    load_detail::sampler_with_ends<S> chooser{how, parts_->stops};
    return generate(session(), prompt, chooser, count, on_token);
  }

  std::unique_ptr<load_detail::model_parts<M>> parts_;
};

/// Takes the memory of model M and loads its weights, in whatever format M stores them, from a .gguf file, a
/// .safetensors file, an index of several, or the folder that has them; the model's threads share the work. Weights of
/// fewer than 8 bits are rounded by what the model's matrices see of a text of its own (load_calibrated): meanwhile the
/// full model is in memory too, 4 bytes a weight. The tokens that end a text become stop_tokens(): those of the files
/// beside the weights, or what the GGUF file says. `report`, if given, says of every tensor that does not fit what is
/// wrong with it.
///
/// Errors: those of load_calibrated and of stop_tokens; out_of_memory.
template <class M>
result<loaded_model<M>> load(const char* path, tensor_report* report = nullptr) {
  return or_failure("ctlm: there is not enough memory for this model", [&]() -> result<loaded_model<M>> {
    auto stops = stop_tokens(path);
    if (!stops) return stops.error();
    loaded_model<M> m;
    m.parts_ = std::make_unique<load_detail::model_parts<M>>();
    auto& parts = *m.parts_;
    parts.stops = static_cast<std::vector<token>&&>(*stops);
    if (const auto r = load_calibrated<M>(path, parts.weights, parts.exec, {}, report); !r) return r.error();
    return result<loaded_model<M>>(static_cast<loaded_model<M>&&>(m));
  });
}

}}  // namespace ctlm
