// A file of tiktoken of any bytes is refused in words, or is a tokenizer that gives every text back.
#include "fuzz.hpp"

#include <ctlm/text/tiktoken.hpp>

using namespace ctlm;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string bytes = [] {
    const char* const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string s;
    for (unsigned b = 0; b < 256; ++b)
      s.append(1, letters[b >> 2])
          .append(1, letters[(b & 3) << 4])
          .append("== ")
          .append(std::to_string(b))
          .append("\n");
    return s;
  }();
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const std::string& file : {text, bytes + text}) {
    const auto t = parse_tiktoken(file, "o200k_base", {{"<|end|>", 300}});
    if (!t) {
      fuzz::require_words(t.error());
      continue;
    }
    fuzz::succeeds([&] {
      const std::string s = "abab don't <|end|> 12\n\n  ";
      fuzz::require(t->decode(t->encode(s), special_tokens::with) == s, "a text comes back");
    });
  }
  return 0;
}

void fuzz::seeds(const std::function<void(const std::string&)>& keep) {
  keep("YWI= 256\nYmE= 257\nYWJhYg== 258\n");
  keep("IGRvbid0 256\r\n\nMTI= 301");
}
