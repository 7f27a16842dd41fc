// SPDX-License-Identifier: MIT
// ctlm: a conversation with a model in text, with its own tokenizer and template, in three lines:
//
//   using lm = ctlm::causal_lm<smol, ctlm::weights<ctlm::int4<32>>, ctlm::threads<ctlm::pool<16>>>;
//   auto chat = ctlm::load_conversation<lm>(smol::files).value();
//   chat.say("What is the capital of France?", print).value();
#pragma once

#include "../text/load_tokenizer.hpp"
#include "../text/text_stream.hpp"
#include "load_chat_template.hpp"
#include "loaded_model.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// A model, its tokenizer, its template, and what was said. The session keeps what it has computed: of each turn only
/// what is new is taken, and the model sees the tokens of the whole conversation as its template and tokenizer make
/// them. Can be moved; only one thread at a time may use it.
template <class M>
class conversation {
 public:
  /// None; it can only be assigned to.
  conversation() = default;
  /// Of parts that fit together. Generation ends at the template's end of turn, too.
  conversation(loaded_model<M> model, hf_tokenizer words, chat_template how)
      : model_(static_cast<loaded_model<M>&&>(model)),
        words_(static_cast<hf_tokenizer&&>(words)),
        template_(static_cast<chat_template&&>(how)) {
    const token end = template_.end().empty() ? -1 : words_.find(template_.end());
    if (end >= 0) stop_detail::add(model_.stop_tokens(), end);
  }

  /// Says something, and gives the answer: at once as the result, and piece by piece, in whole characters, to
  /// on_piece(std::string_view). At most `count` tokens; it ends at the model's stop tokens, or where the context is
  /// full.
  ///
  /// Errors: errc::context_full, where the conversation does not fit, with both numbers; those of the template. The
  /// message is not part of the conversation then. What the tokenizer and `how` raise, they raise.
  template <class F, sampler_policy S = sampler>
  result<std::string> say(std::string_view text, F&& on_piece, const S& how = S{},
                          std::size_t count = M::shape.context) {
    messages_.push_back({"user", std::string(text)});
    auto answer = draw(on_piece, how, count);
    if (answer)
      messages_.push_back({"assistant", *answer});
    else
      messages_.pop_back();
    return answer;
  }
  /// The same without a look at the pieces.
  result<std::string> say(std::string_view text) {
    return say(text, [](std::string_view) {});
  }

  /// What the model is told before all else. Raises errc::invalid_argument behind the first message.
  void instruct(std::string_view text) {
    check(messages_.empty(), errc::invalid_argument, "ctlm: a conversation that has begun cannot be instructed");
    messages_.push_back({"system", std::string(text)});
  }
  /// Begins anew.
  void forget() { messages_.clear(); }

  /// The tokens of the conversation as it is, with the beginning of the assistant's next message if `asks`.
  /// Errors: those of the template.
  result<std::vector<token>> tokens(bool asks = true) const {
    const auto text = template_(messages_, asks);
    if (!text) return text.error();
    return words_.encode(*text, template_.is_raw() ? special_tokens::with : special_tokens::without);
  }

  /// What was said.
  const std::vector<chat_message>& messages() const { return messages_; }
  /// The model: its stop tokens, its session.
  loaded_model<M>& model() { return model_; }
  /// The tokenizer.
  const hf_tokenizer& words() const { return words_; }
  /// The template.
  const chat_template& how() const { return template_; }

 private:
  template <class F, sampler_policy S>
  result<std::string> draw(F& on_piece, const S& how, std::size_t count) {
    const auto all = tokens();
    if (!all) return all.error();
    if (all->size() > M::shape.context)
      return failure{errc::context_full, "ctlm: the conversation takes {needed} positions, and the context has {had}",
                     0, all->size(), M::shape.context};
    const std::size_t known = rewound(*all);
    seen_.assign(all->begin(), all->end());
    std::string answer;
    text_stream stream(words_);
    if (template_.is_raw())  // the text goes on: what it begins with is no beginning
      for (const token t : *all) stream.push(t);
    const auto give = [&](std::string_view piece) {
      if (piece.empty()) return;
      answer.append(piece);
      on_piece(piece);
    };
    const auto made = model_.go_on(
        span<const token>(*all).subspan(known), count,
        [&](token t) {
          seen_.push_back(t);
          give(stream.push(t));
        },
        how);
    if (!made) return made.error();
    seen_.resize(smaller(seen_.size(), model_.session().position()));  // the last one may not have been taken
    give(stream.finish());
    return result<std::string>(static_cast<std::string&&>(answer));
  }
  // Takes the session back to where these tokens are its own; at least one is new.
  std::size_t rewound(const std::vector<token>& all) {
    auto& session = model_.session();
    std::size_t known = 0;
    const std::size_t most = smaller(smaller(seen_.size(), session.position()), all.empty() ? 0 : all.size() - 1);
    while (known < most && seen_[known] == all[known]) ++known;
    if (known < session.position() && !session.can_rewind(known)) known = 0;
    if (known < session.position()) session.rewind(known);
    return known;
  }

  loaded_model<M> model_;
  hf_tokenizer words_;
  chat_template template_;
  std::vector<chat_message> messages_;
  std::vector<token> seen_;  // what the session has taken
};

/// A model with its tokenizer and its template, out of a folder from Hugging Face or a GGUF file. `report` as in
/// load().
///
/// Errors: those of load, load_tokenizer and load_chat_template; errc::wrong_model, for a tokenizer with more tokens
/// than the model's vocabulary.
template <class M>
result<conversation<M>> load_conversation(const char* path, tensor_report* report = nullptr) {
  auto how = load_chat_template(path);
  if (!how) return how.error();
  return load_conversation<M>(path, static_cast<chat_template&&>(*how), report);
}
/// The same with a template of your own, or none: `chat_template()` is the text alone.
template <class M>
result<conversation<M>> load_conversation(const char* path, chat_template how, tensor_report* report = nullptr) {
  auto words = load_tokenizer(path, control_symbols::found);
  if (!words) return words.error();
  if (words->vocab() > M::shape.vocab)
    return failure{errc::wrong_model, "ctlm: this tokenizer has {had} tokens, and the model's vocabulary is {needed}",
                   0, M::shape.vocab, words->vocab()};
  auto model = load<M>(path, report);
  if (!model) return model.error();
  return conversation<M>(static_cast<loaded_model<M>&&>(*model), static_cast<hf_tokenizer&&>(*words),
                         static_cast<chat_template&&>(how));
}

}}  // namespace ctlm
