// Factorisations against the exact decomposition, which one-sided Jacobi rotations in double find.
#include "catch.hpp"

#include <ctlm/ctlm.hpp>
#include <ctlm/factor/factorise.hpp>
#include <ctlm/factor/jacobi.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

using namespace ctlm;

namespace {

/// A matrix with chosen singular values, in directions that are random.
std::vector<double> with_values(std::size_t rows, std::size_t cols, const std::vector<double>& values,
                                std::uint64_t seed) {
  rng random{seed};
  std::vector<double> a(rows * cols);
  const auto directions = [&](std::size_t n, std::size_t length) {
    std::vector<double> x(n * length), u(n * n), s(n);
    for (double& v : x) v = random.normal();
    jacobi_svd(n, length, x.data(), u.data(), s.data());
    return x;
  };
  const auto left = directions(values.size(), rows), right = directions(values.size(), cols);
  for (std::size_t k = 0; k < values.size(); ++k)
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < cols; ++j) a[i * cols + j] += values[k] * left[k * rows + i] * right[k * cols + j];
  return a;
}
std::vector<double> falling(std::size_t n, double factor) {
  std::vector<double> v(n);
  for (std::size_t i = 0; i < n; ++i) v[i] = std::pow(factor, static_cast<double>(i));
  return v;
}
std::vector<double> noise(std::size_t n, double size, std::uint64_t seed) {
  rng random{seed};
  std::vector<double> a(n);
  for (double& x : a) x = size * random.normal();
  return a;
}
template <class T>
std::vector<T> as(const std::vector<double>& a, double factor = 1) {
  std::vector<T> b(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) b[i] = static_cast<T>(a[i] * factor);
  return b;
}

template <class T>
struct outcome {
  factorisation found;
  std::size_t rows, cols, rank;
  std::vector<T> u, s, v;
};
template <class T, class Backend = native, class E>
outcome<T> of(E& exec, std::size_t rows, std::size_t cols, const std::vector<T>& a, const factor_limits& limits,
              const factor_options& o, Backend backend = {}) {
  heap_arena memory(factor_workspace_bytes<T>(backend, E::max_workers, limits));
  factor_workspace<T> w;
  w.place(memory, backend, E::max_workers, limits);
  CHECK(memory.remaining() == 0);
  const std::size_t rank = std::min({o.rank == 0 ? limits.rank : o.rank, rows, cols});
  outcome<T> r{{}, rows, cols, rank, std::vector<T>(rows * rank), std::vector<T>(rank), std::vector<T>(rank * cols)};
  r.found = factorise(backend, exec, rows, cols, a.data(), cols, factors<T>{r.u.data(), r.s.data(), r.v.data()}, w, o)
                .value();
  return r;
}
template <class T, class Backend = native>
outcome<T> of(std::size_t rows, std::size_t cols, const std::vector<T>& a, const factor_options& o,
              Backend backend = {}) {
  serial exec;
  return of<T>(exec, rows, cols, a, {rows, cols, o.rank}, o, backend);
}

/// The largest difference of products of singular vectors from 0 and 1.
template <class T>
double skewness(const outcome<T>& f) {
  double worst = 0;
  for (std::size_t i = 0; i < f.found.rank; ++i)
    for (std::size_t j = 0; j <= i; ++j) {
      double left = 0, right = 0;
      for (std::size_t k = 0; k < f.rows; ++k)
        left += static_cast<double>(f.u[k * f.rank + i]) * static_cast<double>(f.u[k * f.rank + j]);
      for (std::size_t k = 0; k < f.cols; ++k)
        right += static_cast<double>(f.v[i * f.cols + k]) * static_cast<double>(f.v[j * f.cols + k]);
      const double one = i == j ? 1 : 0;
      worst = std::max({worst, std::fabs(left - one), std::fabs(right - one)});
      if (!(left == left && right == right)) return INFINITY;
    }
  return worst;
}
/// The Frobenius norm of what the product leaves of a.
template <class T>
double error_of(const outcome<T>& f, const std::vector<double>& a) {
  double total = 0;
  for (std::size_t i = 0; i < f.rows; ++i)
    for (std::size_t j = 0; j < f.cols; ++j) {
      double x = a[i * f.cols + j];
      for (std::size_t k = 0; k < f.found.rank; ++k)
        x -= static_cast<double>(f.u[i * f.rank + k]) * static_cast<double>(f.s[k]) *
             static_cast<double>(f.v[k * f.cols + j]);
      total += x * x;
    }
  return std::sqrt(total);
}
/// All singular values, by Jacobi.
std::vector<double> exact_values(std::size_t rows, std::size_t cols, std::vector<double> a) {
  if (rows > cols) {
    std::vector<double> b(a.size());
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < cols; ++j) b[j * rows + i] = a[i * cols + j];
    return exact_values(cols, rows, b);
  }
  std::vector<double> u(rows * rows), s(rows);
  jacobi_svd(rows, cols, a.data(), u.data(), s.data());
  return s;
}
double best_error(std::size_t rows, std::size_t cols, const std::vector<double>& a, std::size_t rank) {
  const auto s = exact_values(rows, cols, a);
  double total = 0;
  for (std::size_t i = rank; i < s.size(); ++i) total += s[i] * s[i];
  return std::sqrt(total);
}

struct matrix_case {
  std::string name;
  std::size_t rows, cols, rank;
  std::vector<double> a;
};
std::vector<double> low_rank_and_noise(std::size_t rows, std::size_t cols, std::size_t rank, double size) {
  auto a = with_values(rows, cols, falling(rank, 0.9), 5);
  const auto more = noise(rows * cols, size / std::sqrt(static_cast<double>(rows * cols)), 6);
  for (std::size_t i = 0; i < a.size(); ++i) a[i] += more[i];
  return a;
}
std::vector<matrix_case> matrices() {
  return {{"low rank and noise, square", 96, 96, 12, low_rank_and_noise(96, 96, 12, 0.2)},
          {"low rank and noise, tall", 300, 40, 10, low_rank_and_noise(300, 40, 10, 0.1)},
          {"low rank and noise, wide", 40, 300, 10, low_rank_and_noise(40, 300, 10, 0.1)},
          {"falling slowly", 96, 80, 12, with_values(96, 80, falling(80, 0.97), 7)},
          {"falling fast", 96, 80, 12, with_values(96, 80, falling(80, 0.6), 8)},
          {"noise alone", 80, 96, 16, noise(80 * 96, 1, 9)}};
}

}  // namespace

TEST_CASE("Jacobi's rotations find chosen singular values", "[factor]") {
  const auto values = falling(20, 0.5);
  const auto s = exact_values(20, 31, with_values(20, 31, values, 3));
  for (std::size_t i = 0; i < 20; ++i) CHECK(s[i] == Approx(values[i]).epsilon(1e-9));
}

TEST_CASE("eigenvalues and eigenvectors of a symmetric matrix", "[factor]") {
  for (std::size_t n : {1u, 2u, 3u, 5u, 17u, 60u}) {
    for (int kind = 0; kind < 4; ++kind) {
      std::vector<double> a(n * n), values(n), vectors(n * n);
      rng random{n};
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j <= i; ++j) {
          const double x = kind == 0   ? random.normal()
                           : kind == 1 ? (i == j ? 2.0 : 0.0)
                           : kind == 2 ? 1.0
                                       : (i == j ? std::pow(10, -static_cast<double>(i)) : 0.0);
          a[i * n + j] = a[j * n + i] = x;
        }
      const auto before = a;
      heap_arena memory(measure([&](auto& m) { eigen_scratch{}.place(m, n); }));
      eigen_scratch scratch;
      scratch.place(memory, n);
      serial exec;
      symmetric_eigen(native{}, exec, n, a.data(), values.data(), vectors.data(), scratch);
      double worst = 0;
      for (std::size_t k = 0; k < n; ++k)
        for (std::size_t i = 0; i < n; ++i) {
          double product = 0, along = 0;
          for (std::size_t j = 0; j < n; ++j) {
            product += before[i * n + j] * vectors[k * n + j];
            along += vectors[i * n + j] * vectors[k * n + j];
          }
          worst = std::max(
              {worst, std::fabs(product - values[k] * vectors[k * n + i]), std::fabs(along - (i == k ? 1 : 0))});
        }
      INFO(n << " rows, kind " << kind);
      CHECK(worst < 1e-12 * static_cast<double>(n));
    }
  }
}

TEST_CASE("factorisations are near the best of their rank", "[factor]") {
  for (const matrix_case& c : matrices()) {
    const double best = best_error(c.rows, c.cols, c.a, c.rank);
    for (double density : {0.0, 0.3, 1.0})
      for (std::size_t steps : {0u, 1u, 2u}) {
        const factor_options o{.rank = c.rank, .power_steps = steps, .density = density};
        const auto single = of<float>(c.rows, c.cols, as<float>(c.a), o);
        const auto full = of<double>(c.rows, c.cols, c.a, o);
        const auto plain = of<float>(c.rows, c.cols, as<float>(c.a), o, portable{});
        INFO(c.name << ", density " << density << ", " << steps << " power steps: errors "
                    << error_of(single, c.a) / best << ", " << error_of(full, c.a) / best << ", "
                    << error_of(plain, c.a) / best);
        const double most = steps == 2 ? 1.1 : 2;
        CHECK(error_of(single, c.a) < most * best);
        CHECK(error_of(full, c.a) < most * best);
        CHECK(error_of(plain, c.a) < most * best);
        CHECK(skewness(single) < 1e-5);
        CHECK(skewness(full) < 1e-13);
        CHECK(skewness(plain) < 1e-5);
      }
  }
}

TEST_CASE("singular values and vectors are those of the exact decomposition", "[factor]") {
  const std::size_t rows = 60, cols = 45;
  const auto values = falling(45, 0.7);
  const auto a = with_values(rows, cols, values, 11);
  const auto f = of<double>(rows, cols, a, {.rank = 10, .power_steps = 4});
  for (std::size_t i = 0; i < 10; ++i) CHECK(f.s[i] == Approx(values[i]).epsilon(1e-10));
  const auto all = of<double>(rows, cols, a, {.rank = 45});
  CHECK(error_of(all, a) < 1e-13);
  for (std::size_t i = 0; i < 45; ++i) CHECK(all.s[i] == Approx(values[i]).epsilon(1e-8));
}

TEST_CASE("orthonormal whatever the matrix is", "[factor]") {
  const std::size_t rows = 150, cols = 120, rank = 24;
  const auto random = noise(rows * cols, 1, 1), four = with_values(rows, cols, falling(4, 0.5), 2);
  std::vector<double> badly = random, ones(rows * cols, 1.0), single(rows * cols), rows_of_one = random;
  for (std::size_t i = 0; i < badly.size(); ++i) badly[i] *= std::pow(10, -30.0 * static_cast<double>(i % cols) / cols);
  for (std::size_t i = 0; i < rows_of_one.size(); ++i) rows_of_one[i] *= i / cols % 50 == 0 ? 1 : 1e-18;
  single[7 * cols + 3] = -2;
  const std::vector<std::pair<std::string, std::vector<float>>> cases{{"random", as<float>(random)},
                                                                      {"rank 4", as<float>(four)},
                                                                      {"zero", as<float>(random, 0)},
                                                                      {"huge", as<float>(random, 1e20)},
                                                                      {"tiny", as<float>(random, 1e-20)},
                                                                      {"huge, rank 4", as<float>(four, 1e20)},
                                                                      {"subnormal", as<float>(random, 1e-40)},
                                                                      {"almost infinite", as<float>(random, 5e37)},
                                                                      {"badly scaled columns", as<float>(badly)},
                                                                      {"few rows count", as<float>(rows_of_one)},
                                                                      {"ones", as<float>(ones)},
                                                                      {"one number", as<float>(single)}};
  for (const auto& [name, a] : cases)
    for (double density : {0.0, 1.0})
      for (std::size_t steps : {0u, 2u}) {
        const auto f = of<float>(rows, cols, a, {.rank = rank, .power_steps = steps, .density = density});
        INFO(name << ", density " << density << ", " << steps << " power steps: " << skewness(f));
        CHECK(skewness(f) < 1e-5);
        for (std::size_t i = 0; i + 1 < rank; ++i) REQUIRE(f.s[i] >= f.s[i + 1]);
      }
  for (double size : {1e20, 1e38, 1e-20, 1e-36})
    for (std::size_t steps : {0u, 2u}) {
      const auto scaled = as<double>(four, size);
      const auto f = of<float>(rows, cols, as<float>(scaled), {.rank = 4, .power_steps = steps});
      INFO("size " << size);
      CHECK(error_of(f, scaled) < 1e-5 * size);
      for (std::size_t i = 0; i < 4; ++i)
        CHECK(static_cast<double>(f.s[i]) / size == Approx(std::pow(0.5, static_cast<double>(i))).epsilon(1e-5));
    }
}

TEST_CASE("matrices of all small shapes", "[factor]") {
  for (std::size_t rows : {1u, 2u, 3u, 13u, 26u})
    for (std::size_t cols : {1u, 2u, 5u, 14u, 37u}) {
      const auto a = noise(rows * cols, 1, rows * 100 + cols);
      const std::size_t rank = std::min(rows, cols);
      const auto f = of<double>(rows, cols, a, {.rank = rank});
      INFO(rows << " x " << cols);
      CHECK(error_of(f, a) < 1e-12);
      CHECK(skewness(f) < 1e-13);
    }
}

TEST_CASE("ranks follow the energy asked for", "[factor]") {
  const auto a = low_rank_and_noise(200, 160, 20, 0.3);
  const auto s = exact_values(200, 160, a);
  double all = 0;
  for (double x : s) all += x * x;
  for (double energy : {0.5, 0.8, 0.95}) {
    double sum = 0;
    std::size_t least = 0;
    while (sum < energy * all) sum += s[least] * s[least], ++least;
    for (std::size_t block : {5u, 24u, 200u}) {
      const auto f =
          of<float>(200, 160, as<float>(a), {.rank = 100, .power_steps = 2, .energy = energy, .block = block});
      INFO("energy " << energy << " in blocks of " << block << ": rank " << f.found.rank << ", least " << least);
      CHECK(f.found.rank >= least);
      CHECK(f.found.rank <= least + 1);
      CHECK(f.found.energy >= energy);
      CHECK(skewness(f) < 1e-5);
      const double left = error_of(f, a);
      CHECK(1 - left * left / all == Approx(f.found.energy).margin(1e-4));
    }
  }
  const auto zero = of<float>(200, 160, std::vector<float>(200 * 160), {.rank = 50, .energy = 0.95});
  CHECK(zero.found.rank == 0);
  CHECK(zero.found.energy == 1);
  const auto capped = of<float>(200, 160, as<float>(a), {.rank = 3, .energy = 0.95});
  CHECK(capped.found.rank == 3);
  CHECK(capped.found.energy < 0.6);
}

TEST_CASE("factorisations have the same bits for any number of threads", "[factor][threads]") {
  for (const auto& [rows, cols] : {std::pair<std::size_t, std::size_t>{700, 300}, {90, 1100}}) {
    const auto a = as<float>(noise(rows * cols, 1, 4));
    for (double energy : {1.0, 0.4})
      for (double density : {0.0, 1.0}) {
        const factor_options o{.rank = 50, .power_steps = 1, .energy = energy, .density = density};
        serial alone;
        const auto one = of<float>(alone, rows, cols, a, {rows, cols, 50}, o);
        for (std::size_t threads : {2u, 3u}) {
          pool<3> workers(threads);
          const auto more = of<float>(workers, rows, cols, a, {rows, cols, 50}, o);
          CHECK(one.found.rank == more.found.rank);
          CHECK(one.u == more.u);
          CHECK(one.s == more.s);
          CHECK(one.v == more.v);
        }
        auto other = o;
        other.seed = 2;
        CHECK(of<float>(alone, rows, cols, a, {rows, cols, 50}, other).u != one.u);
      }
  }
}

TEST_CASE("a workspace serves smaller matrices and ranks, and rows that lie apart", "[factor]") {
  const factor_limits limits{120, 90, 30};
  heap_arena memory(factor_workspace_bytes<double>(native{}, 1, limits));
  factor_workspace<double> w;
  w.place(memory, native{}, 1, limits);
  serial exec;
  const std::size_t rows = 50, cols = 70, apart = 83, rank = 8;
  const auto a = noise(rows * cols, 1, 12);
  std::vector<double> spread(rows * apart, 1e9);
  for (std::size_t i = 0; i < rows; ++i) std::copy_n(a.data() + i * cols, cols, spread.data() + i * apart);
  const factor_options o{.rank = rank, .power_steps = 1};
  const auto expected = of<double>(rows, cols, a, o);
  std::vector<double> u(rows * rank), s(rank), v(rank * cols);
  for (int i = 0; i < 2; ++i) {  // what the workspace held before does not matter
    auto found = factorise(native{}, exec, rows, cols, spread.data(), apart,
                           factors<double>{u.data(), s.data(), v.data()}, w, o);
    CHECK(found.value().rank == rank);
    CHECK(u == expected.u);
    CHECK(s == expected.s);
    CHECK(v == expected.v);
  }
}

TEST_CASE("numbers that are not finite are an error, or replaced", "[factor]") {
  const std::size_t rows = 40, cols = 30, rank = 6;
  auto a = as<float>(noise(rows * cols, 1, 13));
  auto replaced = a;
  const auto put = [&](std::size_t row, std::size_t col, float is, float becomes) {
    a[row * cols + col] = is;
    replaced[row * cols + col] = becomes;
  };
  put(3, 5, std::nanf(""), 0);
  put(20, 29, INFINITY, 1);
  put(39, 0, -INFINITY, -1);
  serial exec;
  const factor_limits limits{rows, cols, rank, true};
  const auto f = of<float>(exec, rows, cols, a, limits, {.repair = true});
  const auto expected = of<float>(exec, rows, cols, replaced, limits, {});
  CHECK(f.u == expected.u);
  CHECK(f.s == expected.s);
  CHECK(f.v == expected.v);
  heap_arena memory(factor_workspace_bytes<float>(native{}, 1, limits));
  factor_workspace<float> w;
  w.place(memory, native{}, 1, limits);
  std::vector<float> u(rows * rank), s(rank), v(rank * cols);
  const factors<float> to{u.data(), s.data(), v.data()};
  const auto refused = factorise(native{}, exec, rows, cols, a.data(), cols, to, w);
  CHECK_FALSE(refused);
  CHECK(std::string(explain(refused.error())) ==
        "ctlm: a matrix to factorise must hold finite numbers: row 3, column 5 does not");
  const auto words = [&](const factor_options& o) {
    return std::string(explain(factorise(native{}, exec, rows, cols, replaced.data(), cols, to, w, o).error()));
  };
  CHECK(words({.energy = 0}) == "ctlm: energy must be above 0 and at most 1");
  CHECK(words({.density = 1.5}) == "ctlm: density must be 0 to 1");
  CHECK(words({.block = 0}) == "ctlm: block must be at least 1");
#if CTLM_EXCEPTIONS
  CHECK_THROWS_WITH(factorise(native{}, exec, rows, cols, a.data(), cols, to, w, {.rank = rank + 1}),
                    Catch::Contains("is beyond the workspace's limits"));
  const factor_limits bare{rows, cols, rank};
  heap_arena less(factor_workspace_bytes<float>(native{}, 1, bare));
  w.place(less, native{}, 1, bare);
  CHECK_THROWS_WITH(factorise(native{}, exec, rows, cols, a.data(), cols, to, w, {.repair = true}),
                    Catch::Contains("needs a workspace whose limits say `repairs`"));
#endif
}
