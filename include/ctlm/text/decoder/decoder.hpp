// SPDX-License-Identifier: MIT
// ctlm: the decoder of a tokenizer.json: the steps that make a text of tokens, one token after the other.
#pragma once

#include "byte_fallback.hpp"
#include "byte_level.hpp"
#include "fuse.hpp"
#include "metaspace.hpp"
#include "replace.hpp"
#include "sentence_piece.hpp"
#include "strip.hpp"
#include "word_piece.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace decoder_detail {

template <class Step>
constexpr bool fuses = requires {
  Step::fuses;
};
template <class Step>
constexpr bool may_follow_fuse = requires(const Step& s, state& t) {
  s.end(t, 0);
};

class decoder {
 public:
  static result<decoder> read(const json::value& v) {
    decoder d;
    constexpr tokenizer_json_detail::part here{"decoders", "decoder",
                                               "ctlm: tokenizer.json: the decoder at byte {where} has no type"};
    if (const auto r = tokenizer_json_detail::read_steps(v, here, d.steps_); !r) return r.error();
    d.joins_with_spaces_ = !v || v.is_null();
    for (bool fused = false; const auto& any : d.steps_) {
      const char* name = nullptr;
      std::visit(
          [&]<class Step>(const Step&) {
            if (fused && !may_follow_fuse<Step> && !fuses<Step>) name = tokenizer_json_detail::name_of<Step>();
            fused = fused || fuses<Step>;
          },
          any);
      if (name != nullptr)
        return tokenizer_json_detail::refused(
            "ctlm: tokenizer.json: decoder '{name}' behind one that makes one text of all "
            "tokens is not supported",
            name);
    }
    return result<decoder>(static_cast<decoder&&>(d));
  }

  // One of these steps; what read() refuses, it must not be given.
  template <class... Steps>
  static decoder of(Steps... steps) {
    decoder d;
    (d.steps_.emplace_back(static_cast<Steps&&>(steps)), ...);
    return d;
  }

  // Whether it joins the bytes of tokens and does nothing else.
  bool joins_bytes() const { return steps_.size() == 1 && std::holds_alternative<byte_level>(steps_[0]); }

  // What one text's steps remember.
  struct memory {
    std::vector<state> states;
    bool begun = false;
  };
  memory begin() const { return {std::vector<state>(steps_.size()), false}; }

  // Appends what is certain now that a token with this spelling has come.
  void push(memory& m, std::string_view spelling, std::string& out) const {
    if (joins_with_spaces_ && m.begun) out += ' ';
    m.begun = true;
    run(m, 0, false, spelling, out);
  }
  // Appends the rest.
  void finish(memory& m, std::string& out) const {
    bool fused = false;
    for (std::size_t i = 0; i < steps_.size(); ++i)
      std::visit(
          [&]<class Step>(const Step& step) {
            const bool was_fused = fused;
            fused = fused || fuses<Step>;
            const auto next = [&](std::string_view t) { run(m, i + 1, fused, t, out); };
            if constexpr (may_follow_fuse<Step>)
              if (was_fused) return step.end(m.states[i], next);
            step.finish(m.states[i], next);
          },
          steps_[i]);
  }

 private:
  void run(memory& m, std::size_t i, bool fused, std::string_view text, std::string& out) const {
    if (i == steps_.size()) {
      out.append(text);
      return;
    }
    std::visit(
        [&]<class Step>(const Step& step) {
          const auto next = [&](std::string_view t) { run(m, i + 1, fused || fuses<Step>, t, out); };
          if constexpr (may_follow_fuse<Step>)
            if (fused) return step.stream(m.states[i], text, next);
          step.push(m.states[i], text, next);
        },
        steps_[i]);
  }

  std::vector<std::variant<bpe, byte_fallback, byte_level, fuse, metaspace, replace, sentence_piece, strip, word_piece>>
      steps_;
  bool joins_with_spaces_ = false;
};

}}}  // namespace ctlm::decoder_detail
