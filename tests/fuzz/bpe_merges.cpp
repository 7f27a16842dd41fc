// bpe::from_merges: any merges are refused, or make a tokenizer through which every text goes unchanged.
#include "fuzz.hpp"

using namespace ctlm;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input in(data, size);
  std::vector<bpe::merge> merges;
  for (std::size_t n = in.below(64); n > 0; --n) {
    const auto left = in.number<std::int16_t>(), right = in.number<std::int16_t>();
    merges.push_back({left, right});
  }
  std::vector<token> tokens;
  for (std::size_t n = in.below(16); n > 0; --n) tokens.push_back(in.number<token>());
  const std::string text = in.rest();
  const auto made = bpe::from_merges(merges);
  if (!made) {
    fuzz::require_words(made.error());
    return 0;
  }
  const auto encoded = made->encode(text);
  for (token t : encoded)
    fuzz::require(t >= 0 && static_cast<std::size_t>(t) < made->vocab(), "tokens are in the vocabulary");
  fuzz::require(made->decode(encoded) == text, "a text survives");
  (void)made->decode(tokens);
  return 0;
}

void fuzz::seeds(const std::function<void(const std::string&)>& keep) {
  const std::string text = "the cat and the hat and the bat, 12 12 12";
  const bpe trained = bpe::train(text, 280);
  std::string s = bytes_of(static_cast<std::uint16_t>(trained.merges().size()));
  for (const auto& m : trained.merges())
    s += bytes_of(static_cast<std::int16_t>(m.left)) + bytes_of(static_cast<std::int16_t>(m.right));
  keep(s + bytes_of(std::uint16_t{2}) + bytes_of(token{300}) + bytes_of(token{-1}) + text);
  keep(bytes_of(std::uint16_t{0}) + bytes_of(std::uint16_t{0}) + text);
  std::string twice = bytes_of(std::uint16_t{2});  // one pair, merged twice
  for (int i = 0; i < 2; ++i) twice += bytes_of(std::int16_t{'a'}) + bytes_of(std::int16_t{'b'});
  keep(twice + bytes_of(std::uint16_t{0}) + "abab");
}
