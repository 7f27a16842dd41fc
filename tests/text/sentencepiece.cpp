// Models of SentencePiece: the tokens and the texts of `sentencepiece` (make_sentencepiece.py), and what is refused.
#include "io/data.hpp"
#include "io/scratch.hpp"
#include "paths.hpp"
#include "words.hpp"

#include <ctlm/ctlm.hpp>
#include <ctlm/text/sentencepiece.hpp>

using namespace ctlm;

namespace {

std::string folder() { return std::string(paths::source) + "/tests/text/sentencepiece/"; }

/// A field of a message: bytes, or a number.
std::string field(int number, const std::string& bytes) {
  return std::string(1, static_cast<char>(8 * number + 2)).append(1, static_cast<char>(bytes.size())).append(bytes);
}
std::string field(int number, int value) {
  return std::string(1, static_cast<char>(8 * number)).append(1, static_cast<char>(value));
}
std::string piece(const std::string& text, int type = 1) { return field(1, field(1, text) + field(3, type)); }

}  // namespace

TEST_CASE("a model of SentencePiece makes its tokens and its texts", "[text]") {
  const std::string text = contents_of(folder() + "cases.json");
  const json::value root = json::parse(text, {}, heap_keys()).value();
  std::vector<std::string> texts;
  for (const json::value t : root.find("texts").elements()) texts.push_back(text_of(t));
  std::size_t compared = 0;
  for (const auto [key, rows] : root.find("cases").members()) {
    const std::string name = text_of(key);
    INFO(name);
    const auto t = load_sentencepiece((folder() + name + ".model").c_str());
    REQUIRE(words_of(t) == "");
    std::size_t i = 0;
    for (const json::value row : rows.elements()) {
      json::value parts[2];
      std::size_t n = 0;
      for (const json::value part : row.elements()) parts[n++ % 2] = part;
      std::vector<token> expected;
      for (const json::value id : parts[0].elements()) expected.push_back(id.as_integer<token>().value());
      INFO(texts[i]);
      CHECK(t->encode(texts[i]) == expected);
      CHECK(t->decode(expected) == text_of(parts[1]));
      text_stream stream(*t);
      std::string pieces;
      for (const token id : expected) pieces.append(stream.push(id));
      CHECK(pieces.append(stream.finish()) == text_of(parts[1]));
      ++compared;
      ++i;
    }
    CHECK(i == texts.size());
  }
  CHECK(compared == 5 * texts.size());
}

TEST_CASE("sums of a long text begin anew where those of sentencepiece do", "[text]") {
  const std::string text = contents_of(folder() + "cases.json");
  const json::value root = json::parse(text, {}, heap_keys()).value(), expected = root.find("long");
  const auto t = load_sentencepiece((folder() + "unigram_suffix.model").c_str()).value();
  std::string pieces;  // by chance
  std::uint32_t h = 1;
  for (int i = 0; i < 60000; ++i) {
    h = (h * 1103515245u + 12345u) & 0x7FFFFFFFu;
    pieces.append(t.spelling(static_cast<token>((h >> 16) % t.vocab())));
  }
  std::uint32_t sum = 0x811C9DC5u;
  const std::vector<token> ids = t.encode(pieces);
  for (const token id : ids) sum = (sum ^ static_cast<std::uint32_t>(id)) * 0x01000193u;
  CHECK(ids.size() == expected.find("ids").as_integer<std::size_t>().value());
  CHECK(sum == expected.find("sum").as_integer<std::uint32_t>().value());
}

TEST_CASE("control symbols are text, unless they are asked for", "[text]") {
  const auto text = load_sentencepiece((folder() + "bpe.model").c_str());
  const auto symbols = load_sentencepiece((folder() + "bpe.model").c_str(), control_symbols::found);
  REQUIRE((text && symbols));
  const token turn = text->find("<turn>");
  REQUIRE(turn > 0);
  CHECK(text->is_special(turn));
  CHECK(text->encode("<turn>").size() > 2);
  CHECK(symbols->encode("<turn>") == std::vector<token>{turn});
  CHECK(symbols->decode(std::vector<token>{turn}) == "");
  CHECK(symbols->decode(std::vector<token>{turn}, special_tokens::with) == "<turn>");
}

TEST_CASE("a byte that belongs to no character is U+FFFD in a text of SentencePiece, and others wait for the rest",
          "[text]") {
  const auto t = load_sentencepiece((folder() + "bpe.model").c_str()).value();
  const auto byte = [&](const char* code) { return t.find(code); };
  const std::vector<token> ids{byte("<0xE4>"), byte("<0xE4>"), byte("<0xB8>"),
                               byte("<0x96>"), byte("<0xF0>"), byte("<0x9F>")};
  text_stream stream(t);
  std::vector<std::string> pieces;
  for (const token id : ids) pieces.emplace_back(stream.push(id));
  pieces.emplace_back(stream.finish());
  CHECK(pieces == std::vector<std::string>{"", "", "\xEF\xBF\xBD", "\xE4\xB8\x96", "", "", "\xEF\xBF\xBD\xEF\xBF\xBD"});
}

TEST_CASE("a model of SentencePiece that is not supported or contradicts itself is refused", "[text]") {
  const auto words = [](const std::string& file) { return words_of(parse_sentencepiece(file)); };
  const std::string unk = piece("<unk>", 2), bpe = field(2, field(3, 2));
  CHECK(words("") == "ctlm: this is no SentencePiece model: it has no pieces");
  CHECK(words(unk + piece("a") + bpe) == "");
  CHECK(words(unk + piece("a") + field(2, field(3, 3))) ==
        "ctlm: this SentencePiece model is of the type word; supported are BPE and unigram");
  CHECK(words(unk + piece("a") + field(2, field(3, 4))) ==
        "ctlm: this SentencePiece model is of the type char; supported are BPE and unigram");
  CHECK(words(piece("a") + bpe) == "ctlm: this SentencePiece model has 0 unknown tokens; it needs one");
  CHECK(words(unk + piece("a") + piece("a")) == "ctlm: token 2 of this SentencePiece model is 'a', as one before it");
  CHECK(words(unk + piece("a", 5) + bpe) ==
        "ctlm: token 1 of this SentencePiece model is not used, which is supported of unigram alone");
  CHECK(words(unk + piece("a", 7)) ==
        "ctlm: the piece at byte 13 of this SentencePiece model has the type 7, which is not known");
  CHECK(words(unk + piece("\xFF")) == "ctlm: the piece at byte 13 of this SentencePiece model is no UTF-8");
  CHECK(words(unk + piece("")) == "ctlm: the piece at byte 13 of this SentencePiece model has no text, or no score");
  CHECK(words(unk + piece("a") + std::string("\x12\x04\x18\x02\x98\x02\x01", 4)) ==
        "ctlm: at byte 20 this file should go on for 4 bytes, and has 2: it is cut off, or no message of Protocol "
        "Buffers");
  CHECK(words(unk + "\x0F") ==
        "ctlm: byte 12 of this file is no field of a message of Protocol Buffers: it is cut off, or another kind of "
        "file");
  CHECK(words(unk + field(1, field(1, "a") + std::string("\x15\x00\x00\x80\x7F", 5))) ==
        "ctlm: token 1 of this SentencePiece model has a score that is no number");
  CHECK(words(unk + field(2, std::string("\x98\x02\x01", 3))) ==
        "ctlm: this SentencePiece model falls back to bytes, of which it has 0; it needs 256");
  CHECK(words(unk + field(3, field(2, "abcdefgh"))) ==
        "ctlm: the table of characters of this SentencePiece model is damaged");
  CHECK(words(unk + field(5, field(2, "x"))) ==
        "ctlm: this SentencePiece model has a table of characters for decoding, which is not supported");
  CHECK(words_of(load_sentencepiece("no/such/file")) == "ctlm: no such file or folder");
}

TEST_CASE("every model of SentencePiece that is cut off or has a bit flipped is refused in words, or is a tokenizer",
          "[text]") {
  std::size_t read = 0, refused = 0;
  const auto attack = [&](const std::string& bytes) {
    const auto t = parse_sentencepiece(bytes);
    t ? ++read : ++refused;
    if (!t) CHECK(std::string(explain(t.error()).text).starts_with("ctlm: "));
    if (t) t->decode(t->encode("a<sep>b don't \xEF\xAC\x81 \xFF"));
  };
  for (const char* name : {"unigram.model", "bpe_plain.model"}) {
    const std::string file = contents_of(folder() + name);
    for (std::size_t n = 0; n < file.size(); n += 3) attack(file.substr(0, n));
    for (std::size_t i = 0; i < file.size(); i += 2) {
      std::string flipped = file;
      flipped[i] = static_cast<char>(flipped[i] ^ 1 << (i / 2 % 8));
      attack(flipped);
    }
  }
  CHECK(read > 300);
  CHECK(refused > 300);
}
