// Tokenizers of Hugging Face: tokens and texts as `tokenizers` has them (make_tokenizers.py), real files, and what is
// refused.
#include "io/data.hpp"
#include "io/scratch.hpp"
#include "paths.hpp"
#include "words.hpp"

#include <ctlm/ctlm.hpp>
#include <ctlm/text/gpt2_files.hpp>

using namespace ctlm;

namespace {

/// The cases of make_tokenizers.py.
struct golden {
  std::string text = contents_of(std::string(paths::source) + "/tests/text/tokenizers/cases.json");
  json::value root = json::parse(text, {}, heap_keys()).value();
  std::vector<std::string> texts;

  golden() {
    for (const json::value t : root.find("texts").elements()) texts.push_back(text_of(t));
  }
  json::members cases() const { return root.find("cases").members(); }
  /// The tokenizer.json of a case.
  std::string file(const json::value& test) const {
    std::string model = written(root.find("models").find(span<const char>(text_of(test.find("model")))));
    const std::string flags = written(test.find("flags"));
    if (!flags.empty()) model = flags.substr(0, flags.size() - 1) + "," + model.substr(1);
    std::string s = "{\"model\": " + model;
    for (const char* part : {"added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder"})
      if (const json::value v = test.find(part)) s += ",\n\"" + std::string(part) + "\": " + written(v);
    return s + "}";
  }
};

std::uint32_t sum_of(std::uint32_t h, const void* data, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) h = (h ^ static_cast<const unsigned char*>(data)[i]) * 0x01000193u;
  return h;
}
std::uint32_t sum_of(const hf_tokenizer& t, const std::string& text) {
  const std::vector<token> ids = t.encode(text);
  const std::string without = t.decode(ids), with = t.decode(ids, special_tokens::with);
  std::uint32_t h = sum_of(0x811C9DC5u, ids.data(), sizeof(token) * ids.size());
  h = sum_of(h, without.data(), without.size());
  return sum_of(h, with.data(), with.size());
}
bool is_here(const std::string& library) {
  if (library == "PCRE2") return CTLM_PCRE2;
  if (library == "utf8proc") return CTLM_UTF8PROC;
  return true;
}

/// A tokenizer.json with these parts around a small model.
std::string small(
    const std::string& parts,
    const std::string& model = R"("type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"])") {
  return "{\"model\": {" + model + "}" + (parts.empty() ? "" : ", ") + parts + "}";
}
std::vector<token> ids(const std::string& file, const std::string& text) {
  return hf_tokenizer::parse(file).value().encode(text);
}

}  // namespace

TEST_CASE("tokenizers of every kind make the tokens and the texts of `tokenizers`", "[text]") {
  const golden g;
  REQUIRE(g.texts.size() > 50);
  std::size_t compared = 0, refused = 0;
  for (const auto [name, test] : g.cases()) {
    INFO(text_of(name));
    const auto t = hf_tokenizer::parse(g.file(test));
    const std::string needs = text_of(test.find("needs"));
    if (!is_here(needs) && needs == "PCRE2") {
      CHECK(words_of(t).find("needs PCRE2, which this program was compiled without (CTLM_PCRE2=1)") !=
            std::string::npos);
      ++refused;
      continue;
    }
    REQUIRE(words_of(t) == "");
    std::size_t i = 0;
    for (const json::value row : test.find("ids").elements()) {
      std::vector<token> expected;
      for (const json::value id : row.elements()) expected.push_back(id.as_integer<token>().value());
      INFO(g.texts[i]);
      if (is_here(needs) || unicode_detail::is_ascii(g.texts[i])) CHECK(t->encode(g.texts[i]) == expected);
      ++i;
    }
    i = 0;
    for (const json::value sum : test.find("sums").elements()) {
      INFO(g.texts[i]);
      if (is_here(needs) || unicode_detail::is_ascii(g.texts[i])) {
        CHECK(sum_of(*t, g.texts[i]) == sum.as_integer<std::uint32_t>().value());
        ++compared;
      }
      ++i;
    }
    CHECK(i == g.texts.size());
  }
  CHECK(compared > 25 * g.texts.size());
  CHECK(refused == (is_here("PCRE2") ? 0 : 1));
}

TEST_CASE("a text that needs a normal form is refused without utf8proc; one that has it is not", "[text]") {
  const auto nfc = hf_tokenizer::parse(small(R"("normalizer": {"type": "NFC"})")).value();
  const auto nfkd = hf_tokenizer::parse(small(R"("normalizer": {"type": "NFKD"})")).value();
  CHECK(nfc.encode("ab") == std::vector<token>{2});
  CHECK(nfc.encode("\xE5\xAD\x90 ab \xC3\xA9") == std::vector<token>{2});  // nothing in it can change
  CHECK(nfkd.encode("ab") == std::vector<token>{2});
  if (is_here("utf8proc")) {
    CHECK(nfkd.encode("\xC2\xAA"
                      "b") == std::vector<token>{2});  // U+00AA is a kind of a
    return;
  }
  const char* const words =
      "ctlm: this text needs a normal form of Unicode, and so utf8proc, which this program was compiled without "
      "(CTLM_UTF8PROC=1)";
  CHECK_THROWS_WITH(nfc.encode("e\xCC\x81"), words);
  CHECK_THROWS_WITH(nfkd.encode("\xC2\xAA"
                                "b"),
                    words);
}

TEST_CASE("parts of a tokenizer.json that are not known are refused by name, with those that are", "[text]") {
  const auto words = [](const std::string& parts) { return words_of(hf_tokenizer::parse(small(parts))); };
  CHECK(words(R"("pre_tokenizer": {"type": "UnicodeScripts"})") ==
        "ctlm: tokenizer.json: pre_tokenizer 'UnicodeScripts' is not known; known are BertPreTokenizer, ByteLevel, "
        "Digits, "
        "Metaspace, Punctuation, Split, Whitespace, WhitespaceSplit, Sequence");
  CHECK(words(R"("normalizer": {"type": "Sequence", "normalizers": [{"type": "Precompiled"}]})") ==
        "ctlm: tokenizer.json: normalizer 'Precompiled' is not known; known are BertNormalizer, Lowercase, NFC, NFD, "
        "NFKC, "
        "NFKD, Prepend, Replace, Strip, StripAccents, Sequence");
  CHECK(words(R"("decoder": {"type": "CTC"})") ==
        "ctlm: tokenizer.json: decoder 'CTC' is not known; known are BPEDecoder, ByteFallback, ByteLevel, Fuse, "
        "Metaspace, "
        "Replace, Strip, WordPiece, Sequence");
  CHECK(
      words(R"("post_processor": {"type": "X"})") ==
      "ctlm: tokenizer.json: post_processor 'X' is not known; known are BertProcessing, ByteLevel, RobertaProcessing, "
      "TemplateProcessing, Sequence");
  CHECK(words(R"("decoder": {"type": "Sequence", "decoders": [{"type": "Fuse"}, {"type": "ByteFallback"}]})") ==
        "ctlm: tokenizer.json: decoder 'ByteFallback' behind one that makes one text of all tokens is not supported");
  CHECK(
      words(R"("pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}, {"type": "Digits"}]})") ==
      "ctlm: tokenizer.json: a pre_tokenizer behind ByteLevel is not supported, and there are 1");
  CHECK(words(R"("pre_tokenizer": {"type": "Split", "pattern": {"String": " "}, "behavior": "Often"})") ==
        "ctlm: tokenizer.json: the behavior 'Often' of a pre_tokenizer is not known");
  CHECK(words(R"("pre_tokenizer": {"type": "Metaspace", "prepend_scheme": "last"})") ==
        "ctlm: tokenizer.json: the prepend_scheme 'last' of Metaspace is not known");
  CHECK(words(R"("added_tokens": [{"id": 7, "content": "<s>"}])") ==
        "ctlm: tokenizer.json: the added token '<s>' has the number 7, but by its place it has 3");
  CHECK(words(R"("post_processor": {"type": "BertProcessing", "sep": ["x", 9], "cls": ["a", 0]})") ==
        "ctlm: tokenizer.json: the post_processor has token 9, which does not exist");
  const auto model = [](const std::string& m) { return words_of(hf_tokenizer::parse(small("", m))); };
  CHECK(model(R"("type": "Bits")") ==
        "ctlm: tokenizer.json: model 'Bits' is not known; known are BPE, Unigram, WordPiece and WordLevel");
  CHECK(model(R"("type": "BPE", "vocab": {"a": 0}, "merges": ["a b"])") ==
        "ctlm: tokenizer.json: merge 0 needs the token 'b', which is not in the vocab");
  CHECK(model(R"("type": "BPE", "vocab": {"a": 70000}, "merges": [])") ==
        "ctlm: tokenizer.json: a token has the number 70000; with so few others it is at most 65537");
  CHECK(model(R"("type": "BPE", "vocab": {"a": 0}, "merges": [], "dropout": 0.5)") ==
        "ctlm: tokenizer.json: a dropout of merges is for training, and is not supported");
  CHECK(words_of(hf_tokenizer::parse("[]")) == "ctlm: this is no tokenizer.json: it has no model");
  CHECK(words_of(hf_tokenizer::load("no/such/file")) == "ctlm: no such file or folder");
}

TEST_CASE(
    "a model that does not know a letter and has no unk_token leaves it out; one whose unk_token is missing says so",
    "[text]") {
  CHECK(ids(small(""), "axb") == std::vector<token>{2});  // as `tokenizers`: letters that are left out are not there
  const auto lacks =
      hf_tokenizer::parse(small("", R"("type": "BPE", "vocab": {"a": 0}, "merges": [], "unk_token": "?")")).value();
  CHECK_THROWS_WITH(lacks.encode("x"), "ctlm: the unk_token of this tokenizer is not in its vocab");
  const auto unigram = hf_tokenizer::parse(small("", R"("type": "Unigram", "vocab": [["a", -1.5]])")).value();
  CHECK_THROWS_WITH(unigram.encode("x"), "ctlm: this tokenizer has no unk_id, and a text needs one");
}

TEST_CASE("what save_hf_tokenizer writes is read again: the same tokens for any bytes", "[text]") {
  std::string s;
  for (int i = 0; i < 200; ++i) s += "the cat number " + std::to_string(i * 37 % 100) + " sat;\n\n  caf\xC3\xA9?\t";
  const bpe b = bpe::train(s, 330);
  const scratch_folder folder;
  REQUIRE(words_of(save_hf_tokenizer(folder.path.c_str(), b)) == "");
  const auto again = hf_tokenizer::load(folder.path.c_str());
  REQUIRE(words_of(again) == "");
  CHECK(again->vocab() == b.vocab());
  rng r{3};
  for (int i = 0; i < 500; ++i) {
    std::string any;
    for (int n = 0; n < 30; ++n) {
      const auto kind = r.below(4);
      any += static_cast<char>(kind == 0 ? " \n\ta"[r.below(4)] : static_cast<int>(r.below(kind == 1 ? 256 : 128)));
    }
    CHECK(again->encode(any) == b.encode(any));
  }
}

TEST_CASE("long runs of one letter take no time that grows with their square", "[text]") {
  const golden g;
  for (const char* name : {"gpt2", "llama3", "llama2", "unigram", "bert_cased"}) {
    const auto t = hf_tokenizer::parse(g.file(g.root.find("cases").find(name))).value();
    for (const char* letter : {"a", " ", "\xC3\xA9", "1"}) {
      std::string text;
      while (text.size() < 300000) text += letter;
      CHECK(t.encode(text).size() <= 2 * text.size() + 2);  // with the square it would be minutes
    }
  }
}

TEST_CASE("every file that is cut off or has a bit flipped is refused in words, or is a tokenizer", "[text]") {
  const golden g;
  std::size_t read = 0, refused = 0;
  const auto attack = [&](const std::string& file) {
    const auto t = hf_tokenizer::parse(file);
    t ? ++read : ++refused;
    if (!t) {
      CHECK(std::string(explain(t.error()).text).starts_with("ctlm: "));
      return;
    }
    try {
      t->decode(t->encode("don't <s> caf\xC3\xA9 12\n"));
    } catch (const error& e) {
      CHECK(std::string(e.what()).starts_with("ctlm: "));
    }
  };
  for (const char* name : {"words", "unigram", "llama2", "bert_cased"}) {
    const std::string file = g.file(g.root.find("cases").find(name));
    const std::size_t step = file.size() / 300 + 1;
    for (std::size_t n = 0; n < file.size(); n += step) attack(file.substr(0, n));
    for (std::size_t i = 0; i < file.size(); i += step)
      for (int bit = 0; bit < 8; ++bit) {
        std::string flipped = file;
        flipped[i] = static_cast<char>(flipped[i] ^ 1 << bit);
        attack(flipped);
      }
  }
  CHECK(read > 100);
  CHECK(refused > 1000);
}

TEST_CASE("real tokenizers: those of models that are here", "[text]") {
  if (!data::present("minimind_tokenizer.json")) return;
  const std::string folder = data::path("");
  const auto minimind = hf_tokenizer::load((folder + "minimind_tokenizer.json").c_str());
  REQUIRE(words_of(minimind) == "");
  CHECK(minimind->vocab() == 6400);
  const std::string poem = "<|im_start|>user\n\xE5\xBA\x8A\xE5\x89\x8D\xE6\x98\x8E\xE6\x9C\x88\xE5\x85\x89<|im_end|>\n";
  CHECK(minimind->decode(minimind->encode(poem), special_tokens::with) == poem);
  const auto stories = hf_tokenizer::load((folder + "stories260K-hf").c_str());
  REQUIRE(words_of(stories) == "");
  const auto llama2c = llama2c_tokenizer::load((folder + "tok512.bin").c_str(), 512);
  REQUIRE(words_of(llama2c) == "");
  for (const char* text : {"Once upon a time", "", " two  spaces\n", "caf\xC3\xA9 \xF0\x9F\x98\x80", "123, don't!"}) {
    if (*text != '\0') CHECK(stories->encode(text) == llama2c->encode(text));
    CHECK(stories->decode(stories->encode(text)) == text);
  }
}

TEST_CASE("GPT-2's two files are a tokenizer", "[text]") {
  const scratch_folder folder;
  put_contents(folder / "vocab.json", R"({"a": 0, "b": 1, "ab": 2, "\\": 3, "a\\": 4, "<|endoftext|>": 5})");
  put_contents(folder / "merges.txt", "#version: 0.2\r\na b\r\na \\\n");
  const auto small = load_gpt2_tokenizer((folder / "vocab.json").c_str(), (folder / "merges.txt").c_str());
  REQUIRE(words_of(small) == "");
  CHECK(small->encode("aba\\<|endoftext|>b") == std::vector<token>{2, 0, 3, 5, 1});  // \ is another word than a
  CHECK(small->is_special(5));
  CHECK(words_of(load_gpt2_tokenizer((folder / "vocab.json").c_str(), "no")) == "ctlm: no such file or folder");
  if (!data::present("gpt2_encoder.json")) return;
  const auto t = load_gpt2_tokenizer(data::path("gpt2_encoder.json").c_str(), data::path("gpt2_vocab.bpe").c_str());
  REQUIRE(words_of(t) == "");
  CHECK(t->vocab() == 50257);
  using ids = std::vector<token>;
  CHECK(t->encode("Hello world") == ids{15496, 995});
  CHECK(t->encode("don't  stop\n\n  now") == ids{9099, 470, 220, 2245, 628, 220, 783});
  const char* const mixed =
      "na\xC3\xAFve caf\xC3\xA9 \xE5\xAD\xA6\xE8\x80\x8C\xE6\x97\xB6\xE4\xB9\xA0\xE4\xB9\x8B \xF0\x9F\x98\x80";
  CHECK(t->encode(mixed) ==
        ids{2616, 38776, 40304, 10263, 255, 99, 32003, 234, 33768, 114, 20046, 254, 45298, 30325, 222});
  CHECK(t->decode(t->encode(mixed)) == mixed);
  CHECK(t->encode("<|endoftext|>x12345") == ids{50256, 87, 10163, 2231});
}
