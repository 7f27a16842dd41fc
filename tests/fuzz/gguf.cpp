// gguf_view: any bytes are refused, or everything that they are said to hold can be read.
#include "fuzz.hpp"

using namespace ctlm;

namespace {

void read_value(const gguf_view& view, const gguf_value& v) {
  fuzz::require(view.metadata().find(v.key()) == &v, "a value is found by its key");
  const auto text = v.as_string();
  const auto elements = v.as_array();
  fuzz::require(static_cast<bool>(text) == (v.type() == gguf_type::string), "strings are strings");
  fuzz::require(static_cast<bool>(elements) == (v.type() == gguf_type::array), "arrays are arrays");
  if (!v.as_integer()) fuzz::require_words(v.as_integer().error());
  std::size_t letters = 0, count = 0;
  if (text)
    for (const char c : *text) letters += c == 'x';
  if (elements)
    for (const gguf_value& e : *elements) {
      if (const auto s = e.as_string(); s)
        for (const char c : *s) letters += c == 'x';
      fuzz::require(e.as_number() || e.as_bool() || e.as_string(), "an element has a value");
      ++count;
    }
  fuzz::require(!elements || count == elements->size(), "an array has as many elements as it says");
  (void)letters;  // every letter was read
}

void read_tensor(const gguf_view& view, const stored_tensor& t, std::size_t file) {
  fuzz::require(view.find(t.name) == &t, "a tensor is found by its name");
  fuzz::require(t.bytes.size() <= file, "a tensor lies in the file");
  fuzz::require(t.count() / t.encoding->numbers * t.encoding->unit_bytes == t.bytes.size(), "a tensor has its bytes");
  std::vector<float> x(t.count());
  t.decode(0, x.size(), x.data());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<std::uint8_t> exact(data, data + size);  // so that a byte too many is seen
  const auto view = gguf_view::of({reinterpret_cast<const std::byte*>(exact.data()), exact.size()});
  if (!view) {
    fuzz::require_words(view.error());
    return 0;
  }
  for (const gguf_value& v : view->metadata().values()) read_value(*view, v);
  for (const stored_tensor& t : view->tensors()) read_tensor(*view, t, size);
  return 0;
}

void fuzz::seeds(const std::function<void(const std::string&)>& keep) {
  const auto ones = [](std::size_t tensor, std::size_t, float* to) {
    for (std::size_t i = 0; i < (tensor < 6 ? 32 : 8); ++i) to[i] = 1;
  };
  gguf_writer out;
  out.set("general.architecture", "llama");
  out.set("flag", true);
  out.set("size", std::uint64_t{7});
  out.set("words", std::vector<std::string>{"one", "", "three"});
  out.set("numbers", std::vector<float>{1, 2});
  out.write(path(), ones).value();
  keep(read_file(path()).value());
  for (const gguf_encoding e : {gguf_encoding::f32, gguf_encoding::f16, gguf_encoding::bf16, gguf_encoding::q8_0,
                                gguf_encoding::q4_0, gguf_encoding::q4_1})
    out.add_tensor(numbers_of(e).name, {2, 32}, e);
  out.add_tensor("cube", {1, 2, 8}, gguf_encoding::f32);
  out.write(path(), ones).value();
  keep(read_file(path()).value());
  for (const auto& e : gguf_detail::encodings) {  // a block of each that is only read
    std::string file("GGUF\3\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0t\1\0\0\0", 37);
    file += bytes_of(std::uint64_t{e.numbers.numbers}) + bytes_of(static_cast<std::uint32_t>(e.type));
    file += bytes_of(std::uint64_t{0});
    file.resize(64 + e.numbers.unit_bytes);
    keep(file);
  }
}
