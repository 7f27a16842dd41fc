// Templates of conversations: the texts and the tokens that transformers makes by them (make_chat_templates.py).
#include "io/data.hpp"
#include "io/scratch.hpp"
#include "paths.hpp"
#include "words.hpp"

#include <ctlm/app/load_chat_template.hpp>
#include <ctlm/ctlm.hpp>
#include <ctlm/text/hf_tokenizer.hpp>

using namespace ctlm;

namespace {

std::string folder() { return std::string(paths::source) + "/tests/text/chat/"; }
using said = std::vector<chat_message>;

/// A template of a user.
struct script_lines {
  static constexpr const char* name = "plain";
  std::string end = "###";
  result<void> render(span<const chat_message> messages, bool asks, std::string& to) const {
    for (const chat_message& m : messages) to.append(m.role).append(": ").append(m.content).append("###\n");
    if (asks) to.append("assistant: ");
    return {};
  }
};

}  // namespace

TEST_CASE("conversations become the texts and the tokens of transformers", "[text]") {
  const std::string file = contents_of(folder() + "cases.json");
  const json::value root = json::parse(file, {}, heap_keys()).value();
  const auto t = hf_tokenizer::load((folder() + "tokenizer.json").c_str());
  REQUIRE(words_of(t) == "");
  std::vector<said> conversations;
  for (const json::value c : root.find("conversations").elements()) {
    conversations.emplace_back();
    for (const json::value m : c.elements())
      conversations.back().push_back({text_of(m.find("role")), text_of(m.find("content"))});
  }
  std::size_t equal = 0, refused = 0;
  for (const json::value test : root.find("cases").elements()) {
    const std::string name = text_of(test.find("name"));
    INFO(name);
    const auto how = chat_template::of(text_of(test.find("template")), {"<s>", "</s>"});
    REQUIRE(words_of(how) == "");
    CHECK(name.starts_with(how->name()));
    for (const json::value row : test.find("rows").elements()) {
      const said& c = conversations[row.find("conversation").as_integer<std::size_t>().value()];
      const auto chosen = row.find("thinks") ? how->without_thinking() : how;
      REQUIRE(words_of(chosen) == "");
      const auto text = (*chosen)(c, !row.find("asks"));
      if (row.find("refused")) {
        CHECK(text.error().code == errc::invalid_argument);
        ++refused;
        continue;
      }
      REQUIRE(words_of(text) == "");
      CHECK(*text == text_of(row.find("text")));
      std::vector<token> ids;
      for (const json::value id : row.find("ids").elements()) ids.push_back(id.as_integer<token>().value());
      CHECK(t->encode(*text, special_tokens::without) == ids);
      ++equal;
    }
  }
  CHECK(equal == 40 + 4 + 12);
  CHECK(refused == 4);  // of Gemma and of the first Mistral, which have no system
}

TEST_CASE("a template that is not known is refused with its first words, and a turn that is out of turn by its number",
          "[text]") {
  CHECK(words_of(chat_template::of("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}", {})) ==
        "ctlm: the chat template that begins with {% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% end is not "
        "known; "
        "known are ChatML, Llama 2, Llama 3, Gemma and Mistral");
  CHECK(words_of(chat_template::of("", {})) ==
        "ctlm: this model has no chat template: it may have learnt no conversation");
  CHECK(words_of(chat_template::of("<|im_start|><|im_end|>", {})->without_thinking()) ==
        "ctlm: this chat template has no words that keep the model from thinking");
  const auto gemma = chat_template::of("<start_of_turn><end_of_turn>", {"<bos>", "<eos>"}).value();
  CHECK(gemma.end() == "<end_of_turn>");
  CHECK(words_of(gemma(said{{"system", "x"}, {"user", "y"}})) ==
        "ctlm: the template of this Gemma has no system message");
  CHECK(words_of(gemma(said{{"user", "x"}, {"user", "y"}})) ==
        "ctlm: message 1 of this conversation is out of turn: user and assistant take turns, behind a system message "
        "if there "
        "is one");
  CHECK(gemma(said{{"user", "x"}}, false).value() == "<bos><start_of_turn>user\nx<end_of_turn>\n");
}

TEST_CASE("a template of your own, and none", "[text]") {
  const chat_template mine{script_lines{}};
  CHECK(mine(said{{"user", "x"}}).value() == "user: x###\nassistant: ");
  CHECK(mine.end() == "###");
  CHECK_FALSE(mine.is_raw());
  const chat_template none;
  CHECK(none.is_raw());
  CHECK(none(said{{"user", "Once"}, {"assistant", " upon"}, {"user", " a"}}).value() == "Once upon a");
}
