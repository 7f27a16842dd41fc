// One of two translation units that include the single header.
#include <ctlm.hpp>

struct tag {
  static constexpr ctlm::gpt2_config config{.vocab = 8, .d_model = 16, .layers = 1, .heads = 2, .context = 8};
};

std::size_t NAME() {
  using lm = ctlm::causal_lm<tag>;
  ctlm::heap_arena memory(lm::weight_bytes + lm::session_bytes);
  lm::weights w(memory);
  lm::session s(w, memory);
  return s.decode(1).size();
}
