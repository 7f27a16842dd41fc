// offloaded_weights::open: a file of any bytes is refused, or a session runs with it.
#include "fuzz.hpp"

using namespace ctlm;

namespace {

struct tall {
  static constexpr llama_config config{
      .vocab = 11, .d_model = 8, .layers = 4, .heads = 2, .kv_heads = 1, .d_ff = 12, .context = 6};
};
using in_memory = causal_lm<tall, weights<int8<32>>>;
using lm = causal_lm<tall, weights<int8<32>>, memory<offloaded<(300 << 10)>>>;
using source = offloaded_weights<lm>;
static_assert(source::buffers > 0, "layers take turns");

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static heap_arena memory(source::bytes_needed());
  static source weights(memory);
  fuzz::input in(data, size);
  const auto opened = weights.open(fuzz::file_of(in.rest()));
  if (!opened) {
    fuzz::require_words(opened.error());
    return 0;
  }
  heap_arena room(lm::session_bytes);
  lm::session session(weights, room);
  for (token t : {1, 2, 3})
    fuzz::require(session.decode(t).size() == lm::shape.vocab, "there is a logit for every token");
  return 0;
}

void fuzz::seeds(const std::function<void(const std::string&)>& keep) {
  const std::string good = image<in_memory>();
  keep(good);
  keep(good + "more");
  keep(good.substr(0, good.size() - 1));
  keep(good.substr(0, 64));
}
