// A model of SentencePiece of any bytes is refused in words, or is a tokenizer whose tokens exist, and whose text comes
// out the same at once and token by token.
#include "fuzz.hpp"

#include <ctlm/text/sentencepiece.hpp>

using namespace ctlm;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  for (const control_symbols controls : {control_symbols::ignored, control_symbols::found}) {
    const auto t = parse_sentencepiece(bytes, controls);
    if (!t) return fuzz::require_words(t.error()), 0;
    fuzz::succeeds([&] {
      for (const std::string& s : {std::string("ab <s>  12 don't caf\xC3\xA9\n\xFF  "), bytes.substr(0, 200)}) {
        const std::vector<token> ids = t->encode(s);
        for (const token id : ids) fuzz::require(t->has(id), "tokens exist");
        text_stream stream(*t);
        std::string pieces;
        for (const token id : ids) pieces.append(stream.push(id));
        fuzz::require(pieces.append(stream.finish()) == t->decode(ids), "pieces add up to the text");
      }
    });
  }
  return 0;
}

void fuzz::seeds(const std::function<void(const std::string&)>& keep) {
  const auto field = [](int number, const std::string& value) {
    return std::string(1, static_cast<char>(8 * number + 2)).append(1, static_cast<char>(value.size())).append(value);
  };
  const auto number = [](int n, int value) {
    return std::string(1, static_cast<char>(8 * n)).append(1, static_cast<char>(value));
  };
  const auto piece = [&](const std::string& text, int type, const char* score) {
    return field(1, field(1, text) + "\x15" + std::string(score, 4) + number(3, type));
  };
  const std::string pieces = piece("<unk>", 2, "\0\0\0\0") + piece("<s>", 3, "\0\0\0\0") +
                             piece("a", 1, "\0\0\x80\xBF") + piece("b", 1, "\0\0\0\xC0") +
                             piece("ab", 1, "\0\0\0\xBF") + piece("\xE2\x96\x81", 1, "\0\0\0\xC0") +
                             piece("12", 4, "\0\0\0\0");
  for (const int model : {1, 2}) {
    keep(pieces + field(2, number(3, model)));
    keep(pieces + field(2, number(3, model)) + field(3, number(3, 0) + number(4, 0)));
    // a table: a becomes ab
    const std::string tree("\x0C\0\0\0\0\0\0\0\0\0\0\0", 12);
    keep(pieces + field(2, number(3, model)) + field(3, field(2, tree + std::string("ab\0", 3))));
  }
}
