// The tokenizer of a GGUF file: the tokens of what the file was made of, and what is refused.
#include "io/data.hpp"
#include "io/scratch.hpp"
#include "paths.hpp"
#include "words.hpp"

#include <ctlm/ctlm.hpp>
#include <ctlm/text/from_gguf.hpp>

using namespace ctlm;

namespace {

/// Texts of all kinds of bytes, and words.
std::vector<std::string> texts() {
  std::vector<std::string> all{"",
                               " ",
                               "Once upon a time",
                               "don't  stop\n\n now 123",
                               "caf\xC3\xA9 \xE5\xAD\x90\xE6\x9B\xB0 \xF0\x9F\x98\x80",
                               "a\t\n "};
  rng r{5};
  for (int i = 0; i < 200; ++i) {
    std::string s;
    for (std::uint64_t n = r.below(25); n > 0; --n) s += "the cat 12\n sat,'s\xC3\xA9"[r.below(20)];
    if (s.size() > 1 && static_cast<unsigned char>(s.back()) == 0xC3) s.pop_back();
    bool whole = true;  // UTF-8 alone: what a tokenizer.json can be asked for
    for (std::size_t k = 0; k < s.size(); k += unicode_detail::character_at(s, k).length)
      whole = whole && unicode_detail::character_at(s, k).code != unicode_detail::no_character;
    if (whole) all.push_back(s);
  }
  return all;
}
/// A file with this tokenizer and nothing else.
std::string file_of(const gguf_tokenizer& t) {
  const scratch_folder folder;
  gguf_writer out;
  out.set("general.architecture", "llama");
  gguf_detail::put_tokenizer(out, t, t.tokens.size());
  REQUIRE(words_of(out.write((folder / "t.gguf").c_str(), [](std::size_t, std::size_t, float*) {})) == "");
  return contents_of(folder / "t.gguf");
}
result<hf_tokenizer> parse(const std::string& file) {
  const auto view = gguf_view::of({reinterpret_cast<const std::byte*>(file.data()), file.size()});
  if (!view) return view.error();
  const auto t = read_gguf_tokenizer(view->metadata());
  if (!t) return t.error();
  return from_gguf(*t);
}
gguf_tokenizer small(const char* model, const char* pre = "gpt-2") {
  gguf_tokenizer t;
  t.model = model;
  t.pre = pre;
  for (const char* s : {"a", "b", "ab", "<s>", "\xE2\x96\x81"})
    t.add(s, *s == '<' ? gguf_token::control : gguf_token::normal);
  t.merges = {"a b"};
  t.scores = {-1, -2, -3, 0, -4};
  t.bos = 3;
  return t;
}

}  // namespace

TEST_CASE("a GGUF file gives back the tokenizer that it was made of: ctlm's own", "[text]") {
  std::string s;
  for (int i = 0; i < 200; ++i) s += "the cat number " + std::to_string(i * 37 % 100) + " sat;\n\n  caf\xC3\xA9?\t";
  const bpe own = bpe::train(s, 330);
  const auto t = parse(file_of(to_gguf(own)));
  REQUIRE(words_of(t) == "");
  CHECK(t->vocab() == 330);
  for (const std::string& text : texts()) {
    INFO(text);
    CHECK(t->encode(text) == own.encode(text));
    CHECK(t->decode(own.encode(text)) == text);
  }
}

TEST_CASE("a GGUF file gives back the tokenizer that it was made of: others'", "[text]") {
  if (!data::present("tok512.bin")) return;
  const auto pieces = llama2c_tokenizer::load(data::path("tok512.bin").c_str(), 512).value();
  const auto t = parse(file_of(to_gguf(pieces)));
  REQUIRE(words_of(t) == "");
  for (const std::string& text : texts()) {
    INFO(text);
    if (!text.empty()) CHECK(t->encode(text) == pieces.encode(text));
    CHECK(t->decode(t->encode(text)) == text);
  }
  for (const char* name : {"stories260K-hf", "minimind"}) {
    const scratch_folder folder;
    std::string path = data::path(name);
    if (std::string_view(name) == "minimind") {
      put_contents(folder / "tokenizer.json", contents_of(data::path("minimind_tokenizer.json")));
      path = folder.path;
    }
    const auto of_folder = read_hf_tokenizer(path.c_str());
    REQUIRE(words_of(of_folder) == "");
    const auto ours = parse(file_of(*of_folder)), theirs = hf_tokenizer::load(path.c_str());
    REQUIRE((words_of(ours) == "" && words_of(theirs) == ""));
    for (const std::string& text : texts()) {
      INFO(text);
      CHECK(ours->encode(text) == theirs->encode(text));
      CHECK(ours->decode(ours->encode(text)) == theirs->decode(ours->encode(text)));
    }
    CHECK(ours->encode("<|im_end|>", special_tokens::without) == theirs->encode("<|im_end|>", special_tokens::without));
  }
}

TEST_CASE("what a GGUF file says of its tokens", "[text]") {
  gguf_tokenizer t = small("llama");
  t.add_bos = t.add_space_prefix = true;
  using ids = std::vector<token>;
  CHECK(parse(file_of(t)).value().encode("ab") == ids{3, 4, 2});
  CHECK(parse(file_of(t)).value().encode("ab<s>a") == ids{3, 4, 2, 3, 4, 0});
  CHECK(parse(file_of(t)).value().encode("ab", special_tokens::without) == ids{4, 2});
  CHECK(parse(file_of(t)).value().decode(ids{3, 4, 2, 4, 0}) == "ab a");
  t.add_space_prefix = false;
  t.eos = 1;
  t.add_eos = true;
  CHECK(parse(file_of(t)).value().encode("a") == ids{3, 0, 1});
  gguf_tokenizer b = small("gpt2", "llama-bpe");
  b.add("abab");
  CHECK(from_gguf(b).value().encode("abab") == ids{5});  // merges are ignored for whole words
  b.pre = "smaug-bpe";
  CHECK(from_gguf(b).value().encode("abab") == ids{2, 2});
}

TEST_CASE("a tokenizer of a GGUF file that is not known is refused by name", "[text]") {
  const auto words = [](const gguf_tokenizer& t) { return words_of(parse(file_of(t))); };
  for (const char* kind : {"rwkv", "plamo2", "gemma4", "hybriddna", "whitespace"}) {
    std::string expected("ctlm: the tokenizer of this GGUF file is of the kind '");
    expected.append(kind).append("' (tokenizer.ggml.model); known are gpt2, llama, t5 and bert");
    CHECK(words(small(kind)) == expected);
  }
  CHECK(words(small("gpt2", "tekken")) ==
        "ctlm: how this GGUF file cuts text, 'tekken' (tokenizer.ggml.pre), is not known; known are gpt-2, smollm, "
        "llama-bpe, smaug-bpe, qwen2, gpt-4o, and others that cut as these do");
  CHECK(words(small("gpt2", ""))
            .starts_with("ctlm: how this GGUF file cuts text, 'none' (tokenizer.ggml.pre), is not known"));
  CHECK(words(small("gpt2", "poro-chat")).starts_with("ctlm: how this GGUF file cuts text, 'poro-chat'"));
  gguf_tokenizer t = small("gpt2");
  t.merges = {"a b", "a c"};
  CHECK(words(t) == "ctlm: merge 1 of this GGUF file needs the token 'c', which it has not");
  t = small("gpt2");
  t.tokens[1] = "\xFF";
  CHECK(words(t) == "ctlm: token 1 of this GGUF file is no UTF-8");
  t = small("llama");
  t.scores.clear();
  CHECK(words(t) == "ctlm: this GGUF file has 0 scores of its 5 tokens");
  t = small("llama");
  t.scores[2] = std::numeric_limits<float>::quiet_NaN();
  CHECK(words(t) == "ctlm: token 2 of this GGUF file has a score that is no number");
  t = small("llama");
  t.bos = 9;
  CHECK(words(t) == "ctlm: tokenizer.ggml.bos_token_id in this GGUF file is token 9, and there are 5");
  t = small("llama");
  t.kinds[0] = static_cast<gguf_token>(7);
  CHECK(words(t) == "ctlm: tokenizer.ggml.token_type in this GGUF file has the value 7; 1 to 6 are known");
  gguf_writer none;
  none.set("general.architecture", "llama");
  const scratch_folder folder;
  REQUIRE(words_of(none.write((folder / "n.gguf").c_str(), [](std::size_t, std::size_t, float*) {})) == "");
  CHECK(words_of(load_gguf_tokenizer((folder / "n.gguf").c_str())) ==
        "ctlm: this GGUF file has no tokenizer: tokenizer.ggml.model is missing");
  CHECK(words_of(load_gguf_tokenizer("no/such/file")) == "ctlm: no such file or folder");
}

// What tokenizers and sentencepiece make of texts by what the files were made of (make_gguf_tokenizers.py).
TEST_CASE("a GGUF file with the tokenizer of BERT or T5 makes the tokens and texts of what it was made of", "[text]") {
  const std::string folder = std::string(paths::source) + "/tests/text/gguf/";
  const std::string text = contents_of(folder + "cases.json");
  const json::value root = json::parse(text, {}, heap_keys()).value();
  std::vector<std::string> all;
  for (const json::value t : root.find("texts").elements()) all.push_back(text_of(t));
  std::size_t compared = 0;
  for (const auto [key, rows] : root.find("cases").members()) {
    const std::string name = text_of(key);
    INFO(name);
    const auto t = load_gguf_tokenizer((folder + name + ".gguf").c_str());
    REQUIRE(words_of(t) == "");
    std::size_t i = 0;
    for (const json::value row : rows.elements()) {
      json::value parts[2];
      std::size_t n = 0;
      for (const json::value part : row.elements()) parts[n++ % 2] = part;
      std::vector<token> expected;
      for (const json::value id : parts[0].elements()) expected.push_back(id.as_integer<token>().value());
      INFO(all[i]);
      CHECK(t->decode(expected) == text_of(parts[1]));
      if (name != "bert" || CTLM_UTF8PROC || unicode_detail::is_ascii(all[i])) {
        CHECK(t->encode(all[i]) == expected);
        ++compared;
      }
      ++i;
    }
    CHECK(i == all.size());
  }
  CHECK(compared > 3 * all.size());
}

TEST_CASE("the tokens of BERT and T5 have the parts that llama.cpp gives them where a GGUF file does not say",
          "[text]") {
  gguf_tokenizer words;
  words.model = "bert";
  for (int i = 0; i < 104; ++i) words.add("\xE2\x96\x81w" + std::to_string(i));
  for (const auto& [n, spelt] : {std::pair(100u, "[UNK]"), std::pair(101u, "[CLS]"), std::pair(102u, "[SEP]")}) {
    words.tokens[n] = spelt;
    words.kinds[n] = gguf_token::control;
  }
  words.tokens[103] = "7";  // goes on with a word
  const auto bert = parse(file_of(words));
  REQUIRE(words_of(bert) == "");
  CHECK(bert->encode("W1 w17 x") == std::vector<token>{101, 1, 17, 100, 102});
  CHECK(bert->encode("w27 w77") == std::vector<token>{101, 27, 77, 102});
  CHECK(bert->encode("w997") == std::vector<token>{101, 99, 103, 102});
  CHECK(bert->decode(bert->encode("w997 w1")) == "w997 w1");
  CHECK(bert->spelling(103) == "##7");
  words.lowercase = false;
  words.bos = 1;
  words.separator = 2;
  words.unknown = 3;
  CHECK(parse(file_of(words))->encode("W1") == std::vector<token>{1, 3, 2});

  gguf_tokenizer pieces;
  pieces.model = "t5";
  for (const char* s : {"<pad>", "</s>", "<unk>", "\xE2\x96\x81", "a", "b", "ab"}) {
    pieces.add(s, *s == '<' ? gguf_token::control : gguf_token::normal);
    pieces.scores.push_back(-static_cast<float>(pieces.tokens.size()));
  }
  pieces.kinds[2] = gguf_token::unknown;
  pieces.add_eos = true;
  CHECK(parse(file_of(pieces))->encode("a  ab") == std::vector<token>{4, 3, 3, 6, 1});
  pieces.removes_spaces = pieces.add_space_prefix = true;
  CHECK(parse(file_of(pieces))->encode("a  axab ") == std::vector<token>{3, 4, 3, 4, 2, 6, 1});
  CHECK(parse(file_of(pieces))->decode(std::vector<token>{3, 4, 3, 6, 1}) == "a ab");
}

TEST_CASE("a tokenizer of BERT or T5 whose GGUF file contradicts itself is refused", "[text]") {
  const auto words = [](const gguf_tokenizer& t) { return words_of(parse(file_of(t))); };
  gguf_tokenizer t = small("t5");
  t.scores.clear();
  CHECK(words(t) == "ctlm: this GGUF file has 0 scores of its 5 tokens");
  for (const float score : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    t = small("t5");
    t.scores[2] = score;
    CHECK(words(t) == "ctlm: token 2 of this GGUF file has a score that is no number");
  }
  t = small("t5");
  t.characters = "abcdefgh";
  CHECK(words(t) == "ctlm: the table of characters of this GGUF file is damaged");
  t = small("bert");
  CHECK(words(t) == "ctlm: this GGUF file has no unknown token, which a tokenizer of the kind 'bert' needs");
  t.separator = 9;
  CHECK(words(t) == "ctlm: tokenizer.ggml.seperator_token_id in this GGUF file is token 9, and there are 5");
  gguf_writer out;
  out.set("general.architecture", "t5");
  gguf_detail::put_tokenizer(out, small("t5"), 5);
  out.set("tokenizer.ggml.precompiled_charsmap", span<const float>(small("t5").scores));
  const scratch_folder folder;
  REQUIRE(words_of(out.write((folder / "t.gguf").c_str(), [](std::size_t, std::size_t, float*) {})) == "");
  CHECK(words_of(load_gguf_tokenizer((folder / "t.gguf").c_str())) ==
        "ctlm: tokenizer.ggml.precompiled_charsmap in this GGUF file should be an array of bytes");
}

TEST_CASE("every GGUF tokenizer that is cut off or has a bit flipped is refused in words, or is a tokenizer",
          "[text]") {
  std::size_t read = 0, refused = 0;
  const auto attack = [&](const std::string& bytes) {
    const auto t = parse(bytes);
    t ? ++read : ++refused;
    if (!t) CHECK(std::string(explain(t.error()).text).starts_with("ctlm: "));
    if (t) t->decode(t->encode(CTLM_UTF8PROC ? "ab <s> b\xFF" : "ab <s> b"));
  };
  for (const char* model : {"llama", "gpt2", "t5", "bert"}) {
    gguf_tokenizer t = small(model);
    if (std::string_view(model) == "bert") t.unknown = 0;
    const std::string file = file_of(t);
    for (std::size_t n = 0; n < file.size(); ++n) attack(file.substr(0, n));
    for (std::size_t i = 0; i < file.size(); ++i)
      for (int bit = 0; bit < 8; ++bit) {
        std::string flipped = file;
        flipped[i] = static_cast<char>(flipped[i] ^ 1 << bit);
        attack(flipped);
      }
  }
  CHECK(read > 300);
  CHECK(refused > 3000);
}
