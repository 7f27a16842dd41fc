// A head of your own: what a trainer makes of the final rows before the loss sees them.
#include "extend/differences.hpp"

#include <ctlm/ctlm.hpp>

namespace {

/// Classifies: as many outputs as there are classes, from the first rows of the output matrix. Targets are numbers of
/// classes; those of the rows that do not count are ignore_token.
template <std::size_t Classes>
struct class_head {
  static constexpr const char* name = "classes";
  template <class M>
  static constexpr std::size_t outputs = Classes;

  template <class Context, class W, class T>
  static constexpr void forward(Context& c, const W& w, std::size_t n, ctlm::values<const T> rows,
                                ctlm::values<T> out) {
    linear(c.backend, *c.exec, n, rows.data, w.head().slice(0, Classes), ctlm::linear_terms<T>{}, out.data, c.linear);
  }
  /// The other rows of the matrix take no part: their gradients stay the zeros that a trainer's memory begins with.
  template <class Context, class W, class G, class T>
  static constexpr void backward(Context& c, const W& w, const G& g, std::size_t n, ctlm::values<const T> rows,
                                 ctlm::gradients<const T> dout, ctlm::gradients<T> drows, bool accumulate) {
    linear_backward_weight(c.backend, *c.exec, n, dout.data, rows.data, g.head().slice(0, Classes), accumulate,
                           static_cast<T*>(nullptr), c.linear);
    linear_backward_input(c.backend, *c.exec, n, dout.data, w.head().slice(0, Classes), drows.data, false, c.linear);
  }
};
static_assert(ctlm::head_policy<class_head<3>>);

template <bool Tied>
struct tiny {
  static constexpr ctlm::gpt2_config config{
      .vocab = 23, .d_model = 12, .layers = 1, .heads = 3, .context = 9, .tie_embeddings = Tied};
};
struct recipe {
  static constexpr ctlm::train_config config{.batch = 8};
};
template <bool Tied, class F>
using trainer = ctlm::trainer<ctlm::causal_lm<tiny<Tied>, ctlm::weights<F>>, recipe, ctlm::head<class_head<2>>>;

/// Sequences, and after each of them its class: whether token 7 is among them.
void draw(std::vector<ctlm::token>& inputs, std::vector<ctlm::token>& targets, std::uint64_t seed) {
  constexpr std::size_t length = 9;
  inputs = models::random_tokens(8 * length, 7, seed);
  targets.assign(inputs.size(), ctlm::ignore_token);
  ctlm::rng random{seed};
  for (std::size_t s = 0; s < 8; ++s) {
    const bool has = random.below(2) == 1;
    if (has) inputs[s * length + random.below(length - 1)] = 7;
    targets[(s + 1) * length - 1] = has ? 1 : 0;
  }
}

}  // namespace

TEST_CASE("a head of the user's own: gradients equal central differences", "[extend]") {
  std::vector<ctlm::token> inputs, targets;
  draw(inputs, targets, 4);
  extend::check_gradients<trainer<true, ctlm::f64>>(inputs, targets);
  extend::check_gradients<trainer<false, ctlm::f64>>(inputs, targets);
}

TEST_CASE("a head of the user's own: a model learns to classify", "[extend]") {
  using T = trainer<true, ctlm::f32>;
  ctlm::heap_arena memory(T::train_bytes);
  T t(memory, {.optimizer = {.lr = 1e-2f}});
  std::vector<ctlm::token> inputs, targets;
  for (std::uint64_t step = 0; step < 150; ++step) {
    draw(inputs, targets, step);
    t.step(inputs, targets);
  }
  draw(inputs, targets, 1000);
  CHECK(t.evaluate(inputs, targets) < 0.1);  // a guess costs 0.69
}
