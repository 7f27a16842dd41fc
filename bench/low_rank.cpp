// Factorisations of random matrices of low rank with noise: the peer of what bench/versus_lapack.py runs.
//
//   low_rank ROWS COLS RANK FILE [--threads 1] [--power 0] [--density 0] [--seconds 1]
//
// FILE holds the matrix, float32 in rows. Printed as JSON: the fastest and the median milliseconds, the error of the
// product over the matrix, both as Frobenius norms, and bytes of the workspace.
#include "measure.hpp"

#include <ctlm/ctlm.hpp>
#include <ctlm/factor/factorise.hpp>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace {

using workers = ctlm::pool<16>;

struct options {
  std::size_t rows = 0, cols = 0, rank = 0, threads = 1;
  const char* file = nullptr;
  ctlm::factor_options factor{.power_steps = 0};
  double seconds = 1;
};

options parse(int count, char** arguments) {
  options o;
  std::size_t* places[] = {&o.rows, &o.cols, &o.rank};
  std::size_t given = 0;
  for (int i = 1; i < count; ++i) {
    const std::string name = arguments[i];
    const char* value = i + 1 < count ? arguments[i + 1] : "0";
    if (name == "--threads")
      o.threads = std::strtoull(value, nullptr, 10), ++i;
    else if (name == "--power")
      o.factor.power_steps = std::strtoull(value, nullptr, 10), ++i;
    else if (name == "--density")
      o.factor.density = std::strtod(value, nullptr), ++i;
    else if (name == "--seconds")
      o.seconds = std::strtod(value, nullptr), ++i;
    else if (given < 3)
      *places[given++] = std::strtoull(arguments[i], nullptr, 10);
    else
      o.file = arguments[i];
  }
  if (o.file == nullptr || o.rank == 0) {
    std::fprintf(stderr, "usage: low_rank ROWS COLS RANK FILE [--threads n] [--power n] [--density x] [--seconds x]\n");
    std::exit(2);
  }
  return o;
}

}  // namespace

int main(int count, char** arguments) {
  options o = parse(count, arguments);
  const std::size_t rows = o.rows, cols = o.cols, rank = o.rank;
  std::vector<float> a(rows * cols), u(rows * rank), s(rank), v(rank * cols);
  std::ifstream in(o.file, std::ios::binary);
  if (!in.read(reinterpret_cast<char*>(a.data()), static_cast<std::streamsize>(a.size() * sizeof(float)))) {
    std::fprintf(stderr, "low_rank: %s is too short\n", o.file);
    return 2;
  }
  const ctlm::factor_limits limits{rows, cols, rank};
  workers exec(o.threads);
  const std::size_t bytes = ctlm::factor_workspace_bytes<float>(ctlm::native{}, workers::max_workers, limits);
  ctlm::heap_arena memory(bytes);
  ctlm::factor_workspace<float> w;
  w.place(memory, ctlm::native{}, workers::max_workers, limits);
  std::vector<double> times;
  for (const double start = bench::now(); times.size() < 5 || bench::now() - start < o.seconds;) {
    const double before = bench::now();
    ctlm::factorise(ctlm::native{}, exec, rows, cols, a.data(), cols,
                    ctlm::factors<float>{u.data(), s.data(), v.data()}, w, o.factor)
        .value();
    times.push_back(1e3 * (bench::now() - before));
  }
  double left = 0, all = 0;
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < cols; ++j) {
      double x = static_cast<double>(a[i * cols + j]);
      all += x * x;
      for (std::size_t k = 0; k < rank; ++k)
        x -= static_cast<double>(u[i * rank + k]) * static_cast<double>(s[k]) * static_cast<double>(v[k * cols + j]);
      left += x * x;
    }
  std::printf("{\"fastest_ms\": %.4f, \"median_ms\": %.4f, \"error\": %.8f, \"bytes\": %zu}\n",
              *std::min_element(times.begin(), times.end()), bench::median(times), std::sqrt(left / all), bytes);
}
