// Compact groups: a scale and a zero point in a byte each.
#include "catch.hpp"

#include <ctlm/ctlm.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

using namespace ctlm;

namespace {

struct tiny {
  static constexpr llama_config config{.vocab = 48, .d_model = 32, .layers = 2, .heads = 2, .d_ff = 64, .context = 16};
};

std::vector<float> normal_numbers(std::size_t n, std::uint64_t seed) {
  rng r{seed};
  std::vector<float> x(n);
  for (auto& v : x) v = static_cast<float>(0.05 * r.normal());
  return x;
}

double counts(bool favours_large, const std::vector<float>& w, const std::vector<float>& importance, std::size_t i) {
  if (!importance.empty()) return importance[i];
  return favours_large ? static_cast<double>(w[i]) * w[i] : 1.0;
}

template <class F>
double error_of(const affine<F>& a, const std::vector<float>& w, const std::vector<float>& importance) {
  double error = 0;
  for (std::size_t i = 0; i < w.size(); ++i)
    error += counts(F::favours_large, w, importance, i) * std::pow(static_cast<double>(a.missing(w[i])), 2);
  return error;
}

/// The least error of all scales and zero points that there are.
template <class F>
double least_error(const std::vector<float>& w, const std::vector<float>& importance) {
  using scales = typename F::scale_format;
  const float low = std::min(0.0f, *std::min_element(w.begin(), w.end()));
  const float high = std::max(0.0f, *std::max_element(w.begin(), w.end()));
  const float fits = (high - low) / (F::highest - F::lowest);
  double least = std::numeric_limits<double>::infinity();
  for (unsigned e = 0; e < 0xF8; ++e) {
    const float scale = scales::scale(static_cast<std::uint8_t>(e));
    if (scale < 0.4f * fits || scale > 1.3f * fits) continue;
    for (unsigned z = 0; z < 256; ++z)
      least =
          std::min(least, error_of(affine<F>(scale, scales::base(static_cast<std::uint8_t>(z), scale)), w, importance));
  }
  return least;
}

/// How many times the least error ours is, over many groups.
template <class F>
double excess(bool by_inputs) {
  double ours = 0, least = 0;
  rng r{7};
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const auto w = normal_numbers(32, seed);
    std::vector<float> importance(by_inputs ? w.size() : 0);
    for (auto& v : importance) v = static_cast<float>(std::exp(r.normal()));
    ours += error_of(best_affine<F>(w.data(), w.size(), by_inputs ? importance.data() : nullptr), w, importance);
    least += least_error<F>(w, importance);
  }
  return ours / least;
}

/// The squared error of rows of a normal variable.
template <class F>
double error_of_rows(std::size_t n) {
  heap_arena memory(matrix_bytes<F>(1, n));
  const auto m = F::place(memory, 1, n);
  std::vector<float> back(n);
  double error = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto w = normal_numbers(n, seed);
    F::encode(m, 0, w.data());
    F::decode(m, 0, 0, n, back.data());
    for (std::size_t i = 0; i < n; ++i) error += std::pow(static_cast<double>(back[i]) - w[i], 2);
  }
  return error;
}

}  // namespace

TEST_CASE("every scale of a byte is read back as it was written, and others become the nearest", "[format]") {
  using scales = byte_scales<4>;
  for (unsigned e = 0; e < 0xF8; ++e) {
    const auto byte = static_cast<std::uint8_t>(e);
    REQUIRE(scales::of(scales::scale(byte)) == byte);
    if (e == 0) continue;
    const float below = scales::scale(static_cast<std::uint8_t>(e - 1)), here = scales::scale(byte);
    REQUIRE(below < here);
    REQUIRE(scales::rounded(below + 0.4f * (here - below)) == below);
    REQUIRE(scales::rounded(below + 0.6f * (here - below)) == here);
  }
  CHECK(scales::scale(1) == scales::least);
  CHECK(scales::rounded(1e30f) == 61440);
  CHECK(scales::at_limit(scales::of(1e30f)));
  CHECK(scales::rounded(-1.0f) == 0);
  CHECK(std::isnan(scales::scale(scales::of(std::numeric_limits<float>::quiet_NaN()))));
  for (unsigned z = 0; z < 256; ++z) {
    const auto byte = static_cast<std::uint8_t>(z);
    REQUIRE(scales::of_base(scales::base(byte, 0.34375f), 0.34375f) == byte);
  }
  CHECK(scales::base(255, 1) == -15.9375f);
  CHECK(scales::rounded_base(-100, 1) == -15.9375f);
  CHECK(scales::rounded_base(3, 1) == 0);
  CHECK(scales::rounded_base(-3, 0) == 0);
}

TEST_CASE("compact groups come close to the least error of all scales and zero points", "[format]") {
  for (const bool by_inputs : {false, true}) {
    CAPTURE(by_inputs);
    CHECK(excess<int2<32, compact>>(by_inputs) < 1.06);
    CHECK(excess<int3<32, compact>>(by_inputs) < 1.08);
    CHECK(excess<int4<32, compact>>(by_inputs) < 1.08);
    CHECK(excess<int6<32, compact>>(by_inputs) < 1.25);
  }
}

TEST_CASE("compact groups of 32 lose less than asymmetric ones of 64, which take as much memory", "[format]") {
  using small = interleaved<int4<32, compact>>;
  using large = interleaved<int4<64, asymmetric>>;
  REQUIRE(matrix_bytes<small>(16, 576) == matrix_bytes<large>(16, 576));
  CHECK(error_of_rows<small>(576) < 0.85 * error_of_rows<large>(576));
  CHECK(matrix_bytes<interleaved<int2<32, compact>>>(64, 576) * 8 == 64 * 576 * 5 / 2);
}

TEST_CASE("what compact groups can hold comes back exactly", "[format]") {
  using F = int4<32, compact>;
  heap_arena memory(matrix_bytes<F>(1, 32));
  const auto m = F::place(memory, 1, 32);
  std::vector<float> back(32);
  auto through = [&](const std::vector<float>& x) {
    F::encode(m, 0, x.data());
    F::decode(m, 0, 0, 32, back.data());
    return back == x;
  };
  rng r{5};
  for (int round = 0; round < 200; ++round) {
    const float scale = F::scale_format::scale(static_cast<std::uint8_t>(40 + r.below(100)));
    const float base = F::scale_format::base(static_cast<std::uint8_t>(r.below(241)), scale);  // 0 lies among the codes
    std::vector<float> x(32);
    for (std::size_t i = 0; i < 32; ++i) x[i] = scale * static_cast<float>(i < 16 ? i : r.below(16)) + base;
    CAPTURE(scale, base);
    REQUIRE(through(x));
  }
  CHECK(through(std::vector<float>(32, 0.0f)));
}

TEST_CASE("a model with compact groups is stored, named and told from others", "[format]") {
  using lm = causal_lm<tiny, weights<int4<32, compact>>>;
  static_assert(weights_fingerprint<lm>() != weights_fingerprint<causal_lm<tiny, weights<int4<32, asymmetric>>>>());
  static_assert(lm::weight_bytes == causal_lm<tiny, weights<int4<32>>>::weight_bytes);
  CHECK(format_spelling<int4<32, compact>>::spelt() == "ctlm::int4<32, ctlm::compact>");
  heap_arena memory(lm::weight_bytes + causal_lm<tiny>::weight_bytes);
  causal_lm<tiny>::weights exact(memory);
  initialise(exact, 1);
  lm::weights small(memory);
  const conversion lost = quantise(exact, small);
  CHECK(lost.not_finite == 0);
  CHECK(lost.cut == 0);
  CHECK(lost.vanished == 0);
}
