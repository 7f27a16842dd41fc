// SPDX-License-Identifier: MIT
// ctlm: the normalizer of a tokenizer.json: the steps that change a text before it is cut.
#pragma once

#include "bert.hpp"
#include "lowercase.hpp"
#include "prepend.hpp"
#include "replace.hpp"
#include "sentence_piece.hpp"
#include "strip.hpp"
#include "unicode_form.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace normalizer_detail {

class normalizer {
 public:
  static result<normalizer> read(const json::value& v) {
    normalizer n;
    constexpr tokenizer_json_detail::part here{"normalizers", "normalizer",
                                               "ctlm: tokenizer.json: the normalizer at byte {where} has no type"};
    if (const auto r = tokenizer_json_detail::read_steps(v, here, n.steps_); !r) return r.error();
    return result<normalizer>(static_cast<normalizer&&>(n));
  }
  // One of these steps.
  template <class... Steps>
  static normalizer of(Steps... steps) {
    normalizer n;
    (n.steps_.emplace_back(static_cast<Steps&&>(steps)), ...);
    return n;
  }
  bool empty() const { return steps_.empty(); }

  // The text after all steps: itself, a part of it, or in one of the buffers. `first`: whether it begins with what the
  // text began with.
  std::string_view operator()(std::string_view text, std::string (&buffers)[2], bool& first) const {
    for (const auto& any : steps_) {
      const bool in_first = text.data() >= buffers[0].data() && text.data() <= buffers[0].data() + buffers[0].size();
      std::string& free = buffers[in_first ? 1 : 0];
      text = std::visit(
          [&](const auto& step) {
            if constexpr (requires { step.keeps_first(text); }) first = first && step.keeps_first(text);
            return step.apply(text, free);
          },
          any);
    }
    return text;
  }

 private:
  using nfc = unicode_form<form::nfc>;
  using nfd = unicode_form<form::nfd>;
  using nfkc = unicode_form<form::nfkc>;
  using nfkd = unicode_form<form::nfkd>;
  std::vector<
      std::variant<bert, lowercase, nfc, nfd, nfkc, nfkd, prepend, replace, sentence_piece, strip, strip_accents>>
      steps_;
};

}}}  // namespace ctlm::normalizer_detail
