// A NaN or an infinity is not lost on its way through a kernel, and touches nothing that does not depend on it.
#include "catch.hpp"

#include "attention_shape.hpp"
#include "reference.hpp"

#include <algorithm>
#include <limits>

using namespace ctlm;
using reference::difference;
using reference::random;

namespace {

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();
const float culprits[] = {not_a_number, -not_a_number, infinity, -infinity};

template <class T>
bool all_nan(const std::vector<T>& x) {
  return std::all_of(x.begin(), x.end(), [](T v) { return std::isnan(v); });
}

/// A linear layer, y = x W^T, [m][n], whose format what looks at it need not know.
struct some_layer {
  static constexpr std::size_t n = 37, k = 100;
  virtual ~some_layer() = default;
  virtual void encode(std::size_t r, const std::vector<float>& row) = 0;
  virtual std::vector<double> of(std::size_t m, const std::vector<float>& x) = 0;
};

template <class F, class Compute, class Backend>
struct layer final : some_layer {
  heap_arena memory{1 << 20}, scratch{1 << 20};
  matrix<F> w = F::place(memory, n, k);
  serial exec{};

  void encode(std::size_t r, const std::vector<float>& row) override {
    const std::vector<typename F::compute> numbers(row.begin(), row.end());
    F::encode(w, r, numbers.data());
  }
  std::vector<double> of(std::size_t m, const std::vector<float>& x) override {
    using real = typename F::compute;
    heap_arena own(1 << 20);
    auto ws = linear_workspace<Backend, F, Compute>::place(own, m, n, k, 1);
    const std::vector<real> input(x.begin(), x.end());
    std::vector<real> y(m * n);
    linear(Backend{}, exec, m, input.data(), w, linear_terms<real>{}, y.data(), ws);
    return {y.begin(), y.end()};
  }
};

void check_layer(some_layer& l) {
  constexpr std::size_t n = some_layer::n, k = some_layer::k;
  for (std::size_t r = 0; r < n; ++r) l.encode(r, random<float>(k, r));
  for (std::size_t m : {1, 3, 9, 20}) {
    const auto x = random<float>(m * k, m);
    const auto clean = l.of(m, x);
    for (float culprit : culprits)
      for (std::size_t column : {0, 17, 31, 32, 63, 64, 98, 99}) {
        auto poisoned = x;
        const std::size_t row = (column + m) % m;
        poisoned[row * k + column] = culprit;
        const auto y = l.of(m, poisoned);
        std::size_t lost = 0, touched = 0;
        for (std::size_t i = 0; i < m * n; ++i)
          if (i / n == row)
            lost += std::isfinite(y[i]);
          else
            touched += y[i] != clean[i];
        CHECK(lost == 0);
        CHECK(touched == 0);
      }
    for (float culprit : culprits)
      for (std::size_t row : {0, 15, 16, 36}) {
        auto numbers = random<float>(k, row);
        const auto good = numbers;
        numbers[(row * 7 + 40) % k] = culprit;
        l.encode(row, numbers);
        const auto y = l.of(m, x);
        l.encode(row, good);
        std::size_t lost = 0, touched = 0;
        for (std::size_t i = 0; i < m * n; ++i)
          if (i % n == row)
            lost += std::isfinite(y[i]);
          else
            touched += y[i] != clean[i];
        CHECK(lost == 0);
        CHECK(touched == 0);
      }
  }
}
template <class F, class Compute, class Backend>
void check_layer() {
  INFO(F::name << " group " << [] {
    if constexpr (quantised_format<F>)
      return F::group;
    else
      return std::size_t{0};
  }() << " " << Backend::name);
  layer<F, Compute, Backend> l;
  check_layer(l);
}

struct backends {
  template <class F>
  static void each(F f) {
    f(portable{});
    f(native{});
  }
};

}  // namespace

TEMPLATE_TEST_CASE("linear layers hand a NaN or an infinity on to what depends on it, and to nothing else", "[kernels]",
                   f32, f64, f16, bf16, int8<>, int8<32>, (int8<32, asymmetric>), int8<20>, int4<32>,
                   (int4<32, asymmetric>), (int4<32, compact>), int4<7>, int4<per_channel>, int2<32>,
                   (int2<32, asymmetric>), int2<per_channel>, int3<32>, (int3<32, asymmetric>), int3<7>, int5<32>,
                   int6<32>, (int6<32, asymmetric>), ternary<>) {
  using F = stored<TestType>;
  check_layer<F, decoded, portable>();
  check_layer<F, decoded, native>();
  if constexpr (quantised_format<F>) {
    check_layer<F, dynamic_int8, portable>();
    check_layer<F, dynamic_int8, native>();
  }
}

TEMPLATE_TEST_CASE("activations with a NaN or an infinity are quantised to NaN, whatever the backend", "[kernels]",
                   int8<>, int8<32>, int4<7>) {
  for (std::size_t n : {1, 8, 33, 70})
    for (float culprit : culprits)
      for (std::size_t at = 0; at < n; ++at)
        backends::each([&](auto backend) {
          const std::size_t stride = round_up(n, code_chunk), groups = input_groups<TestType>(n);
          std::vector<std::int8_t> codes(stride, 99);
          std::vector<float> scales(groups);
          std::vector<std::int32_t> sums(groups, 99);
          auto x = random<float>(n, n);
          x[at] = culprit;
          quantise_row(backend, TestType{}, n, x.data(), {codes.data(), scales.data(), sums.data(), stride, groups});
          constexpr std::size_t size = input_group<TestType>;
          for (std::size_t g = 0; g < groups; ++g) {
            REQUIRE(std::isnan(scales[g]) == (g == at / size));
            if (g != at / size) continue;
            REQUIRE(sums[g] == 0);
            for (std::size_t i = g * size; i < smaller(n, (g + 1) * size); ++i) REQUIRE(codes[i] == 0);
          }
        });
}

TEST_CASE("activations too small to be scaled are zeros", "[kernels]") {
  for (float tiny : {1e-45f, 1e-40f, 1e-38f, 3e-37f})
    backends::each([&](auto backend) {
      std::vector<float> x(40, 0.0f);
      x[3] = tiny;
      std::vector<std::int8_t> codes(64, 99);
      float scale[2];
      std::int32_t sums[2];
      quantise_row(backend, int8<32>{}, x.size(), x.data(), {codes.data(), scale, sums, codes.size(), 2});
      CHECK(std::all_of(codes.begin(), codes.end(), [](std::int8_t c) { return c == 0; }));
      CHECK(sums[0] == 0);
      CHECK(std::fabs(scale[0]) < 1e-37f);
    });
}

TEST_CASE("softmax: the largest logit may be anything", "[kernels]") {
  backends::each([](auto backend) {
    for (std::size_t n : {1, 5, 40, 5000}) {
      for (float logit : {-3e30f, -3e38f, -infinity, 0.0f, 3e38f}) {
        std::vector<float> x(n, logit);
        const float log_sum = softmax(backend, n, x.data(), 0.5f);
        for (float p : x) REQUIRE(p == Approx(0.5 / static_cast<double>(n)).epsilon(1e-5));
        CHECK((logit == 0.0f ? log_sum == Approx(std::log(static_cast<double>(n))).margin(1e-6)
                             : std::isinf(log_sum) == std::isinf(logit)));
        std::fill(x.begin(), x.end(), logit);
        CHECK(negative_log_likelihood(backend, n, x.data(), 0) ==
              Approx(std::log(static_cast<double>(n)))
                  .margin(std::fabs(logit) > 1e29f && !std::isinf(logit) ? 1e32 : 1e-5));
        std::vector<float> impossible(n, -infinity), losses(1);
        serial exec;
        const token target = 0;
        cross_entropy(backend, exec, 1, n, impossible.data(), &target, 1.0f, losses.data());
        CHECK(losses[0] == Approx(std::log(static_cast<double>(n))).margin(1e-6));
      }
      for (float culprit : {not_a_number, infinity})
        for (std::size_t at : {std::size_t{0}, n / 2, n - 1}) {
          auto x = random<float>(n, n);
          x[at] = culprit;
          CHECK(std::isnan(negative_log_likelihood(backend, n, x.data(), n - 1 - at)));
          CHECK(std::isnan(softmax(backend, n, x.data())));
          CHECK(all_nan(x));
        }
      auto x = random<float>(n + 1, n);
      auto without = x;
      x[n / 2] = -infinity;
      without.erase(without.begin() + static_cast<std::ptrdiff_t>(n / 2));
      softmax(backend, n + 1, x.data());
      softmax(backend, n, without.data());
      CHECK(x[n / 2] == 0);
      x.erase(x.begin() + static_cast<std::ptrdiff_t>(n / 2));
      CHECK(difference(without, x) < 1e-5);
    }
  });
}

TEST_CASE("attention: what comes after a NaN is NaN, what comes before does not know of it", "[kernels]") {
  const attention_shape s{2, 70, 4, 2, 8};
  const std::size_t row = s.qkv_dim(), batch = s.length * row;
  const auto clean = random<float>(s.batch * batch, 1);
  backends::each([&](auto backend) {
    serial exec;
    heap_arena memory(1 << 20);
    auto ws = attention_workspace<float>::place(memory, backend, query_tile, s.head_dim, false);
    auto forward = [&](const std::vector<float>& qkv, std::vector<float>& log_sum, double rate) {
      std::vector<float> out(s.batch * s.length * s.q_dim());
      log_sum.resize(s.batch * s.heads * s.length);
      attention_forward(backend, exec, s.of_heads(), s.rows(), qkv.data(),
                        batch_keys<float>{qkv.data(), s.of_heads(), s.length}, out.data(), log_sum.data(),
                        rate > 0 ? dropout_mask{9, rate} : dropout_mask{}, &ws);
      return out;
    };
    for (double rate : {0.0, 0.3}) {
      std::vector<float> sums, poisoned_sums;
      const auto expected = forward(clean, sums, rate);
      for (std::size_t t : {0, 1, 33, 69})
        for (std::size_t part = 0; part < 3; ++part) {  // of head 1: its query, its key, its value
          auto qkv = clean;
          const std::size_t column[] = {s.head_dim, s.q_dim(), s.q_dim() + s.kv_dim()};
          qkv[t * row + column[part] + 3] = not_a_number;
          const auto out = forward(qkv, poisoned_sums, rate);
          std::size_t lost = 0;
          double off = 0;
          for (std::size_t i = 0; i < out.size(); ++i) {
            const std::size_t at = i / s.q_dim() % s.length, head = i % s.q_dim() / s.head_dim;
            const bool reads = i < s.length * s.q_dim() && (part == 0 ? at == t && head == 1 : at >= t && head < 2);
            const bool depends = reads && (part < 2 || i % s.head_dim == 3);
            if (depends)
              lost += !std::isnan(out[i]);
            else if (!reads)  // a row on its own may be NaN as a whole, and sums another way
              off = worse(off, std::fabs(static_cast<double>(out[i]) - static_cast<double>(expected[i])));
          }
          INFO(decltype(backend)::name << " part " << part << " at " << t);
          CHECK(lost == 0);
          CHECK(off < 1e-5);
          for (std::size_t i = 0; i < t; ++i) CHECK(poisoned_sums[s.length + i] == Approx(sums[s.length + i]));
        }
    }
  });
}
