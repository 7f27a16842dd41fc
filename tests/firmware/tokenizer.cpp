// A tokenizer in flash, as firmware uses one: text in, tokens out, and back.
#include <ctlm/text/flash_tokenizer.hpp>

static ctlm::flash_workspace<64> work;

extern "C" std::size_t encode(ctlm::span<const std::byte> image, ctlm::span<const char> text,
                              ctlm::span<ctlm::token> out) {
  const auto t = ctlm::flash_tokenizer::bind(image);
  if (!t) return 0;
  const auto n = t->encode(text, out, work);
  return n ? *n : 0;
}
extern "C" std::size_t decode(const ctlm::flash_tokenizer& t, ctlm::token previous, ctlm::token next,
                              const std::byte*& text) {
  text = t.text_of(previous, next).data();
  return t.text_of(previous, next).size();
}
