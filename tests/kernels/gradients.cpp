// The backward pass of every operation against central differences in double.
#include "catch.hpp"

#include "reference.hpp"

using reference::difference;
using reference::gradient;
using reference::project;
using reference::random;

namespace {

constexpr double limit = 1e-7;
ctlm::serial exec;

}  // namespace

TEMPLATE_TEST_CASE("activation functions", "[kernels][gradient]", ctlm::relu, ctlm::gelu, ctlm::gelu_tanh, ctlm::silu,
                   (ctlm::swish<17, 10>), ctlm::tanh_activation, ctlm::sigmoid_activation, ctlm::swiglu, ctlm::geglu,
                   ctlm::geglu_tanh) {
  using A = TestType;
  const std::size_t rows = 3, n = 13, width = A::gated ? 2 * n : n;
  auto x = random<double>(rows * width, 1);
  const auto dy = random<double>(rows * n, 2);
  auto loss = [&] {
    std::vector<double> y(rows * n);
    ctlm::activation_forward(A{}, ctlm::native{}, exec, rows, n, x.data(), y.data());
    return project(y, dy);
  };
  const auto expected = gradient(x, loss);
  auto dx = x;
  ctlm::activation_backward(A{}, ctlm::native{}, exec, rows, n, dy.data(), dx.data());
  CHECK(difference(expected, dx) < limit);
}

TEMPLATE_TEST_CASE("normalisation", "[kernels][gradient]", ctlm::rms_norm, ctlm::layer_norm) {
  using N = TestType;
  using statistics = typename N::template statistics<double>;
  const std::size_t rows = 4, n = 19;
  auto x = random<double>(rows * n, 1), weight = random<double>(n, 2), bias = random<double>(n, 3);
  const auto dy = random<double>(rows * n, 4);
  std::vector<statistics> stats(rows);
  auto loss = [&] {
    std::vector<double> y(rows * n);
    ctlm::norm_forward(N{}, ctlm::native{}, exec, rows, n, x.data(), weight.data(), bias.data(), y.data(), 1e-5f,
                       stats.data());
    return project(y, dy);
  };
  const auto expected_x = gradient(x, loss), expected_weight = gradient(weight, loss),
             expected_bias = gradient(bias, loss);
  loss();
  std::vector<double> dx(rows * n), dweight(n), dbias(n);
  ctlm::norm_backward(N{}, ctlm::native{}, exec, rows, n, x.data(), weight.data(), dy.data(), dx.data(), dweight.data(),
                      dbias.data(), stats.data());
  CHECK(difference(expected_x, dx) < limit);
  CHECK(difference(expected_weight, dweight) < limit);
  if (N::has_bias) CHECK(difference(expected_bias, dbias) < limit);
}

TEST_CASE("linear layers", "[kernels][gradient]") {
  const std::size_t m = 5, n = 7, k = 6;
  auto x = random<double>(m * k, 1), w = random<double>(n * k, 2), bias = random<double>(n, 3);
  const auto dy = random<double>(m * n, 4);
  ctlm::heap_arena memory(1 << 20);
  auto ws = ctlm::linear_workspace<ctlm::native, ctlm::f64, ctlm::decoded>::place(memory, n, n, k, 1);
  auto loss = [&] {
    std::vector<double> y(m * n);
    ctlm::linear(ctlm::native{}, exec, m, x.data(), ctlm::matrix<const ctlm::f64>{w.data(), n, k},
                 ctlm::linear_terms<double>{bias.data(), nullptr}, y.data(), ws);
    return project(y, dy);
  };
  const auto ex = gradient(x, loss), ew = gradient(w, loss), eb = gradient(bias, loss);
  std::vector<double> dx(m * k), dw(n * k), db(n);
  ctlm::linear_backward_input(ctlm::native{}, exec, m, dy.data(), ctlm::matrix<const ctlm::f64>{w.data(), n, k},
                              dx.data(), false, ws);
  ctlm::linear_backward_weight(ctlm::native{}, exec, m, dy.data(), x.data(), ctlm::matrix<ctlm::f64>{dw.data(), n, k},
                               true, db.data(), ws);
  CHECK(difference(ex, dx) < limit);
  CHECK(difference(ew, dw) < limit);
  CHECK(difference(eb, db) < limit);
}

TEST_CASE("rotary positions", "[kernels][gradient]") {
  const std::size_t rows = 6, heads = 3, head_dim = 8, n = heads * head_dim;
  std::vector<double> cosine(rows * head_dim / 2), sine(rows * head_dim / 2);
  ctlm::rope_angles(rows, head_dim, 5, 10000.0, cosine.data(), sine.data());
  auto x = random<double>(rows * n, 1);
  const auto dy = random<double>(rows * n, 2);
  auto turn = [&](std::vector<double> y, double direction) {
    ctlm::rope(ctlm::native{}, exec, rows, rows, heads, head_dim, head_dim, y.data(), n, cosine.data(), sine.data(),
               direction);
    return y;
  };
  const auto expected = gradient(x, [&] { return project(turn(x, 1), dy); });
  CHECK(difference(expected, turn(dy, -1)) < limit);
  CHECK(difference(x, turn(turn(x, 1), -1)) < 1e-14);
}

TEST_CASE("cross entropy", "[kernels][gradient]") {
  const std::size_t rows = 4, n = 11;
  auto logits = random<double>(rows * n, 1, 3);
  const ctlm::token targets[] = {3, 0, ctlm::ignore_token, 10};
  std::vector<double> losses(rows);
  auto loss = [&] {
    auto copy = logits;
    ctlm::cross_entropy(ctlm::native{}, exec, rows, n, copy.data(), targets, 1.0 / 3, losses.data());
    return (losses[0] + losses[1] + losses[2] + losses[3]) / 3;
  };
  const auto expected = gradient(logits, loss);
  auto d = logits;
  ctlm::cross_entropy(ctlm::native{}, exec, rows, n, d.data(), targets, 1.0 / 3, losses.data());
  CHECK(difference(expected, d) < limit);
  CHECK(losses[2] == 0);
  for (std::size_t i = 0; i < n; ++i) CHECK(d[2 * n + i] == 0);
  CHECK(ctlm::negative_log_likelihood(ctlm::native{}, n, logits.data(), 3) == Approx(losses[0]).epsilon(1e-12));
}

TEMPLATE_TEST_CASE("softmax of rows longer than a stretch", "[kernels]", float, double) {
  using T = TestType;
  for (std::size_t n : {1, 2048, 2049, 50257, 150001}) {
    for (T slope : {T(8), T(-8), T(0)}) {  // the highest logit comes last, first, anywhere
      auto x = random<T>(n, n, 5);
      for (std::size_t i = 0; i < n; ++i) x[i] += slope * static_cast<T>(i) / static_cast<T>(n);
      double total = 0;
      for (T v : x) total += std::exp(static_cast<double>(v));
      auto p = x;
      const T log_sum = ctlm::softmax(ctlm::native{}, n, p.data(), T(0.25));
      CHECK(static_cast<double>(log_sum) == Approx(std::log(total)).epsilon(1e-6));
      double worst = 0;
      for (std::size_t i = 0; i < n; ++i) {
        const double expected = 0.25 * std::exp(static_cast<double>(x[i])) / total;
        worst = worse(worst, std::fabs(static_cast<double>(p[i]) - expected) / expected);
      }
      CHECK(worst < (std::is_same_v<T, float> ? 1e-5 : 1e-12));
    }
  }
}

TEST_CASE("cross entropy against a teacher", "[kernels][gradient]") {
  const std::size_t rows = 3, n = 11;
  auto logits = random<double>(rows * n, 1, 3);
  const auto teacher = random<double>(rows * n, 2, 2);
  std::vector<double> losses(rows);
  auto run = [&](std::vector<double> x) {
    auto t = teacher;
    ctlm::soft_cross_entropy(ctlm::native{}, exec, rows, n, x.data(), t.data(), 1.0 / 3, losses.data());
    return x;
  };
  const auto expected = gradient(logits, [&] {
    run(logits);
    return (losses[0] + losses[1] + losses[2]) / 3;
  });
  CHECK(difference(expected, run(logits)) < limit);
  const auto itself = run(teacher);  // a student that equals its teacher has nothing to learn
  for (double d : itself) CHECK(std::fabs(d) < 1e-15);
}

TEST_CASE("embeddings scatter their gradients, repeated tokens add up", "[kernels][gradient]") {
  const std::size_t rows = 6, n = 10, vocab = 5;
  const ctlm::token tokens[] = {1, 4, 1, 0, 1, 2};
  auto table = random<double>(vocab * n, 1), positions = random<double>(3 * n, 2);
  const auto dy = random<double>(rows * n, 3);
  auto loss = [&] {
    std::vector<double> x(rows * n), scratch(n);
    ctlm::embed(ctlm::native{}, exec, ctlm::f64{}, rows, tokens, {table.data(), vocab, n}, x.data());
    ctlm::add_positions(ctlm::native{}, exec, ctlm::f64{}, rows, 3, 0, {positions.data(), 3, n}, x.data(),
                        scratch.data());
    return project(x, dy);
  };
  const auto et = gradient(table, loss), ep = gradient(positions, loss);
  std::vector<double> dt(vocab * n), dp(3 * n);
  ctlm::embed_backward(ctlm::native{}, exec, rows, n, tokens, dy.data(), dt.data());
  ctlm::add_positions_backward(ctlm::native{}, exec, rows, 3, n, dy.data(), dp.data());
  CHECK(difference(et, dt) < limit);
  CHECK(difference(ep, dp) < limit);
}
