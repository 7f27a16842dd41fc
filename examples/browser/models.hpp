// The models of the page: three that it trains, and the one that tells stories. Their tokens are bytes, so that any
// text in any language will do.
#pragma once

#if __has_include(<ctlm/ctlm.hpp>)
#include <ctlm/ctlm.hpp>
#else
#include <ctlm.hpp>
#endif

namespace browser {

using on_any_machine = ctlm::backend<ctlm::portable>;  // the same bits, and the same session_bytes
using one_by_one = ctlm::prompt_chunk<1>;              // tokens go through a session alone

/// 120,000 parameters: learns to spell within a minute.
struct small {
  static constexpr ctlm::gpt2_config config{.vocab = 256, .d_model = 64, .layers = 2, .heads = 4, .context = 64};
  static constexpr std::size_t batch = 8;
};
/// 370,000 parameters.
struct medium {
  static constexpr ctlm::gpt2_config config{.vocab = 256, .d_model = 96, .layers = 3, .heads = 4, .context = 64};
  static constexpr std::size_t batch = 8;
};
/// 840,000 parameters, which see twice as far.
struct large {
  static constexpr ctlm::gpt2_config config{.vocab = 256, .d_model = 128, .layers = 4, .heads = 4, .context = 128};
  static constexpr std::size_t batch = 4;
};

/// stories260K of llama2.c, whose images examples/firmware packs; its context is as long as it was trained with.
struct stories {
  static constexpr ctlm::llama_config config{.vocab = 512,
                                             .d_model = 64,
                                             .layers = 5,
                                             .heads = 8,
                                             .kv_heads = 4,
                                             .d_ff = 172,
                                             .context = 512,
                                             .tie_embeddings = true};
};

}  // namespace browser
