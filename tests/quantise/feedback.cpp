// Rounding with feedback against GPTQ as its paper has it, written in the plainest way: an inverse, its Cholesky
// factor, and an update of all later columns after each.
#include "catch.hpp"

#include <ctlm/ctlm.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>
#include <vector>

using namespace ctlm;

namespace {

using backend_type = native;

/// Inputs [rows][columns] as a model's are: columns differ in size, and most of what they say is said by fewer numbers
/// than there are columns.
std::vector<float> inputs_like(std::size_t rows, std::size_t columns, std::uint64_t seed) {
  rng r{seed};
  const std::size_t rank = columns / 4;
  std::vector<double> mixed(rank * columns), said(rank);
  for (auto& m : mixed) m = r.normal();
  std::vector<float> x(rows * columns);
  for (std::size_t i = 0; i < rows; ++i) {
    for (auto& s : said) s = r.normal();
    for (std::size_t j = 0; j < columns; ++j) {
      double sum = 0.5 * r.normal();
      for (std::size_t k = 0; k < rank; ++k) sum += said[k] * mixed[k * columns + j] / std::sqrt(rank);
      x[i * columns + j] = static_cast<float>(sum * (0.2 + static_cast<double>(j % 7)));
    }
  }
  return x;
}

std::vector<float> weights_like(std::size_t n, std::uint64_t seed) {
  rng r{seed};
  std::vector<float> w(n);
  for (auto& v : w) v = static_cast<float>(0.1 * r.normal());
  return w;
}

/// H = X^T X in double.
std::vector<double> products_of(const std::vector<float>& x, std::size_t n) {
  std::vector<double> h(n * n);
  for (std::size_t i = 0; i < x.size() / n; ++i)
    for (std::size_t a = 0; a < n; ++a)
      for (std::size_t b = 0; b < n; ++b)
        h[a * n + b] += static_cast<double>(x[i * n + a]) * static_cast<double>(x[i * n + b]);
  return h;
}

/// The inverse of a symmetric positive definite matrix.
std::vector<double> inverse(std::vector<double> a, std::size_t n) {
  std::vector<double> out(n * n);
  for (std::size_t i = 0; i < n; ++i) out[i * n + i] = 1;
  for (std::size_t k = 0; k < n; ++k) {
    const double pivot = a[k * n + k];
    for (std::size_t j = 0; j < n; ++j) a[k * n + j] /= pivot, out[k * n + j] /= pivot;
    for (std::size_t i = 0; i < n; ++i) {
      const double factor = i == k ? 0 : a[i * n + k];
      for (std::size_t j = 0; j < n; ++j) {
        a[i * n + j] -= factor * a[k * n + j];
        out[i * n + j] -= factor * out[k * n + j];
      }
    }
  }
  return out;
}

/// C with A = C^T C, upper triangular.
std::vector<double> upper_cholesky(std::vector<double> a, std::size_t n) {
  for (std::size_t k = 0; k < n; ++k) {
    const double root = std::sqrt(a[k * n + k]);
    for (std::size_t j = k; j < n; ++j) a[k * n + j] /= root;
    for (std::size_t i = k + 1; i < n; ++i)
      for (std::size_t j = i; j < n; ++j) a[i * n + j] -= a[k * n + i] * a[k * n + j];
    for (std::size_t j = 0; j < k; ++j) a[k * n + j] = 0;
  }
  return a;
}

/// The codes that the paper's algorithm chooses for one row, whose scales and bases are given.
template <class F>
std::vector<int> reference_codes(std::vector<double> w, const std::vector<double>& h,
                                 const std::vector<std::size_t>& order, const std::vector<float>& scales,
                                 const std::vector<float>& bases, double damping) {
  const std::size_t n = w.size();
  double mean = 0;
  for (std::size_t i = 0; i < n; ++i) mean += h[i * n + i] / static_cast<double>(n);
  std::vector<double> damped(n * n);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) damped[i * n + j] = h[order[i] * n + order[j]] + (i == j ? damping * mean : 0);
  const auto c = upper_cholesky(inverse(damped, n), n);
  std::vector<int> codes(n);
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t column = order[i], g = column / F::group_size(n);
    const double scale = static_cast<double>(scales[g]), base = static_cast<double>(bases[g]);
    const double at = std::clamp<double>((w[column] - base) / scale, F::lowest, F::highest);
    codes[column] = static_cast<int>(at + (at < 0 ? -0.5 : 0.5));
    const double error = (w[column] - (codes[column] * scale + base)) / c[i * n + i];
    for (std::size_t j = i + 1; j < n; ++j) w[order[j]] -= error * c[i * n + j];
  }
  return codes;
}

/// A matrix of `rows` x `columns`, its inputs, and everything that rounding it needs.
template <class F>
struct rounded_matrix {
  using layout = stored<F>;
  std::size_t rows, columns;
  std::vector<float> weights, x;
  heap_arena memory;
  decltype(layout::place(memory, 0, 0)) matrix;
  input_statistics<float> inputs;
  rounding_feedback<float> feedback;
  rounding_feedback<float>::scratch_type scratch;
  rounded_stripe stripe;
  std::vector<float> mean;

  rounded_matrix(std::size_t rows_, std::size_t columns_, std::uint64_t seed)
      : rows(rows_),
        columns(columns_),
        weights(weights_like(rows * columns, seed)),
        x(inputs_like(3 * columns, columns, seed + 1)),
        memory(std::size_t{1} << 22),
        matrix(layout::place(memory, rows, columns)),
        inputs(input_statistics<float>::place(memory, columns, true)),
        feedback(rounding_feedback<float>::place(memory, columns)),
        scratch(rounding_feedback<float>::scratch_type::place(memory, backend_type{}, columns, 1)),
        stripe(rounded_stripe::place(memory, columns, F::groups(columns))),
        mean(columns) {
    serial exec;
    const std::size_t stride = gemm_workspace<float>(backend_type{}, inputs.stripe, columns, 3 * columns);
    std::vector<float> workspace(stride);
    inputs.clear();
    inputs.add(backend_type{}, exec, 3 * columns, x.data(), workspace.data(), stride);
  }

  /// Scales by the weights of the inputs; codes to the nearest.
  void round_plainly() {
    REQUIRE(inputs.mean_squares(mean.data()));
    for (std::size_t r = 0; r < rows; ++r) layout::encode(matrix, r, weights.data() + r * columns, mean.data());
  }
  void round(double damping, bool by_size) {
    serial exec;
    round_plainly();
    REQUIRE(feedback.compute(backend_type{}, exec, inputs, damping, by_size, scratch));
    for (std::size_t first = 0; first < rows; first += stripe_rows) {
      const std::size_t count = std::min<std::size_t>(stripe_rows, rows - first);
      std::copy_n(weights.data() + first * columns, count * columns, stripe.rows);
      round_with_feedback<F>(matrix, first, count, feedback, stripe);
    }
  }
  float scale(std::size_t r, std::size_t g) const {
    return F::scale_format::scale(matrix.scales[layout::scale_index(matrix, r, g)]);
  }
  float base(std::size_t r, std::size_t g) const {
    if constexpr (F::compact)
      return -scale(r, g) * matrix.minima[layout::scale_index(matrix, r, g)] / static_cast<float>(256 >> F::bits);
    else if constexpr (F::has_min)
      return half_to_float(matrix.minima[layout::scale_index(matrix, r, g)]);
    else
      return -F::zero * scale(r, g);
  }
  int code(std::size_t r, std::size_t j) const {
    std::vector<float> row(columns);
    layout::decode(matrix, r, 0, columns, row.data());
    const std::size_t g = j / F::group_size(columns);
    return static_cast<int>(std::lround((row[j] - base(r, g)) / scale(r, g)));
  }
  /// tr((W - Q) H (W - Q)^T).
  double loss() const {
    const auto h = products_of(x, columns);
    double sum = 0;
    std::vector<float> row(columns);
    for (std::size_t r = 0; r < rows; ++r) {
      layout::decode(matrix, r, 0, columns, row.data());
      for (std::size_t a = 0; a < columns; ++a)
        for (std::size_t b = 0; b < columns; ++b)
          sum += static_cast<double>(row[a] - weights[r * columns + a]) *
                 static_cast<double>(row[b] - weights[r * columns + b]) * h[a * columns + b];
    }
    return sum;
  }
};

}  // namespace

TEST_CASE("sums of products and squares are those of double precision", "[quantise]") {
  const std::size_t n = 200, rows = 150;  // two stripes of columns
  const auto x = inputs_like(rows, n, 5);
  const auto expected = products_of(x, n);
  heap_arena memory(1 << 20);
  auto s = input_statistics<float>::place(memory, n, true);
  serial exec;
  const std::size_t stride = gemm_workspace<float>(backend_type{}, s.stripe, n, rows);
  std::vector<float> workspace(stride), mean(n);
  s.clear();
  s.add(backend_type{}, exec, 50, x.data(), workspace.data(), stride);
  s.add(backend_type{}, exec, 100, x.data() + 50 * n, workspace.data(), stride);
  CHECK(s.rows == rows);
  REQUIRE(s.mean_squares(mean.data()));
  for (std::size_t a = 0; a < n; ++a) {
    CHECK(static_cast<double>(mean[a]) == Approx(expected[a * n + a] / rows).epsilon(1e-5));
    for (std::size_t b = 0; b <= a; ++b) {
      const double size = std::sqrt(expected[a * n + a] * expected[b * n + b]);
      if (std::fabs(static_cast<double>(s.products[a * n + b]) - expected[a * n + b]) > 1e-5 * size)
        FAIL("x_" << a << " x_" << b);
    }
  }
}

TEST_CASE("sums that are not finite, or of no rows, weigh nothing", "[quantise]") {
  heap_arena memory(1 << 12);
  auto s = input_statistics<float>::place(memory, 3, false);
  serial exec;
  float mean[3]{};
  s.clear();
  CHECK_FALSE(s.mean_squares(mean));
  const float x[] = {1, std::numeric_limits<float>::quiet_NaN(), 2};
  s.add(backend_type{}, exec, 1, x, static_cast<float*>(nullptr), 0);
  CHECK_FALSE(s.mean_squares(mean));
  s.clear();
  const float huge[] = {1, 3e30f, 2};
  s.add(backend_type{}, exec, 1, huge, static_cast<float*>(nullptr), 0);
  CHECK_FALSE(s.mean_squares(mean));
}

TEST_CASE("targets move to the weights that make what the exact model has", "[quantise]") {
  const std::size_t n = 130, rows = 400;  // factorised in three blocks
  rounded_matrix<int4<32>> m(21, n, 3);
  auto exact = inputs_like(rows, n, 5), x = exact;
  rng r{6};
  for (auto& v : x) v = 0.9f * v + static_cast<float>(0.2 * r.normal());
  serial exec;
  const std::size_t stride = gemm_workspace<float>(backend_type{}, m.inputs.stripe, n, rows);
  std::vector<float> workspace(stride), distance = exact;
  m.inputs.clear();
  m.inputs.add(backend_type{}, exec, rows, x.data(), workspace.data(), stride);
  m.inputs.add_moved(backend_type{}, exec, 100, x.data(), distance.data(), workspace.data(), stride);
  m.inputs.add_moved(backend_type{}, exec, rows - 100, x.data() + 100 * n, distance.data() + 100 * n, workspace.data(),
                     stride);
  REQUIRE(m.feedback.compute(backend_type{}, exec, m.inputs, 0.01, true, m.scratch));

  // w + part * w M (H + 0.01 mean)^-1, M_ki = sum (exact_k - x_k) x_i, in double
  auto h = products_of(x, n);
  double mean = 0;
  for (std::size_t i = 0; i < n; ++i) mean += h[i * n + i] / static_cast<double>(n);
  for (std::size_t i = 0; i < n; ++i) h[i * n + i] += 0.01 * mean;
  const auto inverted = inverse(h, n);
  const float part = GENERATE(0.25f, 1.0f);
  m.feedback.divide(backend_type{}, exec, n, m.inputs.moved, m.scratch);
  std::vector<float> moved(m.weights.begin(), m.weights.begin() + 16 * n), way(n);
  for (std::size_t row = 0; row < 16; ++row) {
    for (std::size_t i = 0; i < n; ++i) {
      double sum = 0;
      for (std::size_t k = 0; k < n; ++k)
        sum += static_cast<double>(moved[row * n + k]) * static_cast<double>(m.inputs.moved[k * n + i]);
      way[i] = static_cast<float>(sum);
    }
    if (row == 3) way[7] = std::numeric_limits<float>::quiet_NaN();
    move_row(n, way.data(), part, moved.data() + row * n);
  }
  double largest = 0;
  for (std::size_t row = 0; row < 16; ++row) {
    const float* const w = m.weights.data() + row * n;
    std::vector<double> t(n);
    for (std::size_t a = 0; a < rows; ++a) {
      double move = 0;
      for (std::size_t k = 0; k < n; ++k)
        move += static_cast<double>(w[k]) * (static_cast<double>(exact[a * n + k]) - static_cast<double>(x[a * n + k]));
      for (std::size_t i = 0; i < n; ++i) t[i] += move * static_cast<double>(x[a * n + i]);
    }
    for (std::size_t i = 0; i < n; ++i) {
      double move = 0;
      for (std::size_t j = 0; j < n; ++j) move += t[j] * inverted[j * n + i];
      const float found = moved[row * n + i];
      if (row == 3) {  // what is not finite moves nothing
        CHECK(found == w[i]);
        continue;
      }
      largest = std::max(largest, std::fabs(move));
      if (std::fabs(static_cast<double>(found - w[i]) - static_cast<double>(part) * move) > 1e-4)
        FAIL(row << " " << i << ": " << found - w[i] << " and not " << static_cast<double>(part) * move);
    }
  }
  CHECK(largest > 0.01);
}

namespace {

#if CTLM_FEW_KINDS  // under a sanitizer: each way once, as they are long to compile
using coded = std::tuple<int4<32>, int4<32, compact>, int2<32, asymmetric>, int8<32>, int3<32>, int5<32>, ternary<>>;
using with_loss = std::tuple<int4<32>>;
#else
using coded = std::tuple<int4<32>, int4<32, asymmetric>, int4<32, compact>, int2<32, asymmetric>, int8<32>, int3<32>,
                         int3<32, asymmetric>, int5<32>, int6<32>, ternary<>>;
using with_loss = std::tuple<int4<32>, int4<32, asymmetric>, int4<32, compact>, int2<32, asymmetric>, int3<32>,
                             int3<32, asymmetric>, int5<32>, int6<32>>;
#endif

}  // namespace

TEMPLATE_LIST_TEST_CASE("codes are those of GPTQ's paper", "[quantise]", coded) {
  for (const bool by_size : {true, false}) {
    for (const std::size_t columns : {std::size_t{40}, std::size_t{130}}) {  // the second is factorised in three blocks
      rounded_matrix<TestType> m(21, columns, 3);
      const double damping = by_size ? 0.01 : 0.1;
      m.round(damping, by_size);
      const auto h = products_of(m.x, columns);
      std::vector<std::size_t> order(columns);
      std::iota(order.begin(), order.end(), std::size_t{0});
      if (by_size)
        std::stable_sort(order.begin(), order.end(),
                         [&](auto a, auto b) { return h[a * columns + a] > h[b * columns + b]; });
      std::size_t others = 0;
      for (std::size_t r = 0; r < m.rows; ++r) {
        std::vector<float> scales, bases;
        for (std::size_t g = 0; g < TestType::groups(columns); ++g)
          scales.push_back(m.scale(r, g)), bases.push_back(m.base(r, g));
        const std::vector<double> w(m.weights.begin() + static_cast<long>(r * columns),
                                    m.weights.begin() + static_cast<long>((r + 1) * columns));
        const auto expected = reference_codes<TestType>(w, h, order, scales, bases, damping);
        for (std::size_t j = 0; j < columns; ++j) others += m.code(r, j) != expected[j];
      }
      CAPTURE(by_size, columns);
      CHECK(others == 0);
    }
  }
}

TEMPLATE_LIST_TEST_CASE("feedback makes the error of the product less", "[quantise]", with_loss) {
  for (const std::uint64_t seed : {1, 2, 3}) {
    rounded_matrix<TestType> m(16, 96, seed);
    m.round_plainly();
    const double plain = m.loss();
    m.round(0.01, true);
    CHECK(m.loss() < 0.5 * plain);
  }
}

TEST_CASE("columns that no input reaches, and groups that are NaN, spoil no others", "[quantise]") {
  rounded_matrix<int4<32>> m(2, 64, 9);
  for (std::size_t i = 0; i < m.x.size(); i += 64) std::fill_n(m.x.begin() + static_cast<long>(i), 32, 0.0f);
  serial exec;
  const std::size_t stride = gemm_workspace<float>(backend_type{}, m.inputs.stripe, 64, 192);
  std::vector<float> workspace(stride), row(64);
  m.inputs.clear();
  m.inputs.add(backend_type{}, exec, 192, m.x.data(), workspace.data(), stride);
  m.weights[5] = std::numeric_limits<float>::quiet_NaN();  // row 0, first group
  m.round(0.01, true);
  for (std::size_t r = 0; r < 2; ++r) {
    stored<int4<32>>::decode(m.matrix, r, 0, 64, row.data());
    for (std::size_t j = 0; j < 64; ++j) {
      CAPTURE(r, j);
      if (r == 0 && j < 32)
        CHECK(std::isnan(row[j]));
      else
        CHECK(std::fabs(row[j] - m.weights[r * 64 + j]) < 0.15f);
    }
  }
}
