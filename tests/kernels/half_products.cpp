// Products of operands rounded to bf16 or f16, against sums in double of the rounded numbers: the portable kernel, the
// one that rounds what it loads, vdpbf16ps and AMX, on ragged sizes, in every layout.
#include "catch.hpp"

#include "reference.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

using namespace ctlm;
using reference::difference;
using reference::random;

namespace {

using in_bf16 = products_in<native, bf16>;
using portable_in_bf16 = products_in<portable, bf16>;
using in_f16 = products_in<native, f16>;
using portable_in_f16 = products_in<portable, f16>;

template <class S>
std::vector<S> stored(const std::vector<float>& x) {
  std::vector<S> y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i)
    if constexpr (std::is_same_v<S, float>)
      y[i] = x[i];
    else
      y[i] = S::from(x[i]);
  return y;
}

/// A product that is to be computed.
template <class Left, class Right, class F = bf16>
struct problem {
  std::size_t m, n, k;
  bool left_in_columns, right_in_columns, accumulate;
  std::vector<Left> a = stored<Left>(random<float>(m * k, 1));
  std::vector<Right> b = stored<Right>(random<float>(k * n, 2));
  std::vector<float> c = random<float>(m * n, 3);

  strided<Left> left() const { return left_in_columns ? row_major(a.data(), m).transposed() : row_major(a.data(), k); }
  strided<Right> right() const {
    return right_in_columns ? row_major(b.data(), k).transposed() : row_major(b.data(), n);
  }
  std::vector<float> expected() const {
    std::vector<float> e = c;
    const auto rounded = [](const auto& stored) {
      std::vector<double> y;
      for (const float x : stored) y.push_back(static_cast<double>(F::to(F::from(x))));
      return y;
    };
    const std::vector<double> x = rounded(a), y = rounded(b);
    const auto l = left();
    const auto r = right();
    for (std::size_t i = 0; i < m; ++i)
      for (std::size_t j = 0; j < n; ++j) {
        double sum = accumulate ? static_cast<double>(c[i * n + j]) : 0;
        for (std::size_t p = 0; p < k; ++p) sum += x[i * l.row + p * l.col] * y[p * r.row + j * r.col];
        e[i * n + j] = static_cast<float>(sum);
      }
    return e;
  }
  /// The largest difference of what multiply(a, b, c, workspace) computes; -1 if it wrote behind the workspace.
  template <class Multiply>
  double error(std::size_t workspace, Multiply multiply) const {
    heap_arena memory(workspace * sizeof(float) + 256);
    float* const lent = memory.allocate<float>(workspace + 1);
    lent[workspace] = 5;
    auto result = c;
    multiply(left(), right(), result.data(), lent);
    return lent[workspace] == 5 ? difference(expected(), result) : -1;
  }
};

/// Sizes of a trial: small and ragged, or more than one strip, depth and group of rows.
struct size_of_product {
  std::size_t m, n, k;
};
size_of_product size_of_trial(std::size_t trial, rng& r) {
  constexpr size_of_product large[] = {{300, 40, 1100}, {30, 1600, 600}, {5, 830, 1600}, {290, 800, 270}, {1, 1, 1}};
  if (trial < std::size(large)) return large[trial];
  return {1 + r.below(40), 1 + r.below(trial % 4 == 0 ? 100 : 40), 1 + r.below(trial % 8 == 0 ? 600 : 70)};
}

template <class Left, class Right>
struct stored_as {
  using left = Left;
  using right = Right;
};

/// (1 + 2^-8) 3 of numbers that bf16 rounds, to even and upwards.
constexpr float constant_product(float x) {
  const float a[2] = {x, 1}, b[2] = {3, 0};
  float c[1] = {10};
  gemm(portable_in_bf16{}, 1, 1, 2, row_major<float>(a, 2), row_major<float>(b, 1), c, 1, true,
       static_cast<float*>(nullptr));
  return c[0];
}
static_assert(constant_product(1 + 0x1p-8f) == 13);
static_assert(constant_product(1 + 0x1.8p-7f) == 10 + 3 * (1 + 0x1p-6f));

}  // namespace

TEMPLATE_TEST_CASE("products in bf16 equal sums of rounded numbers in double, in every layout and size", "[kernels]",
                   (stored_as<float, float>), (stored_as<float, bfloat>), (stored_as<bfloat, float>),
                   (stored_as<half, float>), (stored_as<float, half>), (stored_as<float, float8_e4m3>),
                   (stored_as<float8_e5m2, float>)) {
#if CTLM_FEW_TRIALS  // under an emulator or a sanitizer: minutes
  constexpr std::size_t trials = 20, of_a_size = 1;
#else
  constexpr std::size_t trials = 160, of_a_size = 2;
#endif
  rng r{11};
  for (std::size_t trial = 0; trial < trials; ++trial) {
    const auto [m, n, k] = size_of_trial(trial / of_a_size, r);
    const problem<typename TestType::left, typename TestType::right> p{
        m, n, k, r.below(2) == 1, r.below(2) == 1, r.below(2) == 1};
    INFO(m << "x" << n << "x" << k << " " << p.left_in_columns << p.right_in_columns << p.accumulate);
    const double limit =
        static_cast<double>(std::numeric_limits<float>::epsilon()) * (8 + static_cast<double>(p.k) / 8);
    auto error = [&](auto backend) {
      return p.error(gemm_workspace<float>(backend, p.m, p.n, p.k), [&](auto a, auto b, float* c, float* lent) {
        gemm(backend, p.m, p.n, p.k, a, b, c, p.n, p.accumulate, lent);
      });
    };
    const double found = error(in_bf16{}), plain = error(portable_in_bf16{});
    CHECK((found >= 0 && found < limit));
    CHECK((plain >= 0 && plain < limit));
#if CTLM_XSIMD  // what machines without instructions for it do
    const double rounding =
        p.error(gemm_workspace<float>(native{}, p.m, p.n, p.k), [&](auto a, auto b, float* c, float* lent) {
          gemm(native{}, p.m, p.n, p.k, rounded_view<bf16>(a), rounded_view<bf16>(b), c, p.n, p.accumulate, lent);
        });
    CHECK((rounding >= 0 && rounding < limit));
#endif
#if CTLM_AVX512BF16  // what processes do that may not use tiles
    const double vectors =
        p.error(gemm_workspace<float>(in_bf16{}, p.m, p.n, p.k), [&](auto a, auto b, float* c, float* lent) {
          half_gemm<vector_tiles>(p.m, p.n, p.k, a, b, c, p.n, p.accumulate, reinterpret_cast<std::uint16_t*>(lent));
        });
    CHECK((vectors >= 0 && vectors < limit));
#endif
  }
}

TEMPLATE_TEST_CASE("products in f16 equal sums of rounded numbers in double, in every layout and size", "[kernels]",
                   (stored_as<float, float>), (stored_as<float, half>), (stored_as<half, float>),
                   (stored_as<bfloat, float>)) {
#if CTLM_FEW_TRIALS  // under an emulator or a sanitizer: minutes
  constexpr std::size_t trials = 40, of_a_size = 1;
#else
  constexpr std::size_t trials = 160, of_a_size = 2;
#endif
  rng r{11};
  for (std::size_t trial = 0; trial < trials; ++trial) {
    const auto [m, n, k] = size_of_trial(trial / of_a_size, r);
    const problem<typename TestType::left, typename TestType::right, f16> p{
        m, n, k, r.below(2) == 1, r.below(2) == 1, r.below(2) == 1};
    INFO(m << "x" << n << "x" << k << " " << p.left_in_columns << p.right_in_columns << p.accumulate);
    const double limit =
        static_cast<double>(std::numeric_limits<float>::epsilon()) * (8 + static_cast<double>(p.k) / 8);
    auto error = [&](auto backend) {
      return p.error(gemm_workspace<float>(backend, p.m, p.n, p.k), [&](auto a, auto b, float* c, float* lent) {
        gemm(backend, p.m, p.n, p.k, a, b, c, p.n, p.accumulate, lent);
      });
    };
    const double found = error(in_f16{}), plain = error(portable_in_f16{});
    CHECK((found >= 0 && found < limit));
    CHECK((plain >= 0 && plain < limit));
  }
}

TEST_CASE("products in f16 round their operands, and what is beyond half precision is infinite", "[kernels]") {
  problem<float, float, f16> p{40, 50, 64, false, true, false};
  auto multiply = [&](auto backend) {
    auto c = p.c;
    heap_arena memory(4 * gemm_workspace<float>(backend, 40, 50, 64) + 256);
    gemm(backend, 40, 50, 64, p.left(), p.right(), c.data(), 50, false,
         memory.allocate<float>(gemm_workspace<float>(backend, 40, 50, 64)));
    return c;
  };
  auto dotted = p.c;
  dot_products(in_f16{}, 40, 50, 64, p.a.data(), 64, p.b.data(), 64, dotted.data(), 50, false);
  const double away = difference(multiply(native{}), multiply(in_f16{}));
  CHECK(away > 1e-5);
  CHECK(away < 0x1p-11);
  CHECK(difference(p.expected(), dotted) < 2e-6);
  p.a[5 * 64 + 3] = 65520;  // rounds to 65536
  for (const auto& c : {multiply(in_f16{}), multiply(portable_in_f16{})})
    for (std::size_t i = 0; i < 40; ++i) REQUIRE(std::isinf(c[i * 50]) == (i == 5));
  p.a[5 * 64 + 3] = 65519;
  for (const auto& c : {multiply(in_f16{}), multiply(portable_in_f16{})}) REQUIRE(std::isfinite(c[5 * 50]));
}

#if CTLM_XSIMD
// Around every number of half precision, and every tie between two.
TEST_CASE("registers round to half precision as float_to_half does", "[kernels]") {
  constexpr std::size_t w = lanes<float, native::isa>;
  auto check = [](const float(&x)[w]) {
    plain_vector<float, w> v;
    std::memcpy(&v, x, sizeof v);
    std::uint16_t own[w], any[w];
    const auto by_instruction = rounded_half<w>(native{}, v), by_bits = rounded_half<w>(portable{}, v);
    std::memcpy(own, &by_instruction, sizeof own);
    std::memcpy(any, &by_bits, sizeof any);
    half stored[w];
    store_rounded<native::isa>(std::bit_cast<simd_batch<float, native::isa>>(v), stored);
    for (std::size_t i = 0; i < w; ++i) {
      const std::uint16_t expected = float_to_half(x[i]);
      if (x[i] != x[i]) {
        REQUIRE(any[i] == expected);
        REQUIRE(half_to_float(own[i]) != half_to_float(own[i]));
      } else {
        REQUIRE(own[i] == expected);
        REQUIRE(any[i] == expected);
        REQUIRE(stored[i].bits == expected);
      }
    }
  };
  float x[w];
  std::size_t n = 0;
  for (std::uint32_t h = 0; h < 0x10000; ++h) {
    const float from = half_to_float(static_cast<std::uint16_t>(h));
    const float to = half_to_float(static_cast<std::uint16_t>((h & 0x7FFF) < 0x7C00 ? h + 1 : h));
    const float middle = (h & 0x7FFF) == 0x7BFF ? std::copysign(65520.0f, from) : (from + to) / 2;
    for (const float y : {from, middle, std::nextafter(middle, from), std::nextafter(middle, to)}) {
      x[n++] = y;
      if (n == w) check(x), n = 0;
    }
  }
  for (const float y : {1e-8f, 0x1p-25f, 0x1.000002p-25f, -1e-30f, 0x1p-149f, 1e30f, -3.4e38f, 65536.0f}) {
    for (float& each : x) each = y;
    check(x);
  }
}
#endif

TEST_CASE("products in bf16 round their operands", "[kernels]") {
  const problem<float, float> p{40, 50, 64, false, true, false};
  auto exact = p.c, rounded = p.c, dotted = p.c;
  heap_arena memory(4 * (gemm_workspace<float>(native{}, 40, 50, 64) + gemm_workspace<float>(in_bf16{}, 40, 50, 64)) +
                    256);
  float* const lent = memory.allocate<float>(gemm_workspace<float>(native{}, 40, 50, 64));
  float* const tiles = memory.allocate<float>(gemm_workspace<float>(in_bf16{}, 40, 50, 64));
  gemm(native{}, 40, 50, 64, p.left(), p.right(), exact.data(), 50, false, lent);
  gemm(in_bf16{}, 40, 50, 64, p.left(), p.right(), rounded.data(), 50, false, tiles);
  dot_products(in_bf16{}, 40, 50, 64, p.a.data(), 64, p.b.data(), 64, dotted.data(), 50, false);
  const double away = difference(exact, rounded);
  CHECK(away > 1e-4);
  CHECK(away < 0x1p-8);
  CHECK(difference(p.expected(), dotted) < 2e-6);
}

TEST_CASE("products in bf16 hand a NaN on to its row, and to nothing else", "[kernels]") {
  for (std::size_t row : {0, 7, 34}) {
    problem<float, float> p{35, 45, 70, false, true, false};
    p.a[row * 70 + 3] = std::numeric_limits<float>::quiet_NaN();
    auto check = [&](auto backend) {
      auto c = p.c;
      heap_arena memory(4 * gemm_workspace<float>(backend, 35, 45, 70) + 256);
      gemm(backend, 35, 45, 70, p.left(), p.right(), c.data(), 45, false,
           memory.allocate<float>(gemm_workspace<float>(backend, 35, 45, 70)));
      for (std::size_t i = 0; i < 35; ++i)
        for (std::size_t j = 0; j < 45; ++j) REQUIRE((c[i * 45 + j] != c[i * 45 + j]) == (i == row));
    };
    check(in_bf16{});
    check(portable_in_bf16{});
  }
}

TEST_CASE("no bit of a product in bf16 depends on the number of threads", "[kernels][threads]") {
  for (const auto& [m, n, k] : {size_of_product{300, 500, 700}, {97, 1000, 40}, {700, 33, 1200}, {260, 257, 64}}) {
    const problem<float, float> p{m, n, k, k == 700, k != 40, true};
    std::vector<float> first;
    for (std::size_t count : {1, 2, 3, 5, 8}) {
      pool<8> workers(count);
      const std::size_t stride = gemm_workspace<float>(in_bf16{}, m, n, k);
      heap_arena memory(4 * 8 * stride + 256);
      auto c = p.c;
      matmul(in_bf16{}, workers, m, n, k, p.left(), p.right(), c.data(), n, true, memory.allocate<float>(8 * stride),
             stride);
      if (count == 1) first = c;
      CHECK(std::memcmp(first.data(), c.data(), c.size() * sizeof(float)) == 0);
    }
    CHECK(difference(p.expected(), first) < 3e-5);
  }
}
