// What the page does with a session, whichever: token by token. The module has no other way to take a prompt; one would
// be faster, and add a tenth to its bytes.
#pragma once

#include "run.hpp"

namespace browser {

/// A session of some model.
struct any_session {
  void* object;
  ctlm::span<float> (*decode_one)(void* object, ctlm::token t);
  void (*forget)(void* object);
  std::size_t context;

  template <class Session>
  static any_session of(Session& s) {
    return {&s, [](void* p, ctlm::token t) { return ctlm::span<float>(static_cast<Session*>(p)->decode(t)); },
            [](void* p) { static_cast<Session*>(p)->reset(); }, Session::shape.context};
  }
  ctlm::span<float> decode(ctlm::token t) const { return decode_one(object, t); }
  void reset() const { forget(object); }
};

/// Draws up to `count` tokens after the prompt, which begins the context, has one token at least and leaves room.
inline void continue_text(const any_session& session, ctlm::span<const ctlm::token> prompt, page_sampler how,
                          std::size_t count, take_token take) {
  for (const ctlm::token t : prompt.first(prompt.size() - 1)) session.decode(t);
  ctlm::token next = prompt.back();
  for (std::size_t i = prompt.size(); count > 0 && i <= session.context; ++i, --count) {
    next = how.choose(ctlm::portable{}, session.decode(next));
    if (next == how.stop) return;
    take(next);
  }
}

/// The sum of losses over inputs and targets, from an empty context on.
inline double total_loss(const any_session& session, ctlm::span<const ctlm::token> inputs,
                         ctlm::span<const ctlm::token> targets) {
  double total = 0;
  session.reset();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const ctlm::span<float> logits = session.decode(inputs[i]);
    total += static_cast<double>(ctlm::negative_log_likelihood(ctlm::portable{}, logits.size(),
                                                               static_cast<const float*>(logits.data()),
                                                               static_cast<std::size_t>(targets[i])));
  }
  return total;
}

/// Milliseconds for decoding a whole context.
inline double time_of_context(const any_session& session, clock now) {
  const double start = now();
  for (std::size_t i = 0; i < session.context; ++i) session.decode(static_cast<ctlm::token>('a' + i % 26));
  return now() - start;
}

}  // namespace browser
