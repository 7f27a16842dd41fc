// A language model is a struct. This one has random weights and says so.
#include <ctlm/ctlm.hpp>

#include <cstdio>

struct tiny {
  static constexpr ctlm::llama_config config{
      .vocab = 256, .d_model = 64, .layers = 4, .heads = 8, .kv_heads = 4, .d_ff = 176, .context = 128};
};
using lm = ctlm::causal_lm<tiny, ctlm::weights<ctlm::int8<32>>>;
static_assert(lm::session_bytes <= 400 * 1024, "the compiler checks the memory budget");

int main() {
  ctlm::heap_arena memory(lm::weight_bytes + lm::session_bytes);
  lm::weights weights(memory);
  ctlm::rng random{42};
  for (const ctlm::tensor_info& tensor : lm::tensors) {
    const auto id = static_cast<std::size_t>(tensor.id);
    for (std::size_t row = 0; row < tensor.layers * tensor.rows; ++row) {
      float numbers[256];
      for (std::size_t i = 0; i < tensor.cols; ++i) numbers[i] = static_cast<float>(random.normal() * 0.1);
      if (tensor.kind == ctlm::tensor_kind::matrix)
        lm::weights::format::encode(weights.raw_matrix(id), row, numbers);
      else
        for (std::size_t i = 0; i < tensor.cols; ++i) weights.raw_vector(id)[row * tensor.cols + i] = 1.0f;
    }
  }

  lm::session session(weights, memory);
  ctlm::sampler sampler{.temperature = 1.0f, .top_k = 40, .seed = 7};
  const ctlm::token prompt[] = {'h', 'e', 'l', 'l', 'o'};
  std::printf("%zu parameters, %zu bytes of weights, %zu bytes of session; tokens:", lm::parameters, lm::weight_bytes,
              lm::session_bytes);
  ctlm::generate(session, ctlm::span<const ctlm::token>(prompt), sampler, 16,
                 [](ctlm::token t) { std::printf(" %d", t); });
  std::printf("\n");
}
