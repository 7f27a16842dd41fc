// What a format cannot hold: a NaN or an infinity makes its group NaN; numbers too small or too large become the
// nearest that there are; and conversions count them.
#include "catch.hpp"
#include "worse.hpp"

#include <ctlm/ctlm.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
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

/// One row of a format, which what looks at it need not know.
struct some_row {
  const std::size_t size, group, groups;
  virtual ~some_row() = default;
  virtual void encode(const float* from) = 0;
  virtual void round(const float* from) = 0;
  virtual void decode(float* to) const = 0;
  virtual conversion inspect(const float* given) const = 0;

  std::vector<float> read() const {
    std::vector<float> x(size);
    decode(x.data());
    return x;
  }
  std::vector<float> through(const std::vector<float>& x) {
    encode(x.data());
    return read();
  }
  conversion report(const std::vector<float>& x) {
    through(x);
    return inspect(x.data());
  }

 protected:
  some_row(std::size_t n, std::size_t of_group, std::size_t in_all) : size(n), group(of_group), groups(in_all) {}
};

template <class F>
constexpr std::size_t group_of(std::size_t n) {
  if constexpr (requires { F::group_size(n); })
    return F::group_size(n);
  else
    return 1;
}

template <class F>
struct one_row final : some_row {
  heap_arena memory;
  matrix<F> m;
  explicit one_row(std::size_t n)
      : some_row(n, group_of<F>(n), ceil_div(n, group_of<F>(n))),
        memory(matrix_bytes<F>(1, n)),
        m(F::place(memory, 1, n)) {}

  void encode(const float* from) override { F::encode(m, 0, from); }
  void round(const float* from) override {
    if constexpr (requires { F::round(m, 0, from); }) F::round(m, 0, from);
  }
  void decode(float* to) const override { F::decode(m, 0, 0, m.cols, to); }
  conversion inspect(const float* given) const override {
    conversion c;
    inspect_row<F>(m, 0, given, c);
    return c;
  }
};

using made_row = std::unique_ptr<some_row>;
template <class F>
made_row row_of(std::size_t n) {
  return std::make_unique<one_row<F>>(n);
}

void check_groups(made_row (*make)(std::size_t)) {
  for (std::size_t n : {1, 31, 33, 100}) {
    const auto x = random_row(n);
    const made_row made = make(n);
    some_row& row = *made;
    const auto clean = row.through(x);
    for (float culprit : {not_a_number, infinity, -infinity})
      for (std::size_t at = 0; at < n; at += 1 + n / 7) {
        auto poisoned = x;
        poisoned[at] = culprit;
        for (bool rounded : {false, true}) {
          if (rounded) {
            row.through(x);
            row.round(poisoned.data());
          } else {
            row.encode(poisoned.data());
          }
          const auto y = row.read();
          for (std::size_t i = 0; i < n; ++i)
            REQUIRE((i / row.group == at / row.group ? std::isnan(y[i]) : y[i] == clean[i]));
        }
        const conversion c = row.report(poisoned);
        CHECK(c.groups == row.groups);
        CHECK(c.not_finite == 1);
        CHECK_FALSE(c.kept());
      }
    CHECK(row.report(x).kept());
  }
}

template <class... F>
void check_groups_of() {
  const auto check = [](const char* layout, const char* name, std::size_t group, made_row (*make)(std::size_t)) {
    INFO(layout << name << " group " << group);
    check_groups(make);
  };
  (check(std::same_as<F, stored<F>> ? "interleaved " : "", F::name, F::group, row_of<F>), ...);
}

struct tag {
  static constexpr llama_config config{
      .vocab = 16, .d_model = 64, .layers = 1, .heads = 4, .kv_heads = 2, .d_ff = 64, .context = 8};
};

}  // namespace

TEST_CASE("a NaN or an infinity makes its group NaN, and no other", "[format]") {
  check_groups_of<int8<>, int8<32>, int8<20, asymmetric>, int4<32>, int4<32, asymmetric>, int4<32, compact>, int4<7>,
                  int2<32>, int2<32, asymmetric>, int2<per_channel>, int3<32>, int3<32, asymmetric>, int3<7>, int5<32>,
                  int5<20, asymmetric>, int6<32>, int6<32, asymmetric>, ternary<>, ternary<32>>();
  // With the same encoder: where codes and scales lie depends on the bits of a code and on how groups cut a row.
  check_groups_of<interleaved<int8<>>, interleaved<int8<20, asymmetric>>, interleaved<int4<32, asymmetric>>,
                  interleaved<int4<32, compact>>, interleaved<int4<7>>, interleaved<int2<32>>,
                  interleaved<int2<per_channel>>, interleaved<int3<32, asymmetric>>, interleaved<int5<32>>,
                  interleaved<int6<32>>, interleaved<ternary<32>>>();
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
  auto check = [&](some_row&& row, double scale, std::size_t cut) {
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
