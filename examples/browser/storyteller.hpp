// A story from an image of stories260K, in the tokens of its vocabulary, which the page turns into text.
#pragma once

#include "decoding.hpp"

namespace browser {

struct storyteller {
  using lm = ctlm::causal_lm<stories, ctlm::weights<ctlm::int8<32>>, on_any_machine, one_by_one>;
  static constexpr std::size_t image_bytes = sizeof(ctlm::image_header) + lm::weight_bytes;

  /// Tells a story that begins with these tokens. The memory has lm::session_bytes.
  static ctlm::result<void> tell(ctlm::span<const std::byte> image, ctlm::span<std::byte> memory,
                                 ctlm::span<const ctlm::token> prompt, page_sampler how, std::size_t count,
                                 take_token take) {
    const auto weights = ctlm::bind_image<lm>(image, ctlm::verify::header);
    if (!weights) return weights.error();
    ctlm::span_arena arena(memory);
    lm::session session(*weights, arena);
    continue_text(any_session::of(session), prompt, how, count, take);
    return {};
  }
};

}  // namespace browser
