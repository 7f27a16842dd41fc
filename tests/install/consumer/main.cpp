#include <ctlm/ctlm.hpp>

struct tag {
  static constexpr ctlm::gpt2_config config{.vocab = 8, .d_model = 16, .layers = 1, .heads = 2, .context = 8};
};

int main() {
  using lm = ctlm::causal_lm<tag>;
  ctlm::heap_arena memory(lm::weight_bytes + lm::session_bytes);
  lm::weights weights(memory);
  lm::session session(weights, memory);
  return session.decode(1).size() == 8 ? 0 : 1;
}
