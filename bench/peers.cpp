#include "peers.hpp"

#if CTLM_BENCH_OPENBLAS
#include <cblas.h>
#endif
#if CTLM_BENCH_EIGEN
#include <Eigen/Core>
#endif

namespace bench {

#if CTLM_BENCH_OPENBLAS
static void openblas(int threads, std::size_t m, std::size_t k, std::size_t n, bool transposed, const float* a,
                     const float* b, float* c) {
  const auto size = [](std::size_t x) { return static_cast<blasint>(x); };
  openblas_set_num_threads(threads);
  cblas_sgemm(CblasRowMajor, CblasNoTrans, transposed ? CblasTrans : CblasNoTrans, size(m), size(n), size(k), 1.0f, a,
              size(k), b, size(transposed ? k : n), 0.0f, c, size(n));
}
#endif

#if CTLM_BENCH_EIGEN
static void eigen(int threads, std::size_t m, std::size_t k, std::size_t n, bool transposed, const float* a,
                  const float* b, float* c) {
  using matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const auto size = [](std::size_t x) { return static_cast<Eigen::Index>(x); };
  Eigen::setNbThreads(threads);
  const Eigen::Map<const matrix> left(a, size(m), size(k));
  Eigen::Map<matrix> out(c, size(m), size(n));
  if (transposed)
    out.noalias() = left * Eigen::Map<const matrix>(b, size(n), size(k)).transpose();
  else
    out.noalias() = left * Eigen::Map<const matrix>(b, size(k), size(n));
}
#endif

std::vector<peer> peers() {
  return {
#if CTLM_BENCH_OPENBLAS
    {"OpenBLAS", openblas},
#endif
#if CTLM_BENCH_EIGEN
        {"Eigen", eigen},
#endif
  };
}

}  // namespace bench
