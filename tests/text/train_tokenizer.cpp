// Training: tokens and merges as Hugging Face's BpeTrainer learns them (make_trained.py), whatever the number of
// threads.
#include "io/data.hpp"
#include "io/scratch.hpp"
#include "paths.hpp"
#include "words.hpp"

#include <ctlm/ctlm.hpp>
#include <ctlm/text/train_tokenizer.hpp>

using namespace ctlm;

namespace {

struct golden {
  std::string text = contents_of(std::string(paths::source) + "/tests/text/trained/cases.json");
  json::value root = json::parse(text, {}, heap_keys()).value();

  /// The text of a case; empty if it is a file that is not there.
  std::string text_of_case(const json::value& test) const {
    const std::string name = text_of(test.find("text"));
    const json::value stored = root.find("texts").find(span<const char>(name));
    if (stored) return text_of(stored);
    return data::present(name.c_str()) ? data::read(data::path(name.c_str())) : "";
  }
};

std::size_t number(const json::value& test, const char* key, std::size_t otherwise) {
  const json::value v = test.find(key);
  return v ? v.as_integer<std::size_t>().value() : otherwise;
}

/// tokenizer_options point to texts, which these own.
struct options_of {
  std::string pre, normalizer = "null";
  tokenizer_options options;

  options_of(const golden& g, const json::value& test)
      : pre(written(g.root.find("pre").find(span<const char>(text_of(test.find("pre")))))) {
    if (const json::value n = test.find("normalizer")) normalizer = written(n);
    options = {.vocab = number(test, "vocab", 0),
               .min_frequency = number(test, "min_frequency", 2),
               .pre_tokenizer = pre.c_str(),
               .normalizer = normalizer.c_str(),
               .all_bytes = !test.find("all_bytes"),
               .most_letters = number(test, "most_letters", 256),
               .longest_token = number(test, "longest_token", ~std::size_t{0})};
    for (const json::value s : test.find("special_tokens").elements()) options.special_tokens.push_back(text_of(s));
  }
};

std::uint32_t sum_of(const trained_tokenizer& t) {
  std::uint32_t h = 0x811C9DC5;
  const auto add = [&](const std::string& s) {
    for (const char c : s + "\n") h = (h ^ static_cast<unsigned char>(c)) * 0x01000193u;
  };
  for (const std::string& s : t.tokens()) add(s);
  for (const bpe::merge& m : t.merges()) add(std::to_string(m.left) + " " + std::to_string(m.right));
  return h;
}

}  // namespace

TEST_CASE("tokens and merges are those that BpeTrainer learns", "[text]") {
  const golden g;
  std::size_t compared = 0;
  pool<2> two;
  for (const json::value test : g.root.find("cases").elements()) {
    const std::string text = g.text_of_case(test);
    if (text.empty()) continue;
    INFO(written(test).substr(0, 160));
    const options_of o(g, test);
    const auto lines = lines_of(text);
    const auto trained = train_tokenizer(lines, o.options, two);
    REQUIRE(words_of(trained) == "");
    std::size_t i = 0;
    for (const json::value pair : test.find("first").elements()) {
      INFO(i);
      std::vector<token> both;
      for (const json::value t : pair.elements()) both.push_back(t.as_integer<token>().value());
      REQUIRE(i < trained->merges().size());
      REQUIRE(std::vector<token>{trained->merges()[i].left, trained->merges()[i].right} == both);
      ++i;
    }
    CHECK(trained->tokens().size() == number(test, "tokens", 0));
    CHECK(trained->merges().size() == number(test, "merges", 0));
    CHECK(sum_of(*trained) == number(test, "sum", 0));
    ++compared;
  }
  CHECK(compared >= 40);
}

TEST_CASE("a trained tokenizer does not depend on threads, and is one that is read again", "[text]") {
  const golden g;
  const std::string text = text_of(g.root.find("texts").find("mixed"));
  const auto lines = lines_of(text);
  const tokenizer_options o{.vocab = 700, .special_tokens = {"<|im_end|>", "\"quoted\\\n"}};
  serial alone;
  pool<3> three(3);
  const auto a = train_tokenizer(lines, o, alone), b = train_tokenizer(lines, o, three);
  REQUIRE(words_of(a) == "");
  CHECK(a->json() == b->json());
  const auto t = a->tokenizer();
  REQUIRE(words_of(t) == "");
  CHECK(t->vocab() == a->tokens().size());
  for (std::size_t i = 0; i < t->vocab(); ++i) {
    REQUIRE(t->spelling(static_cast<token>(i)) == a->tokens()[i]);
    REQUIRE(t->is_special(static_cast<token>(i)) == (i < 2));
  }
  CHECK(t->find("<|im_end|>") == 0);
  CHECK(a->find("\"quoted\\\n") == 1);
  CHECK(t->decode(t->encode(text)) == text);
  CHECK(t->encode(text).size() * 3 < text.size() * 2);
  const scratch_folder folder;
  REQUIRE(words_of(save_hf_tokenizer(folder.path.c_str(), *a, {.eos = 0})) == "");
  CHECK(contents_of(folder / "tokenizer.json") == a->json());
  CHECK(contents_of(folder / "tokenizer_config.json").find("\"eos_token\": \"<|im_end|>\"") != std::string::npos);
  const auto for_gguf = read_hf_tokenizer(folder.path.c_str());
  REQUIRE(words_of(for_gguf) == "");
  CHECK(for_gguf->tokens == a->tokens());
  CHECK(for_gguf->merges.size() == a->merges().size());
  CHECK(words_of(save_hf_tokenizer(folder.path.c_str(), *a, {.eos = 700})) ==
        "ctlm: this tokenizer has no token 700; it has " + std::to_string(a->tokens().size()) + " tokens");
}

TEST_CASE("learning that is stopped gives what a smaller vocabulary would have", "[text]") {
  const golden g;
  const std::string text = text_of(g.root.find("texts").find("mixed"));
  const auto lines = lines_of(text);
  serial alone;
  tokenizer_trainer trainer({.vocab = 700});
  std::size_t asked = 0;
  REQUIRE(trainer.count(lines, alone, [&](const tokenizer_progress& p) {
    CHECK(!p.merging);
    CHECK(p.done == text.size());
    CHECK(p.total == text.size());
    ++asked;
    return true;
  }));
  CHECK(asked == 1);
  const auto stopped = trainer.learn([&](const tokenizer_progress& p) {
    CHECK(p.merging);
    CHECK(p.total == 700);
    return p.done < 256 + 128;
  });
  REQUIRE(stopped);
  CHECK(stopped->tokens().size() == 256 + 128);
  CHECK(stopped->json() == train_tokenizer(lines, {.vocab = 256 + 128}, alone)->json());
}

TEST_CASE("a tokenizer that cannot be trained is refused in words", "[text]") {
  serial alone;
  const std::vector<std::string_view> texts{"a text"};
  const auto refused = [&](const tokenizer_options& o) { return words_of(train_tokenizer(texts, o, alone)); };
  CHECK(refused({.vocab = 257, .special_tokens = {"<s>", "</s>"}}) ==
        "ctlm: a tokenizer of 257 tokens has no room for its special tokens and letters, which are 258");
  CHECK(refused({.special_tokens = {"<s>", ""}}) == "ctlm: special token 1 of a tokenizer is empty, or is no UTF-8");
  CHECK(refused({.special_tokens = {"\xFF"}}) == "ctlm: special token 0 of a tokenizer is empty, or is no UTF-8");
  CHECK(refused({.pre_tokenizer = R"({"type": "Whitespace"})"}) ==
        "ctlm: a tokenizer whose letters are bytes is trained with a pre_tokenizer that ends with ByteLevel");
  CHECK(refused({.pre_tokenizer = R"({"type": "Magic"})"}).find("pre_tokenizer 'Magic' is not known") !=
        std::string::npos);
  CHECK(refused({.normalizer = "nothing"}) != "");
  CHECK(train_tokenizer({}, {.vocab = 300}, alone)->tokens().size() == 256);
}

TEST_CASE("a trained tokenizer lies in a checkpoint beside a model", "[text]") {
  serial alone;
  const std::vector<std::string_view> texts{"the cat the hat the bat"};
  const std::string json = train_tokenizer(texts, {.vocab = 260}, alone)->json();
  std::string kept = json, again(json.size(), '\0');
  const scratch_folder folder;
  const std::string path = folder / "state";
  const checkpoint_section out[] = {{"tokenizer", kept.data(), kept.size()}},
                           in[] = {{"tokenizer", again.data(), again.size()}};
  REQUIRE(write_checkpoint(path.c_str(), 1, out));
  REQUIRE(read_checkpoint(path.c_str(), 1, in));
  CHECK(hf_tokenizer::parse(again)->encode("the cat") == hf_tokenizer::parse(json)->encode("the cat"));
}

TEST_CASE("long words take no longer than many short ones", "[text]") {
  std::string word;
  rng r{3};
  for (int i = 0; i < 1 << 18; ++i) word += static_cast<char>('a' + r.below(20));
  word += std::string(1 << 20, 'x');
  serial alone;
  const std::vector<std::string_view> texts{word};
  const auto t = train_tokenizer(texts, {.vocab = 2000}, alone);
  REQUIRE(t);
  CHECK(t->tokens().size() == 2000);
}
