// SPDX-License-Identifier: MIT
// ctlm: how a conversation becomes the text that a model has learnt: the templates that are known, and yours.
#pragma once

#include "../../io/remember.hpp"
#include "chatml.hpp"
#include "gemma.hpp"
#include "llama2.hpp"
#include "llama3.hpp"
#include "mistral.hpp"

#include <functional>
#include <utility>

namespace ctlm { inline namespace CTLM_ABI {

/// A template: a conversation in, the text for the tokenizer out. Made by chat_template::of, of what a model's files
/// say, or of an object of yours:
///
///     struct script_lines {
///       static constexpr const char* name = "script";
///       std::string end = "<|end|>";   // ends a turn
///       ctlm::result<void> render(ctlm::span<const ctlm::chat_message> messages, bool asks, std::string& to) const {
///         for (const auto& m : messages) to += m.role + ": " + m.content + "<|end|>\n";
///         if (asks) to += "assistant: ";
///         return {};
///       }
///     };
///     ctlm::chat_template mine(script_lines{});
class chat_template {
 public:
  /// The texts of messages, one behind the other: for models that have learnt no template.
  chat_template() : name_("raw") {
    render_ = [](span<const chat_message> messages, bool, std::string& to) -> result<void> {
      for (const chat_message& m : messages) to.append(m.content);
      return {};
    };
  }
  /// Of an object with `name`, `end` and render(messages, asks, to).
  template <class T>
  requires requires(const T& t, std::string& to) { {t.render(span<const chat_message>(), true, to)}; }
  explicit chat_template(T t) : name_(T::name), end_(t.end) {
    if constexpr (requires { t.unthinking; }) unthinking_ = t.unthinking;
    render_ = [t = static_cast<T&&>(t)](span<const chat_message> messages, bool asks, std::string& to) {
      return t.render(messages, asks, to);
    };
  }

  /// The template that a model's files spell in Jinja, recognised by its pieces: ChatML, Llama 2, Llama 3, Gemma or
  /// Mistral, with the spaces and the system's words of this model. `tokens`: how `bos_token` and `eos_token` are
  /// spelt.
  ///
  /// Errors: errc::unsupported, for another one, with its first words; not_found, of an empty text.
  static result<chat_template> of(std::string_view jinja, const chat_tokens& tokens) {
    if (jinja.empty())
      return failure{errc::not_found, "ctlm: this model has no chat template: it may have learnt no conversation"};
    using namespace chat_detail;
    chat_template found;
    bool is_known = false;
    const auto try_one = [&]<class T>(const T*) {
      if (is_known || !T::recognises(jinja)) return;
      found = chat_template(T::of(jinja, tokens));
      is_known = true;
    };
    const auto try_all = [&]<class... T>(const T*... t) { (try_one(t), ...); };
    try_all(static_cast<const chatml*>(nullptr), static_cast<const llama3*>(nullptr),
            static_cast<const gemma*>(nullptr), static_cast<const llama2*>(nullptr),
            static_cast<const mistral*>(nullptr));
    if (is_known) return result<chat_template>(static_cast<chat_template&&>(found));
    const std::string_view first = jinja.substr(0, 60);
    return failure{
        errc::unsupported,
        "ctlm: the chat template that begins with {name} is not known; known are ChatML, Llama 2, Llama 3, Gemma "
        "and Mistral",
        0,
        0,
        0,
        remember(span<const char>(first.data(), first.size()))};
  }

  /// "ChatML", say, or "raw".
  const char* name() const { return name_; }
  /// How the token is spelt that ends a turn; empty where there is none.
  const std::string& end() const { return end_; }
  /// The same template with the words that keep the assistant from thinking: `enable_thinking=False` in `transformers`.
  /// Errors: errc::unsupported, where it has none.
  result<chat_template> without_thinking() const {
    if (unthinking_.empty())
      return failure{errc::unsupported, "ctlm: this chat template has no words that keep the model from thinking"};
    chat_template other = *this;
    other.render_ = [inner = render_, words = unthinking_](span<const chat_message> messages, bool asks,
                                                           std::string& to) -> result<void> {
      const result<void> r = inner(messages, asks, to);
      if (r && asks) to.append(words);
      return r;
    };
    other.unthinking_.clear();
    return result<chat_template>(static_cast<chat_template&&>(other));
  }
  /// Whether messages become text alone, without roles.
  bool is_raw() const { return std::string_view(name_) == "raw"; }

  /// The text of a conversation; `asks`: the assistant's next message begins behind it.
  ///
  /// Errors: errc::invalid_argument, for a system message where the template has no place for it, and where user and
  /// assistant do not take turns but have to; `where` is the message.
  result<std::string> operator()(span<const chat_message> messages, bool asks = true) const {
    std::string text;
    if (const result<void> r = render_(messages, asks, text); !r) return r.error();
    return result<std::string>(static_cast<std::string&&>(text));
  }

 private:
  const char* name_;
  std::string end_, unthinking_;
  std::function<result<void>(span<const chat_message>, bool, std::string&)> render_;
};

}}  // namespace ctlm
