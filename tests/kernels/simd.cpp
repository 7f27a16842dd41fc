// The native backend against the portable one, on ragged sizes. Integer parts must agree to the bit; floating point
// sums within rounding.
#include "catch.hpp"

#include "reference.hpp"

#include <algorithm>
#include <limits>

using reference::difference;
using reference::random;

/// Numbers of a product: those of the results, and how either operand is stored.
template <class T, class Left, class Right>
struct numbers {
  using result = T;
  using left = Left;
  using right = Right;
};

template <class S>
std::vector<S> random_stored(std::size_t n, std::uint64_t seed) {
  if constexpr (sizeof(S) > 2) {
    return random<S>(n, seed);
  } else {
    const auto x = random<float>(n, seed);
    std::vector<S> y(n);
    std::transform(x.begin(), x.end(), y.begin(), S::from);
    return y;
  }
}

TEMPLATE_TEST_CASE("matrix products agree, in every layout, size and way of storing numbers", "[kernels]",
                   (numbers<float, float, float>), (numbers<double, double, double>),
                   (numbers<float, ctlm::half, float>), (numbers<float, float, ctlm::half>),
                   (numbers<float, ctlm::bfloat, float>), (numbers<float, float, ctlm::bfloat>),
                   (numbers<float, ctlm::half, ctlm::half>), (numbers<float, ctlm::bfloat, ctlm::bfloat>)) {
  using T = typename TestType::result;
  using left_number = typename TestType::left;
  using right_number = typename TestType::right;
  ctlm::rng r{11};
  ctlm::heap_arena memory(ctlm::gemm_workspace<T>(ctlm::native{}, 1000, 1100, 1600) * sizeof(T) + 256);
  T* workspace = memory.allocate<T>(ctlm::gemm_workspace<T>(ctlm::native{}, 1000, 1100, 1600) + 1);
  // More than one group of rows, strip of columns and depth.
  const std::size_t large[][3] = {{1000, 40, 700}, {30, 1100, 800}, {5, 1030, 1600}, {290, 800, 270}};
#if CTLM_EMULATED  // minutes
  constexpr std::size_t of_each = 1;
#else
  constexpr std::size_t of_each = 4;
#endif
  for (std::size_t trial = 0; trial < 150 + of_each * std::size(large); ++trial) {
    const std::size_t* given = trial < 150 ? nullptr : large[trial % std::size(large)];
    const std::size_t m = given ? given[0] : 1 + r.below(40), n = given ? given[1] : 1 + r.below(100),
                      k = given ? given[2] : 1 + r.below(trial % 10 == 0 ? 600 : 60);
    const bool a_transposed = r.below(2), b_transposed = r.below(2), accumulate = r.below(2);
    INFO(m << "x" << n << "x" << k << " " << a_transposed << b_transposed << accumulate);
    const auto a = random_stored<left_number>(m * k, 1);
    const auto b = random_stored<right_number>(k * n, 2);
    auto c = random<T>(m * n, 3), expected = c;
    const auto left = a_transposed ? ctlm::row_major(a.data(), m).transposed() : ctlm::row_major(a.data(), k);
    const auto right = b_transposed ? ctlm::row_major(b.data(), k).transposed() : ctlm::row_major(b.data(), n);
    const auto in_double = [](const auto& stored) {
      std::vector<double> y;
      for (const auto x : stored) y.push_back(static_cast<double>(x));
      return y;
    };
    const std::vector<double> x = in_double(a), y = in_double(b);
    for (std::size_t i = 0; i < m; ++i)
      for (std::size_t j = 0; j < n; ++j) {
        double sum = accumulate ? static_cast<double>(expected[i * n + j]) : 0;
        for (std::size_t p = 0; p < k; ++p)
          sum += x[a_transposed ? p * m + i : i * k + p] * y[b_transposed ? j * k + p : p * n + j];
        expected[i * n + j] = static_cast<T>(sum);
      }
    auto portable = c;
    T& beyond = workspace[ctlm::gemm_workspace<T>(ctlm::native{}, m, n, k)];
    beyond = T(5);
    ctlm::gemm(ctlm::native{}, m, n, k, left, right, c.data(), n, accumulate, workspace);
    CHECK(beyond == T(5));
    ctlm::gemm(ctlm::portable{}, m, n, k, left, right, portable.data(), n, accumulate, static_cast<T*>(nullptr));
    const double limit = static_cast<double>(std::numeric_limits<T>::epsilon()) * (8 + static_cast<double>(k) / 8);
    CHECK(difference(expected, c) < limit);
    CHECK(difference(expected, portable) < limit);
  }
}

TEST_CASE("elementwise results do not depend on the place in the array", "[kernels]") {
  const auto x = random<float>(301, 5);
  auto all = x;
  auto f = [](auto& v) { v = ctlm::gelu_tanh::value(v); };
  ctlm::elementwise(ctlm::native{}, all.size(), f, all.data());
  for (std::size_t first = 0; first < 40; ++first) {
    auto part = x;
    ctlm::elementwise(ctlm::native{}, part.size() - first, f, part.data() + first);
    for (std::size_t i = first; i < part.size(); ++i) REQUIRE(part[i] == all[i]);
  }
}

TEMPLATE_TEST_CASE("activations are as accurate as they say", "[kernels]", ctlm::gelu, ctlm::gelu_tanh, ctlm::silu,
                   ctlm::tanh_activation, ctlm::sigmoid_activation) {
  using A = TestType;
  std::vector<float> x;
  for (float v = -40; v < 40; v += 0.0007f) x.push_back(v);
  std::vector<float> value = x, derivative = x;
  ctlm::elementwise(
      ctlm::native{}, x.size(), [](auto& v) { v = A::value(v); }, value.data());
  ctlm::elementwise(
      ctlm::native{}, x.size(), [](auto& v) { v = A::derivative(v); }, derivative.data());
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const auto exact = static_cast<double>(x[i]);
    const double size = std::max(1.0, std::fabs(exact));
    worst = worse(worst, std::fabs(static_cast<double>(value[i]) - A::value(exact)) / size);
    worst = worse(worst, std::fabs(static_cast<double>(derivative[i]) - A::derivative(exact)));
  }
  CAPTURE(worst);
  CHECK(worst < ctlm::activation_accuracy);
}

TEST_CASE("sums, maxima and dot products agree", "[kernels]") {
  for (std::size_t n = 1; n < 150; ++n) {
    const auto x = random<float>(n, n), y = random<float>(n, n + 1000);
    auto product = [](const auto& a, const auto& b) { return a * b; };
    double expected = 0, size = 0;
    for (std::size_t i = 0; i < n; ++i) {
      expected += static_cast<double>(x[i]) * static_cast<double>(y[i]);
      size += std::fabs(static_cast<double>(x[i]) * static_cast<double>(y[i]));
    }
    CHECK(std::fabs(ctlm::sum(ctlm::native{}, n, product, x.data(), y.data()) - expected) <= 1e-6 * size);
    CHECK(std::fabs(ctlm::sum(ctlm::portable{}, n, product, x.data(), y.data()) - expected) <= 4e-6 * size);
    CHECK(ctlm::maximum(ctlm::native{}, n, x.data()) == ctlm::maximum(ctlm::portable{}, n, x.data()));
    float dots[6], plain[6];
    const auto w = random<float>(6 * n, 7);
    ctlm::dot_products(ctlm::native{}, 1, 6, n, x.data(), n, w.data(), n, dots, 6, false);
    ctlm::dot_products(ctlm::portable{}, 1, 6, n, x.data(), n, w.data(), n, plain, 6, false);
    for (int i = 0; i < 6; ++i) CHECK(std::fabs(dots[i] - plain[i]) < 2e-5f);
  }
}

TEMPLATE_TEST_CASE("16-bit rows decode to the same numbers", "[kernels]", ctlm::f16, ctlm::bf16) {
  using F = TestType;
  for (std::size_t n : {1, 7, 8, 9, 16, 31, 100}) {
    ctlm::heap_arena memory(ctlm::matrix_bytes<F>(2, n));
    auto m = F::place(memory, 2, n);
    for (std::size_t r = 0; r < 2; ++r) F::encode(m, r, random<float>(n, n + r).data());
    std::vector<float> native(n), portable(n);
    ctlm::decode_row(ctlm::native{}, F{}, m, 1, native.data());
    ctlm::decode_row(ctlm::portable{}, F{}, m, 1, portable.data());
    CHECK(native == portable);
  }
}

TEMPLATE_TEST_CASE("rows of integers decode to the same bits", "[kernels]", ctlm::int8<>, ctlm::int8<32>,
                   (ctlm::int8<64, ctlm::asymmetric>), ctlm::int8<20>, ctlm::int4<32>,
                   (ctlm::int4<32, ctlm::asymmetric>), (ctlm::int4<64, ctlm::asymmetric>), ctlm::int4<12>,
                   ctlm::int4<ctlm::per_channel>, (ctlm::int4<48, ctlm::asymmetric>), ctlm::int2<32>) {
  using F = TestType;
  constexpr std::size_t rows = 3;
  for (std::size_t n : {1, 6, 16, 31, 32, 33, 63, 64, 80, 96, 128, 200}) {
    INFO(F::name << " group " << F::group << " n " << n);
    ctlm::heap_arena memory(ctlm::matrix_bytes<F>(rows, n));
    auto m = F::place(memory, rows, n);
    for (std::size_t r = 0; r < rows; ++r) F::encode(m, r, random<float>(n, n + r).data());
    m.scales[F::groups(n)] = 0x7E00;      // a group that held a NaN
    m.scales[2 * F::groups(n)] = 0x0003;  // one of tiny numbers
    for (std::size_t r = 0; r < rows; ++r) {
      std::vector<float> native(n + 1, 7.0f), portable(n + 1, 7.0f);
      ctlm::decode_row(ctlm::native{}, F{}, m, r, native.data());
      ctlm::decode_row(ctlm::portable{}, F{}, m, r, portable.data());
      for (std::size_t i = 0; i <= n; ++i)
        REQUIRE((std::isnan(portable[i])
                     ? std::isnan(native[i])
                     : std::bit_cast<std::uint32_t>(native[i]) == std::bit_cast<std::uint32_t>(portable[i])));
      REQUIRE((r == 1) == std::isnan(native[0]));
      REQUIRE(native[n] == 7.0f);
    }
  }
}

TEMPLATE_TEST_CASE("stripes of integers decode to the same bits", "[kernels]", ctlm::int8<32>,
                   (ctlm::int8<64, ctlm::asymmetric>), ctlm::int8<ctlm::per_channel>, ctlm::int8<20>, ctlm::int6<32>,
                   (ctlm::int5<32, ctlm::asymmetric>), ctlm::int4<32>, (ctlm::int4<64, ctlm::compact>), ctlm::int4<12>,
                   ctlm::int4<ctlm::per_channel>, (ctlm::int3<32, ctlm::asymmetric>), ctlm::int2<32>, ctlm::ternary<>) {
  using F = ctlm::interleaved<TestType>;
  constexpr std::size_t period = 20, rows = 2 * period;  // two matrices, whose second stripes are not full
  for (std::size_t n : {1, 16, 31, 32, 33, 64, 96, 200}) {
    INFO(F::name << " group " << F::group << " n " << n);
    ctlm::heap_arena memory(64 * rows * (n + 64));
    const auto m = F::place(memory, rows, n, period);
    for (std::size_t r = 0; r < rows; ++r) F::encode(m, r, random<float>(n, n + r).data());
    m.scales[F::scale_index(m, 3, 0)] = std::numeric_limits<typename F::scale_element>::max();
    for (std::size_t first : {0, 4, 16, 20}) {
      const std::size_t count = rows - first;
      std::vector<float> native(count * n + 1, 7.0f), portable(count * n);
      ctlm::decode_rows(ctlm::native{}, F{}, m, first, count, native.data());
      ctlm::decode_rows(ctlm::portable{}, F{}, m, first, count, portable.data());
      for (std::size_t i = 0; i < portable.size(); ++i)
        REQUIRE((std::isnan(portable[i])
                     ? std::isnan(native[i])
                     : std::bit_cast<std::uint32_t>(native[i]) == std::bit_cast<std::uint32_t>(portable[i])));
      REQUIRE(native.back() == 7.0f);
    }
  }
}

TEMPLATE_TEST_CASE("integer products agree with each other and with decoded weights", "[kernels]", ctlm::int8<>,
                   ctlm::int8<32>, (ctlm::int8<64, ctlm::asymmetric>), ctlm::int8<20>, ctlm::int4<32>,
                   (ctlm::int4<32, ctlm::asymmetric>), ctlm::int4<64>, ctlm::int8<128>,
                   (ctlm::int4<192, ctlm::asymmetric>), (ctlm::int4<32, ctlm::compact>),
                   (ctlm::int2<64, ctlm::compact>), (ctlm::int3<32, ctlm::compact>), (ctlm::int6<320, ctlm::compact>),
                   (ctlm::int5<ctlm::per_channel, ctlm::compact>), (ctlm::int4<12, ctlm::compact>),
                   ctlm::int4<ctlm::per_channel>, ctlm::int4<12>, ctlm::int2<32>, (ctlm::int2<32, ctlm::asymmetric>),
                   ctlm::int2<ctlm::per_channel>, ctlm::int2<9>, ctlm::int3<32>, (ctlm::int3<64, ctlm::asymmetric>),
                   ctlm::int3<7>, ctlm::int3<ctlm::per_channel>, ctlm::int5<32>, (ctlm::int5<32, ctlm::asymmetric>),
                   ctlm::int5<12>, ctlm::int5<ctlm::per_channel>, ctlm::int6<32>, (ctlm::int6<128, ctlm::asymmetric>),
                   ctlm::int6<20>, ctlm::int6<ctlm::per_channel>, ctlm::ternary<>, ctlm::ternary<32>, ctlm::ternary<9>,
                   (ctlm::int2<16, ctlm::compact>), ctlm::int4<16>, (ctlm::int4<16, ctlm::asymmetric>),
                   (ctlm::int3<16, ctlm::compact>), ctlm::int8<16>, ctlm::int6<8>, (ctlm::int5<4, ctlm::asymmetric>),
                   ctlm::int2<16>) {
  using F = ctlm::interleaved<TestType>;
  constexpr std::size_t rows = 21, m = 15;  // ragged; every width of a kernel's tile
  for (std::size_t n : {1, 5, 31, 32, 33, 64, 65, 96, 172, 300}) {
    INFO(F::name << " group " << F::group << " n " << n);
    ctlm::heap_arena memory(ctlm::matrix_bytes<F>(rows, n));
    auto w = F::place(memory, rows, n);
    for (std::size_t r = 0; r < rows; ++r) F::encode(w, r, random<float>(n, n + r).data());
    const std::size_t stride = ctlm::round_up(n, ctlm::code_chunk), groups = ctlm::input_groups<F>(n);
    std::vector<std::int8_t> codes(m * stride, 99);
    std::vector<float> scales(m * groups), decoded(n), portable(m * ctlm::stripe_rows), native(m * ctlm::stripe_rows);
    std::vector<std::int32_t> sums(m * groups);
    const ctlm::quantised_rows q{codes.data(), scales.data(), sums.data(), stride, groups};
    for (std::size_t i = 0; i < m; ++i)
      ctlm::quantise_row(ctlm::portable{}, F{}, n, random<float>(n, i).data(), q.row(i));
    for (std::size_t stripe = 0; stripe < 2; ++stripe) {
      ctlm::quantised_stripe(ctlm::portable{}, F{}, w, stripe, m, q, portable.data());
      ctlm::quantised_stripe(ctlm::native{}, F{}, w, stripe, m, q, native.data());
      for (std::size_t r = 0; r < ctlm::smaller(ctlm::stripe_rows, rows - stripe * ctlm::stripe_rows); ++r) {
        F::decode(w, stripe * ctlm::stripe_rows + r, 0, n, decoded.data());
        for (std::size_t i = 0; i < m; ++i) {
          double exact = 0, size = 0;
          for (std::size_t j = 0; j < n; ++j) {
            const double x = static_cast<double>(codes[i * stride + j]) *
                             static_cast<double>(scales[i * groups + j / ctlm::input_group<F>]);
            exact += x * static_cast<double>(decoded[j]);
            size += std::fabs(x * static_cast<double>(decoded[j]));
          }
          REQUIRE(std::fabs(portable[i * ctlm::stripe_rows + r] - exact) <= 1e-5 * size + 1e-6);
          REQUIRE(std::fabs(native[i * ctlm::stripe_rows + r] - exact) <= 1e-5 * size + 1e-6);
        }
      }
    }
  }
}

TEST_CASE("activations are quantised within half a step, and padded with zeros", "[kernels]") {
  using F = ctlm::int8<32>;
  for (std::size_t n : {1, 31, 32, 33, 100}) {
    const std::size_t stride = ctlm::round_up(n, ctlm::code_chunk);
    std::vector<std::int8_t> codes(stride, 99);
    std::vector<float> scales(F::groups(n));
    std::vector<std::int32_t> sums(F::groups(n));
    const auto x = random<float>(n, 77);
    ctlm::quantise_row(ctlm::native{}, F{}, n, x.data(),
                       {codes.data(), scales.data(), sums.data(), stride, F::groups(n)});
    for (std::size_t i = 0; i < n; ++i)
      CHECK(std::fabs(static_cast<float>(codes[i]) * scales[i / 32] - x[i]) <= 0.501f * scales[i / 32]);
    for (std::size_t i = n; i < stride; ++i) CHECK(codes[i] == 0);
  }
}

TEMPLATE_TEST_CASE("linear layers agree in every format and number of rows", "[kernels]", ctlm::f32, ctlm::f16,
                   ctlm::bf16, ctlm::int8<32>, ctlm::int4<32>, ctlm::int2<32>, ctlm::int3<32>, ctlm::int5<32>,
                   ctlm::int6<32>, ctlm::ternary<>) {
  using F = ctlm::stored<TestType>;
  constexpr std::size_t n = 37, k = 50;
  ctlm::heap_arena memory(1 << 20);
  auto w = F::place(memory, n, k);
  for (std::size_t r = 0; r < n; ++r) F::encode(w, r, random<float>(k, r).data());
  const auto bias = random<float>(n, 99);
  for (std::size_t m : {1, 2, 3, 4, 5, 13}) {
    const auto x = random<float>(m * k, m);
    const auto before = random<float>(m * n, m + 50);
    std::vector<float> expected = before, decoded(k);
    for (std::size_t j = 0; j < n; ++j) {
      F::decode(w, j, 0, k, decoded.data());
      for (std::size_t i = 0; i < m; ++i) {
        double sum = static_cast<double>(bias[j]);
        for (std::size_t p = 0; p < k; ++p) sum += static_cast<double>(x[i * k + p]) * static_cast<double>(decoded[p]);
        expected[i * n + j] += static_cast<float>(sum);
      }
    }
    auto check = [&](auto backend, auto compute, double limit) {
      using workspace = ctlm::linear_workspace<decltype(backend), F, decltype(compute)>;
      ctlm::heap_arena scratch(1 << 20);
      auto ws = workspace::place(scratch, m, n, k, 1);
      ctlm::serial exec;
      INFO(F::name << " rows " << m << " " << decltype(backend)::name);
      auto y = before;
      ctlm::linear(backend, exec, m, x.data(), w, ctlm::linear_terms<float>{bias.data(), y.data()}, y.data(), ws);
      CHECK(difference(expected, y) < limit);
      std::vector<float> elsewhere(m * n, 1e30f);
      const ctlm::linear_terms<float> terms{bias.data(), before.data()};
      ctlm::linear(backend, exec, m, x.data(), w, terms, elsewhere.data(), ws);
      CHECK(difference(expected, elsewhere) < limit);
    };
    check(ctlm::native{}, ctlm::decoded{}, 1e-6);
    check(ctlm::portable{}, ctlm::decoded{}, 1e-6);
    if constexpr (ctlm::quantised_format<F>) {  // activations in int8: an error of about a hundredth of their scale
      check(ctlm::native{}, ctlm::dynamic_int8{}, 0.02);
      check(ctlm::portable{}, ctlm::dynamic_int8{}, 0.02);
    }
  }
}

TEST_CASE("loops over arrays in 16 bits see single precision and round what they write", "[kernels]") {
  for (std::size_t n = 0; n < 70; ++n) {
    auto x = random<float>(n, 1);
    const float odd[] = {1e-40f, -1e-40f, 3.4e38f, std::numeric_limits<float>::infinity(), 1.00390625f, 1.01171875f};
    for (std::size_t i = 0; i < n && i < std::size(odd); ++i) x[n - 1 - i] = odd[i];
    if (n > 20) x[7] = std::numeric_limits<float>::quiet_NaN();
    const auto y = random_stored<ctlm::bfloat>(n, 2);
    auto run = [&](auto backend) {
      std::vector<ctlm::bfloat> to(n), both = y;
      std::vector<float> sums(n);
      ctlm::elementwise(
          backend, n, [](const auto& from, auto& out) { out = from; }, x.data(), to.data());
      ctlm::elementwise(
          backend, n,
          [](auto& sum, const auto& a, auto& b) {
            sum = a + b;
            b = b * b;
          },
          sums.data(), static_cast<const ctlm::bfloat*>(to.data()), both.data());
      std::vector<std::uint16_t> bits;
      for (const auto& all : {to, both})
        for (const ctlm::bfloat b : all) bits.push_back(b.bits);
      for (const float f : sums) bits.push_back(static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(f) >> 16));
      return bits;
    };
    const auto expected = run(ctlm::portable{});
    CHECK(run(ctlm::native{}) == expected);
    for (std::size_t i = 0; i < n; ++i) CHECK(expected[i] == ctlm::bfloat::from(x[i]).bits);
    const auto z = random<float>(n, 4);
    auto product = [](const auto& a, const auto& b) { return a * b; };
    const float first = ctlm::sum(ctlm::portable{}, n, product, z.data(), y.data());
    CHECK(std::fabs(ctlm::sum(ctlm::native{}, n, product, z.data(), y.data()) - first) < 1e-4f);
  }
}
