// A file of any bytes is a tokenizer of some kind, or is refused in words.
#include "fuzz.hpp"

#include <ctlm/text/load_tokenizer.hpp>

using namespace ctlm;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto t = load_tokenizer(fuzz::file_of({reinterpret_cast<const char*>(data), size}));
  if (!t) return fuzz::require_words(t.error()), 0;
  fuzz::succeeds([&] {
    for (const token id : t->encode("ab <s> 12 don't\n")) fuzz::require(t->has(id), "tokens exist");
  });
  return 0;
}

void fuzz::seeds(const std::function<void(const std::string&)>& keep) {
  keep(R"({"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}})");
  keep("YWI= 256\nYmE= 257\n");
  keep(std::string("\n\x0B\n\x05<unk>\x18\2\0\n\3\n\1a", 18));
  keep("GGUF");
  std::string llama2c("\4\0\0\0", 4);
  for (int i = 0; i < 300; ++i)
    llama2c.append("\0\0\x80\x3F\2\0\0\0", 8)
        .append(1, static_cast<char>('a' + i % 26))
        .append(1, static_cast<char>('0' + i / 26));
  keep(llama2c);
}
