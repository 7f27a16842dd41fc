// llama2c_tokenizer: a file of any bytes is refused, or makes tokens of its vocabulary, and no token breaks it.
#include "fuzz.hpp"

using namespace ctlm;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input in(data, size);
  const std::size_t vocab = 256 + in.below(20);
  std::vector<token> tokens;
  for (std::size_t n = in.below(8); n > 0; --n) tokens.push_back(in.number<token>());
  const std::string text = in.text(in.below(100));
  const auto loaded = llama2c_tokenizer::load(fuzz::file_of(in.rest()), vocab);
  if (!loaded) {
    fuzz::require_words(loaded.error());
    return 0;
  }
  fuzz::require(loaded->vocab() == vocab, "it has as many tokens as asked for");
  const auto encoded = loaded->encode(text);
  for (token t : encoded) fuzz::require(t >= 0 && static_cast<std::size_t>(t) < vocab, "tokens are in the vocabulary");
  (void)loaded->decode(encoded);
  (void)loaded->decode(tokens);
  return 0;
}

void fuzz::seeds(const std::function<void(const std::string&)>& keep) {
  std::string file = bytes_of(std::int32_t{8});
  auto piece = [&](float score, const std::string& s) {
    file += bytes_of(score) + bytes_of(static_cast<std::int32_t>(s.size())) + s;
  };
  for (const char* s : {"<unk>", "<s>", "</s>"}) piece(0, s);
  for (int i = 0; i < 256; ++i) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>", i);
    piece(0, name);
  }
  for (const char* s : {" ", "a", "b", "ab", "aba", " ab"}) piece(static_cast<float>(file.size()), s);
  const std::string begin = bytes_of(std::uint16_t{9}) + bytes_of(std::uint16_t{2}) + bytes_of(token{70000}) +
                            bytes_of(token{-5}) + bytes_of(std::uint16_t{10}) + "abab abaxx";
  keep(begin + file);
  keep(begin + file.substr(0, file.size() - 3));
}
