// A model whose type ctlm_add_model has made of tiny_model/config.json.
#include <ctlm/ctlm.hpp>

#include <tiny_model.hpp>

using lm = ctlm::causal_lm<tiny_model>;
static_assert(lm::shape.d_model == 16 && lm::shape.context == 16);

int main() {
  ctlm::heap_arena memory(lm::weight_bytes + lm::session_bytes);
  lm::weights weights(memory);
  lm::session session(weights, memory);
  return session.decode(1).size() == 8 ? 0 : 1;
}
