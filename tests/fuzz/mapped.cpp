// mapped_file: any file's bytes are there, at an address where an image may lie.
#include "fuzz.hpp"

using namespace ctlm;
using lm = causal_lm<fuzz::tiny, weights<f16>>;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input in(data, size);
  const std::string bytes = in.rest();
  const auto file = mapped_file::open(fuzz::file_of(bytes));
  fuzz::require(static_cast<bool>(file), "a file can be mapped");
  const auto mapped = file->bytes();
  fuzz::require(mapped.size() == bytes.size(), "all of it is mapped");
  fuzz::require(bytes.empty() || std::memcmp(mapped.data(), bytes.data(), bytes.size()) == 0, "it is the file's bytes");
  const auto weights = bind_image<lm>(mapped, verify::header);
  if (weights) {
    heap_arena room(lm::session_bytes);
    lm::session session(*weights, room);
    session.decode(1);
  } else {
    fuzz::require_words(weights.error());
  }
  return 0;
}

void fuzz::seeds(const std::function<void(const std::string&)>& keep) {
  keep(image<lm>());
  keep("");
  keep(std::string(4096, 'x'));
}
