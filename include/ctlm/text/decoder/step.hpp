// SPDX-License-Identifier: MIT
// ctlm: what decoders have in common. A decoder is a step: step.push(state, token, f) calls f(token) for what is
// certain of the tokens so far, as texts; step.finish(state, f) for the rest. Texts hold whole characters of UTF-8.
//
// Fuse makes one text of all tokens: a step that may stand behind it has stream(state, text, f) and end(state, f), too.
#pragma once

#include "../model/vocabulary.hpp"
#include "../tokenizer_json.hpp"
#include "../utf8_repair.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace decoder_detail {

using namespace unicode_detail;

// Of one step and one text.
struct state {
  std::size_t tokens = 0;
  std::string held;
  utf8_repair repair;
};

}}}  // namespace ctlm::decoder_detail
