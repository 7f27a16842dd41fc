// A NaN or an infinity among the weights of a model reaches every logit that depends on it, in every storage format,
// and none that does not.
#include "catch.hpp"

#include "models.hpp"
#include "worse.hpp"

#include <cmath>
#include <cstring>
#include <limits>

using namespace models;
using namespace ctlm;

namespace {

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

/// A model with one number of one tensor replaced, which what looks at its logits need not know.
struct some_model {
  const std::size_t vocab;
  const bool tied;
  /// Rows beside a lost one are computed on their own, and sum in another order. A cache that rounds may then round a
  /// key or a value the other way: by one step of its format.
  const double last_bits;

  virtual ~some_model() = default;
  virtual void restore() = 0;
  virtual void vector(tensor_id id, std::size_t i, float x) = 0;
  virtual void matrix(tensor_id id, std::size_t row, std::size_t column, float x) = 0;
  /// The logits after each token: taken at once, or one by one.
  virtual std::vector<double> logits(const std::vector<token>& tokens, bool at_once) = 0;

 protected:
  some_model(std::size_t entries, bool is_tied, double bits) : vocab(entries), tied(is_tied), last_bits(bits) {}
};

template <class M>
struct poisoned final : some_model {
  running<M> r, clean;
  poisoned()
      : some_model(M::shape.vocab, M::shape.tie_embeddings, native_format<typename M::cache_format> ? 1e-4 : 1e-2) {
    randomise<M>(clean.weights);
    restore();
  }
  void restore() override { std::memcpy(r.weights.bytes().data(), clean.weights.bytes().data(), M::weight_bytes); }
  void vector(tensor_id id, std::size_t i, float x) override {
    r.weights.raw_vector(static_cast<std::size_t>(id))[i] = static_cast<typename M::real>(x);
  }
  void matrix(tensor_id id, std::size_t row, std::size_t column, float x) override {
    using F = typename M::weights::format;
    const auto& m = r.weights.raw_matrix(static_cast<std::size_t>(id));
    std::vector<typename M::real> numbers(m.cols);
    F::decode(m, row, 0, m.cols, numbers.data());
    numbers[column] = static_cast<typename M::real>(x);
    F::encode(m, row, numbers.data());
  }
  std::vector<double> logits(const std::vector<token>& tokens, bool at_once) override {
    std::vector<double> all;
    auto keep = [&](std::size_t, auto logits) { all.insert(all.end(), logits.begin(), logits.end()); };
    r.session.reset();
    if (at_once)
      r.session.score(tokens, keep);
    else
      for (token t : tokens) keep(0, r.session.decode(t));
    return all;
  }
};

/// Of the logits [tokens][vocab] that depend(position, entry) all are lost, and all others as they were.
template <class Depend>
void check_logits(const some_model& m, const std::vector<double>& clean, const std::vector<double>& got,
                  Depend depend) {
  std::size_t kept = 0;
  double off = 0;
  for (std::size_t i = 0; i < got.size(); ++i)
    if (depend(i / m.vocab, i % m.vocab))
      kept += std::isfinite(got[i]);
    else
      off = worse(off, std::fabs(got[i] - clean[i]));
  CHECK(kept == 0);
  CHECK(off < m.last_bits);
}

void check_model(some_model& p) {
  const std::vector<token> tokens{7, 3, 60, 5, 11, 2, 9, 1, 20, 4, 8, 6};
  constexpr std::size_t where = 3;
  constexpr token culprit = 5;  // the token at position 3, and nowhere else
  const auto everything = [](std::size_t, std::size_t) { return true; };
  for (bool at_once : {true, false}) {
    INFO((at_once ? "at once" : "one by one"));
    p.restore();
    const auto clean = p.logits(tokens, at_once);
    for (double x : clean) REQUIRE(std::isfinite(x));
    for (float bad : {not_a_number, infinity, -infinity}) {
      INFO("number " << bad);
      for (tensor_id id : {tensor_id::norm1_weight, tensor_id::norm2_weight, tensor_id::norm_weight}) {
        p.restore();
        p.vector(id, 5, bad);
        check_logits(p, clean, p.logits(tokens, at_once), everything);
      }
      for (tensor_id id :
           {tensor_id::qkv_weight, tensor_id::out_weight, tensor_id::up_weight, tensor_id::down_weight}) {
        p.restore();
        p.matrix(id, 2, 19, bad);
        check_logits(p, clean, p.logits(tokens, at_once), everything);
      }
      // a token: what follows reads its keys and values from the cache
      p.restore();
      p.matrix(tensor_id::token_embedding, culprit, 7, bad);
      check_logits(p, clean, p.logits(tokens, at_once), [&](std::size_t position, std::size_t entry) {
        return position >= where || (p.tied && entry == culprit);
      });
      if (!p.tied) {
        p.restore();
        p.matrix(tensor_id::head_weight, 17, 23, bad);
        check_logits(p, clean, p.logits(tokens, at_once), [](std::size_t, std::size_t entry) { return entry == 17; });
      }
    }
  }
}
template <class M>
void check_model() {
  INFO(M::weight_format::name << (std::same_as<typename M::compute_format, decoded> ? " decoded" : " int8")
                              << ", cache " << M::cache_format::name << ", " << M::backend_policy::name);
  poisoned<M> p;
  check_model(p);
}

template <class Backend>
void check_all() {
  check_model<causal_lm<tiny_llama, backend<Backend>>>();
  check_model<causal_lm<tiny_gpt2, weights<f64>, backend<Backend>>>();
  check_model<causal_lm<tiny_gpt2, weights<f16>, kv_cache<f16>, backend<Backend>>>();
  check_model<causal_lm<tiny_llama, weights<bf16>, kv_cache<bf16>, backend<Backend>>>();
  check_model<causal_lm<tiny_gpt2, weights<f32>, kv_cache<int8<>>, backend<Backend>>>();
  check_model<causal_lm<tiny_llama, weights<int8<>>, kv_cache<int8<>>, backend<Backend>>>();
  check_model<causal_lm<tiny_gpt2, weights<int8<32, asymmetric>>, kv_cache<int8<8, asymmetric>>, backend<Backend>>>();
  check_model<causal_lm<tiny_gpt2, weights<int4<32>>, kv_cache<int4<4>>, backend<Backend>>>();
  check_model<causal_lm<tiny_llama, weights<int4<32, asymmetric>>, kv_cache<f16>, backend<Backend>>>();
  check_model<causal_lm<tiny_llama, weights<int2<32>>, kv_cache<int2<4>>, backend<Backend>>>();
  check_model<causal_lm<tiny_llama, weights<int3<32, asymmetric>>, kv_cache<int5<4>>, backend<Backend>>>();
  check_model<causal_lm<tiny_gpt2, weights<int6<32>>, kv_cache<int3<4>>, backend<Backend>>>();
  check_model<causal_lm<tiny_llama, weights<ternary<>>, kv_cache<int6<4>>, backend<Backend>>>();
  check_model<causal_lm<tiny_gpt2, weights<int4<7>>, kv_cache<int8<4>>, backend<Backend>>>();
  check_model<causal_lm<tiny_llama, weights<int8<32>>, compute<decoded>, backend<Backend>>>();
  check_model<
      causal_lm<tiny_gpt2, weights<int2<32, asymmetric>>, compute<decoded>, kv_cache<bf16>, backend<Backend>>>();
}

}  // namespace

TEST_CASE("one NaN or infinity reaches all logits that depend on it: portable", "[model]") { check_all<portable>(); }
#if CTLM_XSIMD
TEST_CASE("one NaN or infinity reaches all logits that depend on it: native", "[model]") { check_all<native>(); }
#endif
