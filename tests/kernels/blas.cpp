// Products through the interface of a BLAS. The library here is plain loops in column order, which shows that every
// layout reaches it as it should; a real one is the user's to link.
#include "catch.hpp"

#if __has_include(<ctlm/kernels/blas.hpp>)
#include "reference.hpp"

#include <ctlm/kernels/blas.hpp>

namespace {

int calls = 0;

struct small_gpt {
  static constexpr ctlm::gpt2_config config{.vocab = 50, .d_model = 64, .layers = 2, .heads = 2, .context = 64};
};
struct recipe {
  static constexpr ctlm::train_config config{.batch = 2};
};

template <class T>
void product(bool ta, bool tb, int m, int n, int k, T alpha, const T* a, int lda, const T* b, int ldb, T beta, T* c,
             int ldc) {
  ++calls;
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < n; ++j) {
      T sum = 0;
      for (int p = 0; p < k; ++p)
        sum += (ta ? a[p + i * lda] : a[i + p * lda]) * (tb ? b[j + p * ldb] : b[p + j * ldb]);
      c[i + j * ldc] = alpha * sum + (beta == T(0) ? T(0) : beta * c[i + j * ldc]);
    }
}

}  // namespace

void sgemm_(const char* ta, const char* tb, const int* m, const int* n, const int* k, const float* alpha,
            const float* a, const int* lda, const float* b, const int* ldb, const float* beta, float* c,
            const int* ldc) {
  product(*ta == 'T', *tb == 'T', *m, *n, *k, *alpha, a, *lda, b, *ldb, *beta, c, *ldc);
}
void dgemm_(const char* ta, const char* tb, const int* m, const int* n, const int* k, const double* alpha,
            const double* a, const int* lda, const double* b, const int* ldb, const double* beta, double* c,
            const int* ldc) {
  product(*ta == 'T', *tb == 'T', *m, *n, *k, *alpha, a, *lda, b, *ldb, *beta, c, *ldc);
}

TEMPLATE_TEST_CASE("backend<blas> hands large products to a library, in every layout", "[kernels]", float, double) {
  using T = TestType;
  const std::size_t m = 37, n = 41, k = 50;
  const auto a = reference::random<T>(m * k, 1), b = reference::random<T>(k * n, 2);
  ctlm::heap_arena memory(ctlm::gemm_workspace<T>(ctlm::native{}, m, n, k) * sizeof(T) + 64);
  T* const workspace = memory.allocate<T>(ctlm::gemm_workspace<T>(ctlm::native{}, m, n, k));
  for (int layout = 0; layout < 8; ++layout) {
    const auto left = layout & 1 ? ctlm::row_major(a.data(), m).transposed() : ctlm::row_major(a.data(), k);
    const auto right = layout & 2 ? ctlm::row_major(b.data(), k).transposed() : ctlm::row_major(b.data(), n);
    auto c = reference::random<T>(m * n, 3), expected = c;
    const int before = calls;
    ctlm::gemm(ctlm::blas{}, m, n, k, left, right, c.data(), n, (layout & 4) != 0, workspace);
    CHECK(calls == before + 1);
    ctlm::gemm(ctlm::portable{}, m, n, k, left, right, expected.data(), n, (layout & 4) != 0, static_cast<T*>(nullptr));
    CHECK(reference::difference(expected, c) < 1e-5);
  }
}

TEST_CASE("a model runs with backend<blas>", "[kernels]") {
  using trainer = ctlm::trainer<ctlm::causal_lm<small_gpt, ctlm::backend<ctlm::blas>>, recipe>;
  using native = ctlm::trainer<ctlm::causal_lm<small_gpt>, recipe>;
  ctlm::heap_arena first(trainer::train_bytes), second(native::train_bytes);
  trainer a(first, {});
  native b(second, {});
  const std::vector<ctlm::token> tokens(trainer::step_tokens, 7);
  const int before = calls;
  for (int i = 0; i < 3; ++i) CHECK(a.step(tokens, tokens).loss == Approx(b.step(tokens, tokens).loss).epsilon(1e-4));
  CHECK(calls > before);
}

#endif
