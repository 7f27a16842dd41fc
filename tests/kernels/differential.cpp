// A million random cases: the native backend against the portable one. Integers must agree to the bit; floating point
// results within a bound that grows with what was summed. Seconds with vector units, which are what it is for.
#include "catch.hpp"
#include "worse.hpp"

#include <ctlm/ctlm.hpp>

#include <cmath>
#include <vector>

namespace {

using namespace ctlm;

constexpr double epsilon = 0x1p-23;

/// Numbers from a fixed pool, from a random place on: alignment varies, making a case costs nothing.
template <class S>
struct pool_of_numbers {
  std::vector<S> numbers = std::vector<S>(1 << 16);
  pool_of_numbers() {
    rng r{1};
    for (S& x : numbers) {
      const auto value = static_cast<float>(r.normal());
      if constexpr (std::is_same_v<S, float>)
        x = value;
      else
        x = S::from(value);
    }
  }
  const S* take(rng& r, std::size_t n) const { return numbers.data() + r.below(numbers.size() - n); }
};
const pool_of_numbers<float> source;

/// Random codes in all places, or the largest or smallest ones with the largest activations; scales of one: products of
/// integers, which single precision holds exactly.
template <class F>
void integer_products(rng& r, std::size_t cases) {
  constexpr std::size_t most = 130, rows = 9;
  std::vector<std::byte> bytes(1 << 14);
  std::vector<std::int8_t> codes(rows * 160);
  std::vector<float> scales(rows * most, 1.0f), expected(rows * stripe_rows), actual(rows * stripe_rows);
  std::vector<std::int32_t> sums(rows * most);
  std::vector<std::byte> equal(bytes.size());
  for (auto& b : bytes) b = static_cast<std::byte>(r.below(256));
  for (std::size_t trial = 0; trial < cases; ++trial) {
    const std::size_t n = 1 + r.below(most), m = 1 + r.below(rows), groups = input_groups<F>(n);
    const bool random = trial % 16 != 0;
    const int sign = trial % 64 < 32 ? 1 : -1;
    if (!random) std::fill(equal.begin(), equal.end(), static_cast<std::byte>(r.below(2) ? 255 : 0));
    auto& numbers = random ? bytes : equal;
    matrix<F> w{
        reinterpret_cast<std::uint8_t*>(numbers.data()) + r.below(4000), nullptr, nullptr, stripe_rows, n, stripe_rows};
    std::vector<typename F::scale_element> ones(F::groups(n) * stripe_rows, F::scale_format::of(1.0f));
    w.scales = w.minima = ones.data();
    const quantised_rows q{codes.data(), scales.data(), sums.data(), round_up(n, code_chunk), groups};
    for (std::size_t i = 0; i < m; ++i) {
      for (std::size_t j = 0; j < q.code_stride; ++j)
        q.row(i).codes[j] = static_cast<std::int8_t>(j >= n   ? 0
                                                     : random ? static_cast<int>(r.below(255)) - 127
                                                              : 127 * sign);
      for (std::size_t g = 0; g < groups; ++g) {
        q.row(i).sums[g] = 0;
        for (std::size_t j = g * input_group<F>; j < smaller((g + 1) * input_group<F>, n); ++j)
          q.row(i).sums[g] += q.row(i).codes[j];
      }
    }
    quantised_stripe(portable{}, F{}, w, 0, m, q, expected.data());
    quantised_stripe(native{}, F{}, w, 0, m, q, actual.data());
    for (std::size_t i = 0; i < m * stripe_rows; ++i)
      if (expected[i] != actual[i])
        FAIL(F::name << " n " << n << " m " << m << ": " << expected[i] << " " << actual[i]);
  }
}

template <class Left, class Right>
void matrix_products(rng& r, std::size_t cases) {
  const pool_of_numbers<Left> lefts;
  const pool_of_numbers<Right> rights;
  std::vector<float> workspace(gemm_workspace<float>(native{}, 14, 28, 24) + 16), expected(400), actual(400);
  float* panel = workspace.data();
  while (reinterpret_cast<std::uintptr_t>(panel) % 64 != 0) ++panel;
  for (std::size_t trial = 0; trial < cases; ++trial) {
    const std::size_t m = 1 + r.below(14), n = 1 + r.below(28), k = 1 + r.below(24);
    const Left* a = lefts.take(r, m * k);
    const Right* b = rights.take(r, k * n);
    const auto left = r.below(2) ? row_major(a, m).transposed() : row_major(a, k);
    const auto right = r.below(2) ? row_major(b, k).transposed() : row_major(b, n);
    gemm(portable{}, m, n, k, left, right, expected.data(), n, false, static_cast<float*>(nullptr));
    gemm(native{}, m, n, k, left, right, actual.data(), n, false, panel);
    double worst = 0;
    for (std::size_t i = 0; i < m * n; ++i) worst = worse(worst, std::fabs(double(expected[i]) - double(actual[i])));
    if (!(worst <= 16 * epsilon * static_cast<double>(k))) FAIL(m << "x" << k << "x" << n << ": " << worst);
  }
}

void dots(rng& r, std::size_t cases) {
  for (std::size_t trial = 0; trial < cases; ++trial) {
    const std::size_t n = 1 + r.below(90), m = 1 + r.below(6), rows = 1 + r.below(10);
    const float *w = source.take(r, rows * n), *x = source.take(r, m * n);
    float expected[60], actual[60];
    dot_products(portable{}, m, rows, n, x, n, w, n, expected, rows, false);
    dot_products(native{}, m, rows, n, x, n, w, n, actual, rows, false);
    for (std::size_t i = 0; i < m * rows; ++i)
      if (!(std::fabs(double(expected[i]) - double(actual[i])) <= 16 * epsilon * static_cast<double>(n)))
        FAIL("dot of " << n << ": " << expected[i] << " " << actual[i]);
    if (maximum(portable{}, n, x) != maximum(native{}, n, x)) FAIL("maximum of " << n);
  }
}

template <class A>
void check_activations(rng& r, std::size_t cases, double bound) {
  float expected[90], actual[90];
  for (std::size_t trial = 0; trial < cases; ++trial) {
    const std::size_t n = 1 + r.below(90);
    const float scale = static_cast<float>(1 + r.below(10));
    const float* x = source.take(r, n);
    const bool derivative = r.below(2);
    auto f = [=](auto& y, const auto& v) {
      using V = std::remove_cvref_t<decltype(v)>;
      y = derivative ? A::derivative(v * V(scale)) : A::value(v * V(scale));
    };
    elementwise(portable{}, n, f, expected, x);
    elementwise(native{}, n, f, actual, x);
    for (std::size_t i = 0; i < n; ++i)
      if (!(std::fabs(double(expected[i]) - double(actual[i])) <=
            bound * std::fmax(1.0, std::fabs(double(x[i]) * double(scale)))))
        FAIL(A::name << "(" << x[i] * scale << "): " << expected[i] << " " << actual[i]);
  }
}

template <class F>
void decoded_rows(rng& r, std::size_t cases) {
  std::vector<typename F::element> bits(4096);
  for (auto& b : bits) b.bits = static_cast<std::uint16_t>(r.below(0x7800));  // finite
  float expected[90], actual[90];
  for (std::size_t trial = 0; trial < cases; ++trial) {
    const std::size_t n = 1 + r.below(90);
    const matrix<const F> m{bits.data() + r.below(2000), 2, n};
    const std::size_t row = r.below(2);
    decode_row(portable{}, F{}, m, row, expected);
    decode_row(native{}, F{}, m, row, actual);
    for (std::size_t i = 0; i < n; ++i)
      if (expected[i] != actual[i]) FAIL(F::name << " " << n << ": " << expected[i] << " " << actual[i]);
  }
}

}  // namespace

TEST_CASE("a million random cases agree", "[differential]") {
  rng r{2026};
  std::size_t cases = 0;
  auto run = [&](std::size_t n, auto&& f) {
    f(n);
    cases += n;
  };
  run(40'000, [&](std::size_t n) { integer_products<interleaved<int8<>>>(r, n); });
  run(40'000, [&](std::size_t n) { integer_products<interleaved<int8<32>>>(r, n); });
  run(40'000, [&](std::size_t n) { integer_products<interleaved<int8<64, asymmetric>>>(r, n); });
  run(40'000, [&](std::size_t n) { integer_products<interleaved<int4<32>>>(r, n); });
  run(40'000, [&](std::size_t n) { integer_products<interleaved<int4<per_channel, asymmetric>>>(r, n); });
  run(40'000, [&](std::size_t n) { integer_products<interleaved<int4<32, compact>>>(r, n); });
  run(40'000, [&](std::size_t n) { integer_products<interleaved<int2<32>>>(r, n); });
  run(40'000, [&](std::size_t n) { integer_products<interleaved<int2<32, asymmetric>>>(r, n); });
  run(40'000, [&](std::size_t n) { integer_products<interleaved<int3<32>>>(r, n); });
  run(40'000, [&](std::size_t n) { integer_products<interleaved<int3<32, asymmetric>>>(r, n); });
  run(40'000, [&](std::size_t n) { integer_products<interleaved<int5<32>>>(r, n); });
  run(40'000, [&](std::size_t n) { integer_products<interleaved<int5<per_channel, asymmetric>>>(r, n); });
  run(40'000, [&](std::size_t n) { integer_products<interleaved<int6<64>>>(r, n); });
  run(40'000, [&](std::size_t n) { integer_products<interleaved<int6<32, asymmetric>>>(r, n); });
  run(40'000, [&](std::size_t n) { integer_products<interleaved<ternary<>>>(r, n); });
  run(40'000, [&](std::size_t n) { integer_products<interleaved<int2<16, compact>>>(r, n); });
  run(20'000, [&](std::size_t n) { integer_products<interleaved<int4<16>>>(r, n); });
  run(20'000, [&](std::size_t n) { integer_products<interleaved<int8<16, asymmetric>>>(r, n); });
  run(20'000, [&](std::size_t n) { integer_products<interleaved<int3<16, compact>>>(r, n); });
  run(20'000, [&](std::size_t n) { integer_products<interleaved<int6<8>>>(r, n); });
  run(20'000, [&](std::size_t n) { integer_products<interleaved<int5<4, asymmetric>>>(r, n); });
  run(100'000, [&](std::size_t n) { matrix_products<float, float>(r, n); });
  run(30'000, [&](std::size_t n) { matrix_products<float, half>(r, n); });
  run(30'000, [&](std::size_t n) { matrix_products<bfloat, float>(r, n); });
  run(30'000, [&](std::size_t n) { matrix_products<bfloat, bfloat>(r, n); });
  run(30'000, [&](std::size_t n) { matrix_products<half, half>(r, n); });
  run(160'000, [&](std::size_t n) { dots(r, n); });
  run(100'000, [&](std::size_t n) { decoded_rows<f16>(r, n); });
  run(100'000, [&](std::size_t n) { decoded_rows<bf16>(r, n); });
  run(50'000, [&](std::size_t n) { check_activations<gelu>(r, n, 8 * epsilon); });
  run(50'000, [&](std::size_t n) { check_activations<gelu_tanh>(r, n, 8 * epsilon); });
  run(50'000, [&](std::size_t n) { check_activations<silu>(r, n, 8 * epsilon); });
  run(50'000, [&](std::size_t n) { check_activations<sigmoid_activation>(r, n, 8 * epsilon); });
  CHECK(cases >= 1'000'000);
}
