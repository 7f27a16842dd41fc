// bpe::train: of any text, a tokenizer through which every text goes unchanged, and which its merges make again.
#include "fuzz.hpp"

using namespace ctlm;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input in(data, size);
  const std::size_t vocab = in.below(600);
  const std::string other = in.text(in.below(200)), text = in.rest();
  const bpe trained = bpe::train(text, vocab);
  fuzz::require(trained.vocab() <= larger(vocab, 256), "there are at most as many tokens as asked for");
  const auto again = bpe::from_merges(trained.merges());
  fuzz::require(static_cast<bool>(again), "trained merges are merges");
  for (const std::string& t : {text, other}) {
    const auto tokens = trained.encode(t);
    fuzz::require(again->encode(t) == tokens, "the same merges make the same tokens");
    fuzz::require(trained.decode(tokens) == t, "a text survives");
    fuzz::require(tokens.size() <= t.size(), "no token is empty");
  }
  return 0;
}

void fuzz::seeds(const std::function<void(const std::string&)>& keep) {
  auto begin = [](std::uint16_t vocab) { return bytes_of(vocab) + bytes_of(std::uint16_t{6}) + "hello "; };
  keep(begin(300) + "the cat and the hat and the bat, 12 12 12");
  keep(begin(500) + "aaaaaaaaaaaaaaaaaaaaaaaaaaaaa aaaaaaaaaaaaa");
  keep(begin(0) + "\xE4\xBD\xA0\xE5\xA5\xBD \n\t  \x01\xFF");
}
