// A conversation in text: pieces, turns that go on where the session is, stops, and what is refused.
#include "../io/data.hpp"
#include "io/scratch.hpp"
#include "model/models.hpp"

#include <ctlm/app/conversation.hpp>
#include <ctlm/ctlm.hpp>

using namespace ctlm;

namespace {

using lm = causal_lm<models::stories_of_folder>;
bool available() { return data::present("stories260K-hf/model.safetensors"); }
std::string folder() { return data::path("stories260K-hf"); }
std::string golden() { return data::read(data::path("stories260K_golden_T0_n200.txt")); }

template <class T>
std::string words_of(const result<T>& r) {
  return r ? "" : explain(r.error()).text;
}

/// A template whose turns end in "\n".
struct lines {
  static constexpr const char* name = "lines";
  std::string end = "<0x0A>";
  result<void> render(span<const chat_message> messages, bool asks, std::string& to) const {
    for (const chat_message& m : messages)
      to.append(m.role == "user" ? "" : "She said: ").append(m.content).append("\n");
    if (asks) to.append("She said:");
    return {};
  }
};

/// The greedy answer to tokens, by a model that has seen nothing before.
std::string answer_to(const std::vector<token>& prompt, const hf_tokenizer& words, std::size_t count) {
  auto m = load<lm>(folder().c_str()).value();
  m.stop_tokens().push_back(words.find("<0x0A>"));
  text_stream stream(words);
  std::string text;
  m.complete(prompt, count, [&](token t) { text.append(stream.push(t)); }).value();
  return text.append(stream.finish());
}

}  // namespace

TEST_CASE("a conversation without a template goes on with a text, in whole characters", "[app]") {
  if (!available()) return;
  auto chat = load_conversation<lm>(folder().c_str(), chat_template()).value();
  std::string pieces;
  std::size_t n = 0;
  const auto answer = chat.say(
      "Once upon a time",
      [&](std::string_view piece) {
        pieces.append(piece);
        ++n;
      },
      {}, 60);
  REQUIRE(words_of(answer) == "");
  CHECK(pieces == *answer);
  CHECK(n > 20);
  const std::string told = golden();
  CHECK(("Once upon a time" + *answer) == told.substr(0, 16 + answer->size()));
  CHECK(chat.messages().size() == 2);
  chat.forget();
  CHECK(chat.say(
                "Once upon a time, there", [](std::string_view) {}, {}, 3)
            .value()
            .starts_with(" was a"));
}

TEST_CASE("each turn sees the tokens of the whole conversation, and takes what is new alone", "[app]") {
  if (!available()) return;
  auto chat = load_conversation<lm>(folder().c_str(), chat_template(lines{})).value();
  CHECK(chat.model().stop_tokens() == std::vector<token>{2, chat.words().find("<0x0A>")});
  chat.instruct("Lily had a ball.");
  CHECK_THROWS_WITH(chat.instruct("again"), "ctlm: a conversation that has begun cannot be instructed");
  const std::string sampled[] = {"Tom said: Hello!", "Tom said: Where is the ball?", "Tom said: Thank you."};
  for (const std::string& said : sampled) {
    const auto answer = chat.say(
        said, [](std::string_view) {}, {}, 40);
    REQUIRE(words_of(answer) == "");
    // what a model says that sees it all at once
    auto before = chat.messages();
    before.pop_back();
    const auto text = lines{};
    std::string whole;
    REQUIRE(words_of(text.render(before, true, whole)) == "");
    CHECK(*answer == answer_to(chat.words().encode(whole, special_tokens::without), chat.words(), 40));
  }
  CHECK(chat.messages().size() == 7);
  chat.forget();
  CHECK(chat.messages().empty());
  CHECK(chat.tokens(false).value().empty());
  CHECK(words_of(chat.say("Tom said: Hello!")) == "");
}

TEST_CASE("a conversation that does not fit into the context is refused with both numbers, and forgets the message",
          "[app]") {
  if (!available()) return;
  auto chat = load_conversation<lm>(folder().c_str(), chat_template(lines{})).value();
  std::string much;
  for (int i = 0; i < 600; ++i) much += "word ";
  const auto answer = chat.say(much);
  CHECK(answer.error().code == errc::context_full);
  CHECK(words_of(answer).starts_with("ctlm: the conversation takes "));
  CHECK(words_of(answer).ends_with(" positions, and the context has 512"));
  CHECK(chat.messages().empty());
  CHECK(words_of(chat.say(
            "Tom said: Hello!", [](std::string_view) {}, {}, 5)) == "");
}

TEST_CASE("what a model's files say of its template, and a model that has none", "[app]") {
  if (!available()) return;
  CHECK(words_of(load_conversation<lm>(folder().c_str())) ==
        "ctlm: this model has no chat template: it may have learnt no conversation");
  const scratch_folder made;
  const auto text = [&] {
    const auto t = load_chat_template(made.path.c_str());
    const std::vector<chat_message> said{{"user", "x"}};
    return t ? t->name() + std::string(": ").append((*t)(said).value()) : words_of(t);
  };
  CHECK(text() == "ctlm: this model has no chat template: it may have learnt no conversation");
  put_contents(made / "tokenizer_config.json",
               R"({"chat_template": "[INST][/INST]", "bos_token": {"content": "<b>"}})");
  CHECK(text() == "Mistral: <b>[INST]x[/INST]");
  put_contents(
      made / "tokenizer_config.json",
      R"({"chat_template": [{"name": "tools", "template": "?"}, {"name": "default", "template": "<<SYS>>[INST]"}]})");
  put_contents(made / "special_tokens_map.json", R"({"bos_token": "<s>", "eos_token": "</s>"})");
  CHECK(text() == "Llama 2: <s>[INST] x [/INST]");
  put_contents(made / "chat_template.jinja", "<|im_start|><|im_end|>");
  CHECK(text() == "ChatML: <|im_start|>user\nx<|im_end|>\n<|im_start|>assistant\n");
  put_contents(made / "tokenizer_config.json", "{");
  CHECK(text() == "ctlm: tokenizer_config.json is no JSON, or none that is read, from byte 1 on");
}

TEST_CASE("a GGUF file has a conversation's template and tokens, too", "[app]") {
  const scratch_folder made;
  gguf_tokenizer t;
  t.model = "gpt2";
  t.pre = "gpt-2";
  for (const char* s : {"x", "<|im_end|>"}) t.add(s, *s == 'x' ? gguf_token::normal : gguf_token::control);
  t.bos = 0;
  t.chat_template = "<start_of_turn>{{ bos_token }}<end_of_turn>";
  gguf_writer out;
  gguf_detail::put_tokenizer(out, t, 2);
  REQUIRE(words_of(out.write((made / "m.gguf").c_str(), [](std::size_t, std::size_t, float*) {})) == "");
  const auto how = load_chat_template((made / "m.gguf").c_str());
  REQUIRE(words_of(how) == "");
  CHECK((*how)(std::vector<chat_message>{{"user", "y"}}, false).value() == "x<start_of_turn>user\ny<end_of_turn>\n");
}
