// A backend of your own: derived from one of the library's, with overloads of the primitives that it does otherwise.
#include "extend/differences.hpp"

#include <ctlm/ctlm.hpp>

namespace {

/// Products of one row, which decoding is made of, with sums in double precision. All else is the native backend's.
struct wide_sums : ctlm::native {
  static inline std::size_t products = 0, others = 0;  // for the tests below
};

/// The library calls gemm with the model's backend, and finds this one beside its class.
template <class T, class Left, class Right>
void gemm(wide_sums, std::size_t m, std::size_t n, std::size_t k, ctlm::strided<Left> a, ctlm::strided<Right> b, T* c,
          std::size_t ldc, bool accumulate, T* workspace) {
  if (m > 1) {
    ++wide_sums::others;
    return gemm(ctlm::native{}, m, n, k, a, b, c, ldc, accumulate, workspace);
  }
  ++wide_sums::products;
  for (std::size_t j = 0; j < n; ++j) {
    double total = accumulate ? static_cast<double>(c[j]) : 0;
    for (std::size_t p = 0; p < k; ++p)
      total += static_cast<double>(a.data[p * a.col]) * static_cast<double>(b.data[p * b.row + j * b.col]);
    c[j] = static_cast<T>(total);
  }
}

using usual = ctlm::causal_lm<models::tiny_llama, ctlm::backend<ctlm::native>>;
using wide = ctlm::causal_lm<models::tiny_llama, ctlm::backend<wide_sums>>;
struct recipe {
  static constexpr ctlm::train_config config{.batch = 2, .sequence = 16};
};

}  // namespace

TEST_CASE("a backend of the user's own: its product is called, and gives the same numbers", "[extend]") {
  models::running<usual> expected;
  models::running<wide> actual;
  models::randomise<usual>(expected.weights);
  models::randomise<wide>(actual.weights);
  wide_sums::products = wide_sums::others = 0;
  const auto prompt = models::random_tokens(8, usual::shape.vocab);
  expected.session.prefill(prompt);
  actual.session.prefill(prompt);
  CHECK(wide_sums::others > 0);
  for (ctlm::token t : {3, 14, 15}) {
    const auto a = expected.session.decode(t), b = actual.session.decode(t);
    for (std::size_t i = 0; i < a.size(); ++i) CHECK(b[i] == Approx(a[i]).margin(1e-4));
  }
  // Of each token at least: four projections in each layer, and the logits.
  CHECK(wide_sums::products >= 3 * (usual::shape.layers * 4 + 1));
}

TEST_CASE("a backend of the user's own: a trainer computes with it", "[extend]") {
  using trainer = ctlm::trainer<wide, recipe>;
  using reference = ctlm::trainer<usual, recipe>;
  ctlm::heap_arena memory(trainer::train_bytes), other(reference::train_bytes);
  trainer t(memory, {});
  reference r(other, {});
  wide_sums::others = 0;
  for (std::uint64_t i = 0; i < 5; ++i) {
    const auto tokens = models::random_tokens(trainer::step_tokens, usual::shape.vocab, i);
    CHECK(t.step(tokens, tokens).loss == Approx(r.step(tokens, tokens).loss).epsilon(1e-5));
  }
  CHECK(wide_sums::others > 0);
}
