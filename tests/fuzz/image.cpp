// bind_image: an image of any bytes is refused, or a session runs with it. The first byte says whether the checksum is
// made right.
#include "fuzz.hpp"

using namespace ctlm;
using lm = causal_lm<fuzz::tiny, weights<int4<32>>>;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input in(data, size);
  const bool mend = in.number<char>() & 1;
  std::string bytes = in.rest();
  if (mend && bytes.size() >= sizeof(image_header) + lm::weight_bytes) {
    checksum sum;
    sum.add(bytes.data() + sizeof(image_header), lm::weight_bytes);
    const std::uint64_t value = sum.value();
    std::memcpy(bytes.data() + 32, &value, 8);
  }
  heap_arena memory(bytes.size() + memory_alignment);
  auto* image = memory.allocate<std::byte>(bytes.size());
  if (!bytes.empty()) std::memcpy(image, bytes.data(), bytes.size());
  for (verify how : {verify::checksum, verify::header}) {
    const auto weights = bind_image<lm>(span<const std::byte>(image, bytes.size()), how);
    if (!weights) {
      fuzz::require_words(weights.error());
      continue;
    }
    heap_arena room(lm::session_bytes);
    lm::session session(*weights, room);
    fuzz::require(session.decode(3).size() == lm::shape.vocab, "there is a logit for every token");
  }
  return 0;
}

void fuzz::seeds(const std::function<void(const std::string&)>& keep) {
  const std::string good = image<lm>();
  keep(std::string(1, '\0') + good);
  keep('\1' + good);
  keep('\1' + good.substr(0, 64));
}
