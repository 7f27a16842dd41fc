// load_llama2c: a file of any bytes is refused, or a session runs with its weights.
#include "fuzz.hpp"

using namespace ctlm;

namespace {

struct smallest {
  static constexpr llama_config config{.vocab = 5,
                                       .d_model = 4,
                                       .layers = 1,
                                       .heads = 2,
                                       .kv_heads = 1,
                                       .d_ff = 4,
                                       .context = 4,
                                       .tie_embeddings = true};
};
using lm = causal_lm<smallest, weights<int8<>>>;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input in(data, size);
  heap_arena memory(lm::weight_bytes), room(lm::session_bytes);
  lm::weights weights(memory);
  const auto loaded = load_llama2c<lm>(fuzz::file_of(in.rest()), weights);
  if (!loaded) {
    fuzz::require_words(loaded.error());
    return 0;
  }
  lm::session session(weights, room);
  fuzz::require(session.decode(2).size() == lm::shape.vocab, "there is a logit for every token");
  return 0;
}

void fuzz::seeds(const std::function<void(const std::string&)>& keep) {
  constexpr auto s = lm::shape;
  std::string file;
  for (std::size_t n : {s.d_model, s.d_ff, s.layers, s.heads, s.kv_heads, s.vocab, s.context})
    file += bytes_of(static_cast<std::int32_t>(n));
  std::size_t numbers = s.context * s.head_dim;
  for (const tensor_info& t : lm::tensors) numbers += t.size();
  rng random{3};
  for (std::size_t i = 0; i < numbers; ++i) file += bytes_of(static_cast<float>(random.normal()));
  keep(file);
  keep(file.substr(0, 40));
}
