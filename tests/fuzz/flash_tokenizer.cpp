// flash_tokenizer: an image of any bytes is refused, or its tokens and texts stay in its tables. The first byte says
// whether the checksum and the size are made right.
#include <ctlm/text/pack_tokenizer.hpp>

#include "fuzz.hpp"

using namespace ctlm;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input in(data, size);
  const bool mend = in.number<char>() & 1;
  const std::string text = in.text(in.below(120));
  std::string image = in.rest();
  if (mend && image.size() >= flash_detail::header_bytes) {
    image.resize(round_up(image.size(), 8), '\0');
    const auto content = static_cast<std::uint32_t>(image.size() - flash_detail::header_bytes);
    std::memcpy(image.data() + flash_detail::f_content, &content, 4);
    const flash_detail::reader r({reinterpret_cast<const std::byte*>(image.data()), image.size()});
    const std::uint64_t sum = flash_detail::checksum_of<checksum>(r);
    std::memcpy(image.data() + flash_detail::checksum_at, &sum, 8);
  }
  // Exactly as large as it is, for the sanitizer.
  const std::vector<std::byte> bytes(reinterpret_cast<const std::byte*>(image.data()),
                                     reinterpret_cast<const std::byte*>(image.data()) + image.size());
  const auto t = flash_tokenizer::bind(bytes);
  if (!t) {
    fuzz::require_words(t.error());
    return 0;
  }
  std::vector<token> out(in.left() + 100);
  std::vector<flash_symbol> work(t->symbols_for(text.size()));
  const auto n = t->encode(span<const char>(text.data(), text.size()), out, work);
  if (!n) {
    fuzz::require_words(n.error());
    return 0;
  }
  token previous = -1;
  for (std::size_t i = 0; i < *n; ++i) {
    fuzz::require(out[i] >= 0 && static_cast<std::size_t>(out[i]) < t->vocab(), "tokens are in the vocabulary");
    for (const std::byte b : t->text_of(previous, out[i]))
      fuzz::require(static_cast<unsigned>(b) < 256, "bytes can be read");
    previous = out[i];
  }
  return 0;
}

void fuzz::seeds(const std::function<void(const std::string&)>& keep) {
  const auto begin = [](char mend, const std::string& text) {
    return std::string(1, mend) + bytes_of(static_cast<std::uint16_t>(text.size())) + text;
  };
  const auto learned = pack_tokenizer(bpe::train("the cat and the hat and the bat, 12 12 12", 270)).value();
  keep(begin(0, "the hat 12") + learned);
  keep(begin(1, "the hat 12") + learned);
  std::string letters;
  for (int b = 0; b < 256; ++b) {
    const char c = static_cast<char>(static_cast<unsigned char>(b));
    const std::string l = letters_of_bytes(std::string_view(&c, 1));
    letters +=
        (b == 0 ? "\"" : ", \"") + std::string(l == "\"" || l == "\\" ? "\\" : "") + l + "\": " + std::to_string(b);
  }
  const std::string json =
      R"({"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false}, "decoder": {"type": "ByteLevel"},
          "added_tokens": [{"id": 257, "content": "<s>", "special": true}],
          "model": {"type": "BPE", "ignore_merges": true, "vocab": {)" +
      letters + R"(, "ab": 256}, "merges": ["a b"]}})";
  const auto image = pack_tokenizer(std::string_view(json)).value();
  keep(begin(0, "<s>ab abab don't 12\xC3\xA9") + image);
  keep(begin(1, "<s>ab abab don't 12\xC3\xA9") + image);
  std::string file(4, '\0');
  for (int i = 0; i < 266; ++i) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>", static_cast<unsigned>(i >= 3 ? i - 3 : 0) & 0xFFu);
    const std::string s =
        i < 3 || i > 258
            ? std::string("abaab ab").substr(static_cast<std::size_t>(i % 5), 1 + static_cast<std::size_t>(i % 3))
            : name;
    file += bytes_of(static_cast<float>(i % 7)) + bytes_of(static_cast<std::int32_t>(s.size())) + s;
  }
  const auto pieces = pack_tokenizer(llama2c_tokenizer::load(fuzz::file_of(file), 266).value()).value();
  keep(begin(0, "abaab \xFF") + pieces);
  keep(begin(1, "abaab \xFF") + pieces);
}
