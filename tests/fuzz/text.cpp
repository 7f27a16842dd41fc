// read_text: a file of any bytes is refused, or its text is the file's.
#include "fuzz.hpp"

using namespace ctlm;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input in(data, size);
  const std::string bytes = in.rest();
  const auto text = read_text(fuzz::file_of(bytes));
  if (text) {
    fuzz::require(*text == bytes, "the text is the file's");
    fuzz::require(looks_like_text(*text), "it is text");
  } else {
    fuzz::require_words(text.error());
    fuzz::require(bytes.empty() || !looks_like_text(bytes), "text is not refused");
  }
  return 0;
}

void fuzz::seeds(const std::function<void(const std::string&)>& keep) {
  keep("some text\n");
  keep("");
  keep(std::string("a\0b", 3));
}
