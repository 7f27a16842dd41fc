// The native backend against the portable one, on ragged sizes. Integer parts must agree to the bit; floating point
// sums within rounding.
#include "catch.hpp"

#include "integer_weights.hpp"
#include "reference.hpp"

#include <algorithm>
#include <limits>
#include <tuple>

using reference::difference;
using reference::random;

namespace {

template <class S>
S stored_as(double x) {
  if constexpr (sizeof(S) > 2)
    return static_cast<S>(x);
  else
    return S::from(static_cast<float>(x));
}
template <class S, class Number>
std::vector<S> all_stored_as(const std::vector<Number>& x) {
  std::vector<S> y;
  for (const Number v : x) y.push_back(stored_as<S>(static_cast<double>(v)));
  return y;
}
template <class S>
std::vector<S> random_stored(std::size_t n, std::uint64_t seed) {
  return all_stored_as<S>(random<std::conditional_t<sizeof(S) == 8, double, float>>(n, seed));
}

/// A product of m x k by k x n numbers, either of which may lie transposed, in double; whether it is added to c.
struct product {
  std::size_t m, n, k;
  bool a_transposed, b_transposed, accumulate;
  std::vector<double> a, b, c;
};

/// How the numbers of products are stored, which what checks them need not know.
struct stored_numbers {
  double epsilon;
  std::vector<double> (*left)(std::size_t n, std::uint64_t seed);
  std::vector<double> (*right)(std::size_t n, std::uint64_t seed);
  std::vector<double> (*result)(std::size_t n, std::uint64_t seed);
  std::vector<double> (*portable)(const product&);
  std::vector<double> (*native)(const product&);
};

template <class S>
std::vector<double> random_in_double(std::size_t n, std::uint64_t seed) {
  std::vector<double> y;
  for (const S x : random_stored<S>(n, seed)) y.push_back(static_cast<double>(x));
  return y;
}

/// What a backend makes of it; nothing if it writes behind its workspace.
template <class Backend, class T, class Left, class Right>
std::vector<double> multiply(const product& p) {
  const auto a = all_stored_as<Left>(p.a);
  const auto b = all_stored_as<Right>(p.b);
  auto c = all_stored_as<T>(p.c);
  const auto left = p.a_transposed ? ctlm::row_major(a.data(), p.m).transposed() : ctlm::row_major(a.data(), p.k);
  const auto right = p.b_transposed ? ctlm::row_major(b.data(), p.k).transposed() : ctlm::row_major(b.data(), p.n);
  const std::size_t room = ctlm::gemm_workspace<T>(Backend{}, p.m, p.n, p.k);
  ctlm::heap_arena memory((room + 1) * sizeof(T) + 256);
  T* const workspace = memory.allocate<T>(room + 1);
  std::fill(workspace, workspace + room + 1, T(5));  // what was there before does not count
  ctlm::gemm(Backend{}, p.m, p.n, p.k, left, right, c.data(), p.n, p.accumulate, workspace);
  if (workspace[room] != T(5)) return {};
  return {c.begin(), c.end()};
}

template <class T, class Left, class Right>
constexpr stored_numbers numbers() {
  return {static_cast<double>(std::numeric_limits<T>::epsilon()),
          random_in_double<Left>,
          random_in_double<Right>,
          random_in_double<T>,
          multiply<ctlm::portable, T, Left, Right>,
          multiply<ctlm::native, T, Left, Right>};
}

void check_products(const stored_numbers& numbers) {
  ctlm::rng r{11};
  // More than one group of rows, strip of columns and depth.
  const std::size_t large[][3] = {{1000, 40, 700}, {30, 1100, 800}, {5, 1030, 1600}, {290, 800, 270}};
#if CTLM_FEW_TRIALS  // under an emulator or a sanitizer: minutes
  constexpr std::size_t of_each = 1;
#else
  constexpr std::size_t of_each = 4;
#endif
  for (std::size_t trial = 0; trial < 150 + of_each * std::size(large); ++trial) {
    const std::size_t* given = trial < 150 ? nullptr : large[trial % std::size(large)];
    product p;
    p.m = given ? given[0] : 1 + r.below(40);
    p.n = given ? given[1] : 1 + r.below(100);
    p.k = given ? given[2] : 1 + r.below(trial % 10 == 0 ? 600 : 60);
    p.a_transposed = r.below(2), p.b_transposed = r.below(2), p.accumulate = r.below(2);
    p.a = numbers.left(p.m * p.k, 1);
    p.b = numbers.right(p.k * p.n, 2);
    p.c = numbers.result(p.m * p.n, 3);
    INFO(p.m << "x" << p.n << "x" << p.k << " " << p.a_transposed << p.b_transposed << p.accumulate);
    auto expected = p.c;
    for (std::size_t i = 0; i < p.m; ++i)
      for (std::size_t j = 0; j < p.n; ++j) {
        double sum = p.accumulate ? expected[i * p.n + j] : 0;
        for (std::size_t q = 0; q < p.k; ++q)
          sum += p.a[p.a_transposed ? q * p.m + i : i * p.k + q] * p.b[p.b_transposed ? j * p.k + q : q * p.n + j];
        expected[i * p.n + j] = sum;
      }
    const auto native = numbers.native(p), portable = numbers.portable(p);
    REQUIRE(native.size() == expected.size());
    REQUIRE(portable.size() == expected.size());
    const double limit = numbers.epsilon * (8 + static_cast<double>(p.k) / 8);
    CHECK(difference(expected, native) < limit);
    CHECK(difference(expected, portable) < limit);
  }
}

}  // namespace

TEST_CASE("matrix products agree, in every layout, size and way of storing numbers", "[kernels]") {
  using ctlm::bfloat, ctlm::half;
  for (const stored_numbers& n :
       {numbers<float, float, float>(), numbers<float, half, float>(), numbers<float, float, bfloat>()})
    check_products(n);
#if !CTLM_FEW_KINDS  // the same ways as above, and long to compile
  for (const stored_numbers& n :
       {numbers<double, double, double>(), numbers<float, float, half>(), numbers<float, bfloat, float>(),
        numbers<float, half, half>(), numbers<float, bfloat, bfloat>()})
    check_products(n);
#endif
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

namespace {

/// Rows of numbers, decoded by either backend, with one more behind them that is not theirs.
struct decoded_rows {
  const char* name;
  std::size_t group;
  std::vector<float> native, portable;
};

bool same_numbers(const decoded_rows& rows) {
  for (std::size_t i = 0; i < rows.portable.size(); ++i)
    if (!(std::isnan(rows.portable[i])
              ? std::isnan(rows.native[i])
              : std::bit_cast<std::uint32_t>(rows.native[i]) == std::bit_cast<std::uint32_t>(rows.portable[i])))
      return false;
  return rows.native.size() == rows.portable.size();
}

/// Row r of three, of which 1 holds a NaN and 2 tiny numbers in their first groups.
template <class F>
decoded_rows decode_one(std::size_t n, std::size_t r) {
  ctlm::heap_arena memory(ctlm::matrix_bytes<F>(3, n));
  auto m = F::place(memory, 3, n);
  integer_weights::fill(m, n);
  m.scales[F::groups(n)] = 0x7E00;
  m.scales[2 * F::groups(n)] = 0x0003;
  decoded_rows to{F::name, F::group, std::vector<float>(n + 1, 7.0f), std::vector<float>(n + 1, 7.0f)};
  ctlm::decode_row(ctlm::native{}, F{}, m, r, to.native.data());
  ctlm::decode_row(ctlm::portable{}, F{}, m, r, to.portable.data());
  return to;
}
template <class... F>
void check_rows() {
  for (const auto decode : {decode_one<F>...})
    for (std::size_t n : {1, 6, 16, 31, 32, 33, 63, 64, 80, 96, 128, 200})
      for (std::size_t r = 0; r < 3; ++r) {
        const decoded_rows rows = decode(n, r);
        INFO(rows.name << " group " << rows.group << " n " << n << " row " << r);
        REQUIRE(same_numbers(rows));
        REQUIRE((r == 1) == std::isnan(rows.native[0]));
        REQUIRE(rows.native[n] == 7.0f);
      }
}

/// Rows from `first` on of two matrices, whose second stripes are not full; one scale is no number.
template <class F>
decoded_rows decode_many(std::size_t n, std::size_t first) {
  constexpr std::size_t period = 20, rows = 2 * period;
  ctlm::heap_arena memory(64 * rows * (n + 64));
  const auto m = F::place(memory, rows, n, period);
  integer_weights::fill(m, n);
  m.scales[F::scale_index(m, 3, 0)] = std::numeric_limits<typename F::scale_element>::max();
  const std::size_t count = rows - first;
  decoded_rows to{F::name, F::group, std::vector<float>(count * n + 1, 7.0f), std::vector<float>(count * n + 1, 7.0f)};
  ctlm::decode_rows(ctlm::native{}, F{}, m, first, count, to.native.data());
  ctlm::decode_rows(ctlm::portable{}, F{}, m, first, count, to.portable.data());
  return to;
}
template <class... F>
void check_stripes() {
  for (const auto decode : {decode_many<ctlm::interleaved<F>>...})
    for (std::size_t n : {1, 16, 31, 32, 33, 64, 96, 200})
      for (std::size_t first : {0, 4, 16, 20}) {
        const decoded_rows rows = decode(n, first);
        INFO(rows.name << " group " << rows.group << " n " << n << " from row " << first);
        REQUIRE(same_numbers(rows));
        REQUIRE(rows.native.back() == 7.0f);
      }
}

}  // namespace

TEST_CASE("rows of integers decode to the same bits", "[kernels]") {
  using namespace ctlm;
  check_rows<int8<32>, int8<64, asymmetric>, int8<20>, int4<32>, int4<32, asymmetric>, int4<12>, int2<32>>();
#if !CTLM_FEW_KINDS  // the same ways as above, and long to compile
  check_rows<int8<>, int4<64, asymmetric>, int4<per_channel>, int4<48, asymmetric>>();
#endif
}

TEST_CASE("stripes of integers decode to the same bits", "[kernels]") {
  using namespace ctlm;
  check_stripes<int8<32>, int5<32, asymmetric>, int4<32>, int4<64, compact>, int4<12>, int3<32, asymmetric>, int2<32>,
                ternary<>>();
#if !CTLM_FEW_KINDS  // the same ways as above, and long to compile
  check_stripes<int8<64, asymmetric>, int8<per_channel>, int8<20>, int6<32>, int4<per_channel>>();
#endif
}

namespace {

void check_products(integer_weights::make_products make) {
  constexpr std::size_t rows = 21, m = 15;  // ragged; every width of a kernel's tile
  for (std::size_t n : {1, 5, 31, 32, 33, 64, 65, 96, 172, 300}) {
    const auto w = make(rows, n);
    INFO(w->name << " group " << w->group << " n " << n);
    const std::size_t stride = ctlm::round_up(n, ctlm::code_chunk), groups = w->groups;
    std::vector<std::int8_t> codes(m * stride, 99);
    std::vector<float> scales(m * groups), decoded(n), portable(m * ctlm::stripe_rows), native(m * ctlm::stripe_rows);
    std::vector<std::int32_t> sums(m * groups);
    const ctlm::quantised_rows q{codes.data(), scales.data(), sums.data(), stride, groups};
    for (std::size_t i = 0; i < m; ++i) w->quantise(0, random<float>(n, i).data(), q.row(i));
    for (std::size_t stripe = 0; stripe < 2; ++stripe) {
      w->stripe(0, stripe, m, q, portable.data());
      w->stripe(1, stripe, m, q, native.data());
      for (std::size_t r = 0; r < ctlm::smaller(ctlm::stripe_rows, rows - stripe * ctlm::stripe_rows); ++r) {
        w->decode(stripe * ctlm::stripe_rows + r, decoded.data());
        for (std::size_t i = 0; i < m; ++i) {
          double exact = 0, size = 0;
          for (std::size_t j = 0; j < n; ++j) {
            const double x = static_cast<double>(codes[i * stride + j]) *
                             static_cast<double>(scales[i * groups + j / w->input_group]);
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
template <class... F>
void check_products_of() {
  for (const auto make : {integer_weights::make<F, ctlm::portable, ctlm::native>...}) check_products(make);
}

}  // namespace

TEST_CASE("integer products agree with each other and with decoded weights", "[kernels]") {
  using namespace ctlm;
  check_products_of<int8<32>, int4<32>, int4<32, asymmetric>, int4<32, compact>, int4<12>, int4<per_channel>,
                    int4<192, asymmetric>, int2<32>, int3<32>, int5<32>, ternary<>, int8<16>, int4<16, asymmetric>,
                    int2<16, compact>, int6<8>>();
#if !CTLM_FEW_KINDS  // the same ways as above, and long to compile
  check_products_of<int8<>, int8<64, asymmetric>, int8<20>, int4<64>, int8<128>, int2<64, compact>, int3<32, compact>,
                    int6<320, compact>, int5<per_channel, compact>, int4<12, compact>, int2<32, asymmetric>,
                    int2<per_channel>, int2<9>, int3<64, asymmetric>, int3<7>, int3<per_channel>, int5<32, asymmetric>,
                    int5<12>, int5<per_channel>, int6<32>, int6<128, asymmetric>, int6<20>, int6<per_channel>,
                    ternary<32>, ternary<9>, int4<16>, int3<16, compact>, int5<4, asymmetric>, int2<16>>();
#endif
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

namespace {

#if CTLM_FEW_KINDS  // under a sanitizer: each way once, as they are long to compile
using linear_formats = std::tuple<ctlm::f32, ctlm::f16, ctlm::int8<32>, ctlm::int3<32>>;
#else
using linear_formats = std::tuple<ctlm::f32, ctlm::f16, ctlm::bf16, ctlm::int8<32>, ctlm::int4<32>, ctlm::int2<32>,
                                  ctlm::int3<32>, ctlm::int5<32>, ctlm::int6<32>, ctlm::ternary<>>;
#endif

}  // namespace

TEMPLATE_LIST_TEST_CASE("linear layers agree in every format and number of rows", "[kernels]", linear_formats) {
  using F = ctlm::stored<TestType>;
  constexpr std::size_t n = 37, k = 50;
  ctlm::heap_arena memory(1 << 20);
  auto w = F::place(memory, n, k);
  if constexpr (ctlm::quantised_format<F>)
    integer_weights::fill(w, n);
  else
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
