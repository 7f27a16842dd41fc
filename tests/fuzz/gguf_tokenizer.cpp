// The tokenizer of any GGUF file is refused in words, or is one whose tokens exist, and whose text comes out the same
// at once and token by token.
#include "fuzz.hpp"

#include <ctlm/text/from_gguf.hpp>

using namespace ctlm;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<std::uint8_t> exact(data, data + size);  // so that a byte too many is seen
  const auto view = gguf_view::of({reinterpret_cast<const std::byte*>(exact.data()), exact.size()});
  if (!view) return 0;
  const auto read = read_gguf_tokenizer(view->metadata());
  if (!read) return fuzz::require_words(read.error()), 0;
  const auto t = from_gguf(*read);
  if (!t) return fuzz::require_words(t.error()), 0;
  fuzz::succeeds([&] {
    const std::vector<token> ids = t->encode("ab <s> 12 don't caf\xC3\xA9\n\xFF  ");
    for (const token id : ids) fuzz::require(t->has(id), "tokens exist");
    text_stream stream(*t);
    std::string pieces;
    for (const token id : ids) pieces.append(stream.push(id));
    fuzz::require(pieces.append(stream.finish()) == t->decode(ids), "pieces add up to the text");
  });
  return 0;
}

// A table of characters in which "b" becomes "a".
static std::string characters() {
  std::string table(4 * 256, '\0');
  const auto put = [&](std::size_t place, std::uint32_t unit) { std::memcpy(table.data() + 4 * place, &unit, 4); };
  put(0, 1u << 10);                                                       // children of the beginning lie at 1 ^ byte
  put(1u ^ 'b', std::uint32_t{'b'} | 1u << 8 | (1u ^ 'b' ^ 200u) << 10);  // and the number of a text at 200
  put(200, 0x80000000u);
  return fuzz::bytes_of(std::uint32_t{4 * 256}) + table + std::string("a\0", 2);
}

void fuzz::seeds(const std::function<void(const std::string&)>& keep) {
  for (const char* model : {"llama", "gpt2", "t5", "bert"})
    for (const char* pre : {"gpt-2", "llama-bpe", "smollm"}) {
      gguf_tokenizer t;
      t.model = model;
      t.pre = pre;
      for (const char* s : {"a", "b", "ab", "<s>", "\xE2\x96\x81", "<unk>"})
        t.add(s, *s == '<' ? gguf_token::control : gguf_token::normal);
      t.kinds.back() = gguf_token::unknown;
      t.merges = {"a b"};
      t.scores = {-1, -2, -3, 0, -4, 0};
      t.bos = 3;
      t.add_bos = true;
      t.unknown = 5;
      t.removes_spaces = std::strcmp(model, "t5") == 0;
      if (t.removes_spaces) t.characters = characters();
      gguf_writer out;
      gguf_detail::put_tokenizer(out, t, t.tokens.size());
      out.write(path(), [](std::size_t, std::size_t, float*) {}).value();
      keep(read_file(path()).value());
    }
}
