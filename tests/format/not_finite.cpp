// What a format cannot hold: a NaN or an infinity makes its group NaN; numbers too small or too large become the
// nearest that there are; and conversions count them.
#include "catch.hpp"
#include "worse.hpp"

#include <ctlm/ctlm.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

using namespace ctlm;

namespace {

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

std::vector<float> random_row(std::size_t n, double scale = 1) {
  rng r{n};
  std::vector<float> x(n);
  for (auto& v : x) v = static_cast<float>(scale * r.normal());
  return x;
}

/// One row of a format.
template <class F>
struct one_row {
  heap_arena memory;
  matrix<F> m;
  explicit one_row(std::size_t n) : memory(matrix_bytes<F>(1, n)), m(F::place(memory, 1, n)) {}

  std::vector<float> read() const {
    std::vector<float> x(m.cols);
    F::decode(m, 0, 0, m.cols, x.data());
    return x;
  }
  std::vector<float> through(const std::vector<float>& x) {
    F::encode(m, 0, x.data());
    return read();
  }
  conversion report(const std::vector<float>& x) {
    through(x);
    conversion c;
    inspect_row<F>(m, 0, x.data(), c);
    return c;
  }
};

template <class F>
void check_groups() {
  for (std::size_t n : {1, 31, 33, 100}) {
    const auto x = random_row(n);
    one_row<F> row(n);
    const auto clean = row.through(x);
    const std::size_t size = F::group_size(n);
    for (float culprit : {not_a_number, infinity, -infinity})
      for (std::size_t at = 0; at < n; at += 1 + n / 7) {
        auto poisoned = x;
        poisoned[at] = culprit;
        for (bool rounded : {false, true}) {
          if (rounded) {
            row.through(x);
            F::round(row.m, 0, poisoned.data());
          } else {
            F::encode(row.m, 0, poisoned.data());
          }
          const auto y = row.read();
          for (std::size_t i = 0; i < n; ++i) REQUIRE((i / size == at / size ? std::isnan(y[i]) : y[i] == clean[i]));
        }
        const conversion c = row.report(poisoned);
        CHECK(c.groups == F::groups(n));
        CHECK(c.not_finite == 1);
        CHECK_FALSE(c.kept());
      }
    CHECK(row.report(x).kept());
  }
}

struct tag {
  static constexpr llama_config config{
      .vocab = 16, .d_model = 64, .layers = 1, .heads = 4, .kv_heads = 2, .d_ff = 64, .context = 8};
};

}  // namespace

TEMPLATE_TEST_CASE("a NaN or an infinity makes its group NaN, and no other", "[format]", int8<>, int8<32>,
                   (int8<20, asymmetric>), int4<32>, (int4<32, asymmetric>), (int4<32, compact>), int4<7>, int2<32>,
                   (int2<32, asymmetric>), int2<per_channel>, int3<32>, (int3<32, asymmetric>), int3<7>, int5<32>,
                   (int5<20, asymmetric>), int6<32>, (int6<32, asymmetric>), ternary<>, ternary<32>) {
  check_groups<TestType>();
  check_groups<interleaved<TestType>>();
}

TEMPLATE_TEST_CASE("16-bit numbers keep NaN and infinity, and make infinity of what is too large", "[format]", f16,
                   bf16) {
  one_row<TestType> row(4);
  const auto y = row.through({not_a_number, infinity, -infinity, 1.0f});
  CHECK(std::isnan(y[0]));
  CHECK(y[1] == infinity);
  CHECK(y[2] == -infinity);
  CHECK(row.report({1.0f, 2.0f, 0.5f, 0.0f}).kept());
  CHECK(row.report({1.0f, std::numeric_limits<float>::max(), 0, 0}).cut == 1);
  CHECK(row.report({1.0f, infinity, 0, 0}).not_finite == 1);
}

TEST_CASE("of groups below half precision's range the larger numbers survive", "[format]") {
  const std::size_t n = 64;
  const auto small = random_row(n, 1e-6);
  auto worst = [&](const std::vector<float>& a, const std::vector<float>& b) {
    double w = 0;
    for (std::size_t i = 0; i < n; ++i) w = worse(w, std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
    return w;
  };
  CHECK(worst(one_row<int8<>>(n).through(small), small) <= 0x1p-25);
  CHECK(worst(one_row<interleaved<int8<32>>>(n).through(small), small) <= 0x1p-25);
  CHECK(worst(one_row<int8<32, asymmetric>>(n).through(small), small) <= 0x1p-24);
  CHECK(one_row<int8<>>(n).report(small).kept());
  // With nothing to keep, zeros are all there is, in two bits too.
  const auto tiny = random_row(n, 1e-10);
  for (float x : one_row<int8<>>(n).through(tiny)) CHECK(x == 0);
  for (float x : one_row<int2<32>>(n).through(tiny)) CHECK(x == 0);
  CHECK(one_row<int8<32>>(n).report(tiny).vanished == 2);
  CHECK(one_row<int2<32>>(n).report(tiny).vanished == 2);
  CHECK(one_row<int3<32>>(n).report(tiny).vanished == 2);
  CHECK(one_row<ternary<32>>(n).report(tiny).vanished == 2);
  CHECK(one_row<f16>(n).report(tiny).vanished == 1);
  CHECK(one_row<bf16>(n).report(tiny).kept());
  CHECK(one_row<int8<32>>(n).report(std::vector<float>(n, 0.0f)).kept());
}

TEST_CASE("groups beyond half precision's range are cut off, finite, and counted", "[format]") {
  const std::size_t n = 64;
  auto check = [&](auto row, double scale, std::size_t cut) {
    const auto x = random_row(n, scale);
    const auto y = row.through(x);
    CHECK(std::all_of(y.begin(), y.end(), [](float v) { return std::isfinite(v); }));
    CHECK(row.report(x).cut == cut);
    CHECK(row.report(x).not_finite == 0);
  };
  check(one_row<int8<32>>(n), 1e5, 0);
  check(one_row<int8<32>>(n), 1e8, 2);
  check(one_row<int8<32>>(n), 1e38, 2);
  check(one_row<int4<32>>(n), 1e8, 2);
  check(one_row<int4<32>>(n), 1e4, 0);
  check(one_row<int3<32>>(n), 1e8, 2);
  check(one_row<int6<32>>(n), 1e8, 2);
  check(one_row<int6<32>>(n), 1e4, 0);
  check(one_row<ternary<32>>(n), 1e8, 2);
  check(one_row<ternary<32>>(n), 1e38, 2);
  check(one_row<ternary<32>>(n), 1e4, 0);
  check(one_row<int8<32, asymmetric>>(n), 1e6, 2);
  check(one_row<int8<32, asymmetric>>(n), 1e4, 0);
  check(one_row<int4<32, asymmetric>>(n), 1e38, 2);
  // A width that is itself too large for single precision.
  std::vector<float> wide(n, -3e38f);
  for (std::size_t i = 0; i < n; i += 2) wide[i] = 3e38f;
  one_row<int8<32, asymmetric>> row(n);
  for (float v : row.through(wide)) CHECK(std::isfinite(v));
  CHECK(row.report(wide).cut == 2);
}

TEST_CASE("converting weights reports what could not be kept", "[format]") {
  using W = causal_lm<tag>;
  using Q = causal_lm<tag, weights<int8<32>>>;
  heap_arena memory(W::weight_bytes + Q::weight_bytes);
  W::weights w(memory);
  Q::weights q(memory);
  for (const tensor_info& t : W::tensors)
    for (std::size_t i = 0; i < t.size(); ++i) {
      w.numbers(t)[i] = 0.5f + 0.25f * static_cast<float>(i % 3);
    }
  conversion c = quantise(w, q);
  CHECK(c.kept());
  std::size_t groups = 0;
  for (const tensor_info& t : W::tensors)
    groups += t.layers * t.rows * (t.is_matrix() ? Q::weight_format::groups(t.cols) : 1);
  CHECK(c.groups == groups);
  w.matrix_of(tensor_id::up_weight).data[3] = not_a_number;
  w.vector_of(tensor_id::norm_weight)[2] = infinity;
  float* const row = w.matrix_of(tensor_id::down_weight).data;
  std::fill(row, row + 32, 1e-12f);
  std::fill(row + 32, row + 64, 1e20f);
  c = quantise(w, q);
  CHECK(c.not_finite == 2);
  CHECK(c.vanished == 1);
  CHECK(c.cut == 1);
}
