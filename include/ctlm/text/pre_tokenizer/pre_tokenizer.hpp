// SPDX-License-Identifier: MIT
// ctlm: the pre_tokenizer of a tokenizer.json: the steps that cut a text into what the model sees.
#pragma once

#include "bert.hpp"
#include "byte_level.hpp"
#include "digits.hpp"
#include "metaspace.hpp"
#include "punctuation.hpp"
#include "split.hpp"
#include "whitespace.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace pre_tokenizer_detail {

class pre_tokenizer {
 public:
  static result<pre_tokenizer> read(const json::value& v) {
    pre_tokenizer p;
    constexpr tokenizer_json_detail::part here{"pretokenizers", "pre_tokenizer",
                                               "ctlm: tokenizer.json: the pre_tokenizer at byte {where} has no type"};
    if (const auto r = tokenizer_json_detail::read_steps(v, here, p.steps_); !r) return r.error();
    for (std::size_t i = 0; i + 1 < p.steps_.size(); ++i)
      if (std::holds_alternative<byte_level>(p.steps_[i]))
        return failure{errc::unsupported,
                       "ctlm: tokenizer.json: a pre_tokenizer behind ByteLevel is not supported, and there are {had}",
                       0, 0, p.steps_.size() - 1 - i};
    p.prepare();
    return result<pre_tokenizer>(static_cast<pre_tokenizer&&>(p));
  }
  // One of these steps; byte_level may only be the last.
  template <class... Steps>
  static pre_tokenizer of(Steps... steps) {
    pre_tokenizer p;
    (p.steps_.emplace_back(static_cast<Steps&&>(steps)), ...);
    p.prepare();
    return p;
  }
  // Whether the model sees bytes.
  bool gives_bytes() const { return gives_bytes_; }

  // f(word) for each word of a text.
  template <class F>
  void operator()(const piece& text, const F& f) const {
    run(0, text, f);
  }

 private:
  // ByteLevel that cuts nothing is not asked at each word.
  void prepare() {
    const auto* const last = steps_.empty() ? nullptr : std::get_if<byte_level>(&steps_.back());
    gives_bytes_ = last != nullptr;
    if (last != nullptr && !last->use_regex && !last->add_prefix_space) steps_.pop_back();
  }
  template <class F>
  void run(std::size_t i, const piece& p, const F& f) const {
    if (i == steps_.size()) return f(p.text);
    std::visit([&](const auto& step) { step.cut(p, [&](const piece& q) { run(i + 1, q, f); }); }, steps_[i]);
  }

  std::vector<std::variant<bert, byte_level, digits, metaspace, punctuation, split, whitespace, whitespace_split>>
      steps_;
  bool gives_bytes_ = false;
};

}}}  // namespace ctlm::pre_tokenizer_detail
