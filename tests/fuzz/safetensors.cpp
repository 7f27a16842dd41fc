// safetensors_file::bind: a file of any bytes is refused, or its tensors are all of its numbers, one after the other,
// and can be read. The first byte says whether the header's length is made right.
#include "fuzz.hpp"

using namespace ctlm;

namespace {

std::string with_length(const std::string& header) {
  return fuzz::bytes_of(static_cast<std::uint64_t>(header.size())) + header;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input in(data, size);
  const bool mend = in.number<char>() & 1;
  std::string bytes = in.rest();
  if (mend) {
    const std::size_t end = bytes.rfind('}');
    const std::size_t header = end == std::string::npos ? 0 : end + 1;
    bytes = with_length(bytes.substr(0, header)) + bytes.substr(header);
  }
  const std::vector<std::byte> exactly(reinterpret_cast<const std::byte*>(bytes.data()),
                                       reinterpret_cast<const std::byte*>(bytes.data()) + bytes.size());
  const auto f = safetensors_file::bind(exactly);
  if (!f) {
    fuzz::require_words(f.error());
    return 0;
  }
  std::size_t total = 0, header = 0;
  std::memcpy(&header, bytes.data(), 8);
  for (const stored_tensor& t : f->tensors()) {
    fuzz::require(t.bytes.size() == t.count() * t.encoding->unit_bytes, "a tensor has the bytes of its shape");
    std::vector<float> numbers(t.count());
    t.decode(0, numbers.size(), numbers.data());
    fuzz::require(f->find(t.name) == &t, "a tensor is found by its name");
    total += t.bytes.size();
  }
  fuzz::require(8 + header + total == bytes.size(), "tensors are all of the file behind its header");
  return 0;
}

void fuzz::seeds(const std::function<void(const std::string&)>& keep) {
  std::string all = "{\"__metadata__\":{\"format\":\"pt\"}", numbers;
  for (const number_encoding& e : safetensors_detail::encodings) {
    const std::string begin = std::to_string(numbers.size());
    numbers += std::string(2 * e.unit_bytes, '1');
    all += std::string(",\"") + e.name + "\":{\"dtype\":\"" + e.name + "\",\"shape\":[1,2],\"data_offsets\":[" + begin +
           "," + std::to_string(numbers.size()) + "]}";
  }
  const std::string small =
      "{\"a\\n\":{\"dtype\":\"I8\",\"shape\":[],\"data_offsets\":[0,1]},\"b\":{\"data_offsets\":[1,1],\"dtype\":"
      "\"F32\","
      "\"shape\":[0,3]}}";
  keep(std::string(1, '\0') + with_length(all + "}") + numbers);
  keep('\1' + all + "}" + numbers);
  keep(std::string(1, '\0') + with_length(small) + "x");
  keep('\1' + small + "x");
  const tensor_to_save saved[] = {{"w", safetensors_type::bf16, 2, {2, 3}}, {"x", safetensors_type::f32, 1, {1}}};
  save_safetensors(path(), saved, [](std::size_t i, safetensors_writer& out) {
    const float given[6] = {1, -2, 3};
    return out.put(given, i == 0 ? 6 : 1);
  }).value();
  keep(std::string(1, '\0') + read_file(path()).value());
}
