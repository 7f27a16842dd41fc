// Attention against the textbook formula with its T x T matrix, and its gradients against central differences.
#include "catch.hpp"

#include "attention_shape.hpp"
#include "reference.hpp"

using reference::difference;
using reference::gradient;
using reference::project;
using reference::random;

namespace {

ctlm::serial exec;

struct workspace {
  ctlm::heap_arena memory{1 << 20};
  ctlm::attention_workspace<double> ws =
      ctlm::attention_workspace<double>::place(memory, ctlm::native{}, ctlm::query_tile, 64, true);
};

/// softmax(q k^T / sqrt(head_dim)) v, causal, with an optional dropout mask, in plain loops.
std::vector<double> textbook(const attention_shape& s, const std::vector<double>& qkv, const ctlm::dropout_mask& mask) {
  std::vector<double> out(s.batch * s.length * s.q_dim());
  for (std::size_t b = 0; b < s.batch; ++b)
    for (std::size_t h = 0; h < s.heads; ++h)
      for (std::size_t t = 0; t < s.length; ++t) {
        const double* q = &qkv[(b * s.length + t) * s.qkv_dim() + h * s.head_dim];
        std::vector<double> p(t + 1);
        double total = 0;
        for (std::size_t j = 0; j <= t; ++j) {
          const double* k = &qkv[(b * s.length + j) * s.qkv_dim() + s.q_dim() + h / s.group() * s.head_dim];
          double dot = 0;
          for (std::size_t i = 0; i < s.head_dim; ++i) dot += q[i] * k[i];
          total += p[j] = std::exp(dot / std::sqrt(static_cast<double>(s.head_dim)));
        }
        for (std::size_t j = 0; j <= t; ++j) {
          const double* v =
              &qkv[(b * s.length + j) * s.qkv_dim() + s.q_dim() + s.kv_dim() + h / s.group() * s.head_dim];
          const double keep =
              mask.active() ? mask.factor<double>(((b * s.heads + h) * s.length + t) * s.length + j) : 1.0;
          for (std::size_t i = 0; i < s.head_dim; ++i)
            out[(b * s.length + t) * s.q_dim() + h * s.head_dim + i] += keep * p[j] / total * v[i];
        }
      }
  return out;
}

template <class T>
std::vector<T> forward(const attention_shape& s, const std::vector<T>& qkv, std::vector<T>& log_sum,
                       const ctlm::dropout_mask& mask, ctlm::attention_workspace<T>& ws) {
  std::vector<T> out(s.batch * s.length * s.q_dim());
  log_sum.resize(s.batch * s.heads * s.length);
  ctlm::attention_forward(ctlm::native{}, exec, s.of_heads(), s.rows(), qkv.data(),
                          ctlm::batch_keys<T>{qkv.data(), s.of_heads(), s.length}, out.data(), log_sum.data(), mask,
                          &ws);
  return out;
}

}  // namespace

TEST_CASE("attention equals the textbook formula", "[kernels]") {
  workspace w;
  for (const attention_shape s :
       {attention_shape{1, 1, 1, 1, 4}, {2, 5, 3, 3, 6}, {1, 33, 4, 2, 8}, {1, 64, 2, 1, 16}, {2, 131, 6, 2, 5}}) {
    for (double rate : {0.0, 0.3}) {
      INFO("length " << s.length << " heads " << s.heads << "/" << s.kv_heads << " dropout " << rate);
      const ctlm::dropout_mask mask = rate > 0 ? ctlm::dropout_mask{99, rate} : ctlm::dropout_mask{};
      const auto qkv = random<double>(s.batch * s.length * s.qkv_dim(), s.length);
      std::vector<double> log_sum;
      CHECK(difference(textbook(s, qkv, mask), forward(s, qkv, log_sum, mask, w.ws)) < 1e-13);
    }
  }
}

TEST_CASE("attention with extreme scores neither overflows nor loses its weights", "[kernels]") {
  const attention_shape s{1, 70, 1, 1, 4};
  auto qkv = random<float>(s.length * s.qkv_dim(), 3, 60);
  ctlm::heap_arena memory(1 << 20);
  auto ws = ctlm::attention_workspace<float>::place(memory, ctlm::native{}, ctlm::query_tile, 64, false);
  std::vector<float> log_sum;
  const auto out = forward(s, qkv, log_sum, {}, ws);
  // Scores in the thousands overflow exp unless the running maximum is subtracted: the output is then one row of v.
  for (std::size_t t = 0; t < s.length; ++t) {
    const float* q = &qkv[t * s.qkv_dim()];
    std::size_t best = 0;
    double most = -1e300;
    for (std::size_t j = 0; j <= t; ++j) {
      double dot = 0;
      for (std::size_t i = 0; i < s.head_dim; ++i)
        dot += static_cast<double>(q[i]) * static_cast<double>(qkv[j * s.qkv_dim() + s.q_dim() + i]);
      if (dot > most) {
        most = dot;
        best = j;
      }
    }
    for (std::size_t i = 0; i < s.head_dim; ++i) {
      REQUIRE(std::isfinite(out[t * s.head_dim + i]));
      CHECK(out[t * s.head_dim + i] == Approx(qkv[best * s.qkv_dim() + s.q_dim() + s.kv_dim() + i]).margin(0.5));
    }
  }
}

TEST_CASE("gradients of attention", "[kernels][gradient]") {
  workspace w;
  for (const attention_shape s : {attention_shape{2, 7, 4, 2, 6}, {1, 67, 2, 1, 4}}) {
    for (double rate : {0.0, 0.25}) {
      INFO("length " << s.length << " dropout " << rate);
      const ctlm::dropout_mask mask = rate > 0 ? ctlm::dropout_mask{5, rate} : ctlm::dropout_mask{};
      auto qkv = random<double>(s.batch * s.length * s.qkv_dim(), 1);
      const auto dout = random<double>(s.batch * s.length * s.q_dim(), 2);
      std::vector<double> log_sum;
      const auto expected = gradient(qkv, [&] { return project(forward(s, qkv, log_sum, mask, w.ws), dout); });
      const auto out = forward(s, qkv, log_sum, mask, w.ws);
      std::vector<double> dqkv(qkv.size(), 1e300);  // every element must be written
      ctlm::attention_backward(ctlm::native{}, exec, s.of_heads(), s.rows(), qkv.data(), out.data(), dout.data(),
                               log_sum.data(), dqkv.data(), mask, &w.ws);
      CHECK(difference(expected, dqkv) < 1e-7);
    }
  }
}

TEST_CASE("dropout keeps expectations and repeats its mask", "[kernels]") {
  const ctlm::dropout_mask mask{42, 0.2};
  std::vector<double> x(100000, 1.0), y = x;
  ctlm::apply_dropout(mask, x.size(), x.data(), 7);
  double mean = 0;
  for (double v : x) {
    REQUIRE((v == 0 || v == Approx(1.25)));
    mean += v / static_cast<double>(x.size());
  }
  CHECK(mean == Approx(1.0).margin(0.01));
  ctlm::apply_dropout(mask, 10, y.data(), 57);
  for (std::size_t i = 0; i < 10; ++i) CHECK(y[i] == x[50 + i]);
}
