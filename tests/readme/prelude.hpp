// What the snippets of README.md and docs/ take for granted: the user's own names, and a packed model.
#pragma once

#include <ctlm/ctlm.hpp>

struct tag {
  static constexpr ctlm::llama_config config{
      .vocab = 512, .d_model = 64, .layers = 5, .heads = 8, .kv_heads = 4, .d_ff = 172, .context = 128};
};

/// Weights of whatever model a snippet has.
struct some_weights {
  template <class T>
  operator const T&() const;
};
inline const some_weights weights;

inline ctlm::token prompt[3];
inline ctlm::sampler sampler;
void print(ctlm::token t);
inline ctlm::span<const ctlm::token> inputs, targets;

namespace stories_int4 {
template <class... Slots>
using lm = ctlm::causal_lm<tag, ctlm::weights<ctlm::int4<32>>, Slots...>;
ctlm::span<const std::byte> image();
}  // namespace stories_int4
namespace my_gpt_int4 = stories_int4;
