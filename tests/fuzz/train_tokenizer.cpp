// train_tokenizer: of any texts, a tokenizer that can be read again and through which every text goes unchanged.
#include <ctlm/text/train_tokenizer.hpp>

#include "fuzz.hpp"

using namespace ctlm;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input in(data, size);
  const char* const cuts[] = {pre_tokenizers::gpt2, pre_tokenizers::llama3, pre_tokenizers::qwen2,
                              pre_tokenizers::gpt2_digits,
                              R"({"type": "ByteLevel", "add_prefix_space": false, "use_regex": false})"};
  tokenizer_options o{.vocab = in.below(600), .min_frequency = in.below(4), .pre_tokenizer = cuts[in.below(5)]};
  if (in.number<char>() & 1) o.longest_token = in.below(6);
  for (std::size_t n = in.below(4); n > 0; --n) o.special_tokens.push_back(in.text(in.below(6)));
  const std::string text = in.rest();
  serial alone;
  const auto lines = lines_of(text);
  const auto trained = train_tokenizer(lines, o, alone);
  if (!trained) {
    fuzz::require_words(trained.error());
    return 0;
  }
  fuzz::require(trained->tokens().size() <= o.vocab, "there are at most as many tokens as asked for");
  const auto t = trained->tokenizer();
  fuzz::require(static_cast<bool>(t), "what was trained is a tokenizer");
  const auto tokens = t->encode(text);
  fuzz::require(tokens.size() <= text.size(), "no token is empty");
  std::string whole;
  utf8_repair repair;
  repair.push(text, whole);
  repair.finish(whole);
  if (whole == text) fuzz::require(t->decode(tokens, special_tokens::with) == text, "a text survives");
  return 0;
}

void fuzz::seeds(const std::function<void(const std::string&)>& keep) {
  const auto begin = [](std::uint16_t vocab, std::uint16_t cut) {
    return bytes_of(vocab) + bytes_of(std::uint16_t{1}) + bytes_of(cut) + std::string(1, '\0') +
           bytes_of(std::uint16_t{1}) + bytes_of(std::uint16_t{3}) + "<s>";
  };
  keep(begin(300, 0) + "the cat and the hat\nand the bat, 12 12 12");
  keep(begin(500, 4) + "abcababcabcabcababacbcabcabcacbabcabc");
  keep(begin(400, 1) + "\xE4\xBD\xA0\xE5\xA5\xBD \n\t  \x01 don't <s>\n");
}
