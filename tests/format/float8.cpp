// Numbers in 8 bits: each is what PyTorch says, and other numbers become the one that PyTorch makes of them.
#include "float8_golden.hpp"

#include "catch.hpp"
#include "model/models.hpp"

#include <ctlm/ctlm.hpp>

#include <bit>
#include <cmath>

namespace {

using namespace ctlm;

bool same_bits_or_nan(float x, std::uint32_t bits) {
  return std::bit_cast<std::uint32_t>(x) == bits || (std::isnan(x) && std::isnan(std::bit_cast<float>(bits)));
}
/// Two codes of NaN are the same where their signs are not asked for.
bool same_code(std::uint8_t a, std::uint8_t b, float (*value)(std::uint8_t)) {
  return a == b || (std::isnan(value(a)) && std::isnan(value(b)));
}

template <class Element, std::size_t N>
void decodes(const std::uint32_t (&golden)[N]) {
  static_assert(N == 256);
  for (unsigned code = 0; code < N; ++code) {
    INFO("code " << code);
    const float x = Element{static_cast<std::uint8_t>(code)};
    CHECK(same_bits_or_nan(x, golden[code]));
    if (!std::isnan(x)) CHECK(Element::from(x).bits == code);
  }
}

using widening = float (*)(std::uint8_t);

struct tiny {
  static constexpr llama_config config{
      .vocab = 61, .d_model = 48, .layers = 2, .heads = 6, .kv_heads = 2, .d_ff = 44, .context = 40};
};
template <class... Slots>
using lm = causal_lm<tiny, prompt_chunk<32>, Slots...>;

template <class Session>
std::vector<float> logits_of(Session& session, std::size_t tokens) {
  session.reset();
  const auto logits = session.prefill(models::random_tokens(tokens, tiny::config.vocab));
  return {logits.begin(), logits.end()};
}
double worst(const std::vector<float>& a, const std::vector<float>& b) {
  double w = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double d = std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    w = d <= w ? w : d;
  }
  return w;
}

/// Root of the mean square difference, relative to the numbers themselves.
double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
    difference += (x - y) * (x - y);
    size += x * x;
  }
  return std::sqrt(difference / size);
}

}  // namespace

TEST_CASE("numbers in 8 bits are what PyTorch says", "[format]") {
  decodes<float8_e4m3>(float8_golden::decoded_e4m3);
  decodes<float8_e5m2>(float8_golden::decoded_e5m2);
}

TEST_CASE("numbers become those in 8 bits that PyTorch makes of them", "[format]") {
  for (const auto& r : float8_golden::rounded_e4m3) {
    INFO("e4m3 of bits " << r.from);
    if ((r.from & 0x7FFFFFFF) == 0x7F800000) continue;  // PyTorch makes 448 of infinity, and nobody would notice
    CHECK(same_code(float_to_e4m3(std::bit_cast<float>(r.from)), r.to, widening(e4m3_to_float)));
  }
  for (const auto& r : float8_golden::rounded_e5m2) {
    INFO("e5m2 of bits " << r.from);
    CHECK(same_code(float_to_e5m2(std::bit_cast<float>(r.from)), r.to, widening(e5m2_to_float)));
  }
  static_assert(float_to_e4m3(448.0f) == 0x7E && float_to_e4m3(-0.0f) == 0x80 && float_to_e4m3(-1e30f) == 0xFE);
  CHECK(std::isnan(e4m3_to_float(float_to_e4m3(HUGE_VALF))));
}

TEMPLATE_TEST_CASE("rows in 8 bits are read as they are, whatever their length", "[format]", f8_e4m3, f8_e5m2) {
  constexpr std::size_t cols = 256 + 5;
  heap_arena memory(matrix_bytes<TestType>(2, cols));
  const auto m = TestType::place(memory, 2, cols);
  for (std::size_t i = 0; i < 2 * cols; ++i) m.data[i] = {static_cast<std::uint8_t>(i)};
  std::vector<float> whole(cols), fast(cols);
  for (std::size_t row = 0; row < 2; ++row) {
    TestType::decode(m, row, 0, cols, whole.data());
    decode_row(native{}, TestType{}, m, row, fast.data());
    for (std::size_t i = 0; i < cols; ++i) CHECK(same_bits_or_nan(fast[i], std::bit_cast<std::uint32_t>(whole[i])));
  }
}

TEMPLATE_TEST_CASE("a model with weights in 8 bits computes with the numbers that they are", "[format]", f8_e4m3,
                   f8_e5m2) {
  using stored_lm = lm<weights<TestType>>;
  using full = lm<>;
  CHECK(stored_lm::weight_bytes < full::weight_bytes / 4 + 4096);  // gains stay in single precision
  models::running<full> exact, decoded;
  models::running<stored_lm> stored;
  models::running<lm<weights<TestType>, backend<portable>>> plainly;
  models::randomise<full>(exact.weights);
  CHECK(quantise(exact.weights, stored.weights).kept());
  quantise(exact.weights, plainly.weights);
  decode_weights(stored.weights, decoded.weights);
  for (const std::size_t tokens : {1, 3, 30}) {  // products of one row, of few, of many
    const auto logits = logits_of(stored.session, tokens);
    CHECK(worst(logits, logits_of(decoded.session, tokens)) < 1e-5);
    CHECK(worst(logits, logits_of(plainly.session, tokens)) < 1e-5);
    CHECK(worst(logits, logits_of(exact.session, tokens)) > 1e-3);  // they were rounded
  }
}

TEMPLATE_TEST_CASE("keys and values in 8 bits", "[format]", f8_e4m3, f8_e5m2) {
  using cached = lm<kv_cache<TestType>>;
  using full = lm<>;
  CHECK(cached::cache_bytes == full::cache_bytes / 4);
  models::running<full> exact;
  models::running<cached> stored;
  models::randomise<full>(exact.weights);
  models::randomise<cached>(stored.weights);
  const double w = distance(logits_of(exact.session, 30), logits_of(stored.session, 30));
  CHECK(w > 0.001);
  CHECK(w < (std::is_same_v<TestType, f8_e4m3> ? 0.15 : 0.3));
}

TEST_CASE("what 8 bits cannot hold is counted", "[format]") {
  heap_arena memory(4096);
  const auto m = f8_e4m3::place(memory, 1, 4);
  const float too_large[] = {1, 465, 2, 3}, at_the_end[] = {1, 463, 2, 3};
  f8_e4m3::encode(m, 0, too_large);
  conversion report;
  inspect_row<f8_e4m3>(m, 0, too_large, report);
  CHECK(report.cut == 1);
  f8_e4m3::encode(m, 0, at_the_end);
  report = {};
  inspect_row<f8_e4m3>(m, 0, at_the_end, report);
  CHECK(report.kept());
  CHECK(static_cast<float>(m.data[1]) == 448.0f);
}
