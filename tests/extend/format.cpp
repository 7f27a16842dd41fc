// A storage format of your own: one type for a stored number, and how it is read and written.
#include "extend/differences.hpp"

#include <ctlm/ctlm.hpp>

#include <bit>

namespace {

/// A floating point number in 8 bits: a sign, 4 bits of exponent, 3 of mantissa; no infinity, 448 at most (Micikevicius
/// et al. 2022, "FP8 Formats for Deep Learning"). It widens to single precision wherever it is computed with.
struct e4m3 {
  std::uint8_t bits;

  constexpr operator float() const {
    const int exponent = bits >> 3 & 15, mantissa = bits & 7;
    if ((bits & 0x7F) == 0x7F) return std::numeric_limits<float>::quiet_NaN();
    const auto whole = static_cast<float>(exponent == 0 ? mantissa : 8 + mantissa);
    const float magnitude = whole * ctlm::math::exp2i<float>((exponent == 0 ? 1 : exponent) - 10);
    return (bits & 0x80) != 0 ? -magnitude : magnitude;
  }
  /// To nearest, ties to even; cut off at 448; NaN stays NaN.
  static constexpr e4m3 from(float x) {
    const std::uint32_t given = std::bit_cast<std::uint32_t>(x), magnitude = given & 0x7FFFFFFF;
    const std::uint32_t sign = given >> 24 & 0x80;
    if (magnitude > 0x7F800000) return {0x7F};
    return {static_cast<std::uint8_t>(sign | rounded(std::bit_cast<float>(magnitude)))};
  }

 private:
  static constexpr std::uint32_t rounded(float magnitude) {
    if (magnitude >= 448.0f) return 0x7E;
    if (magnitude < 0x1p-6f)  // multiples of 2^-9: the sum rounds
      return static_cast<std::uint32_t>((magnitude * 512.0f + 0x1p23f) - 0x1p23f);
    const auto bits = std::bit_cast<std::uint32_t>(magnitude);
    return (bits + 0x7FFFF + (bits >> 20 & 1) - (120u << 23)) >> 20;
  }
};

struct fp8 : ctlm::plain<fp8, e4m3, float> {  // stored one after the other, computed with as float
  static constexpr const char* name = "fp8";  // tells models apart in files
  static constexpr e4m3 from(float x) { return e4m3::from(x); }
  static constexpr float to(e4m3 x) { return x; }
};
static_assert(ctlm::plain_format<fp8> && !ctlm::native_format<fp8>);

struct tiny {
  static constexpr ctlm::gpt2_config config{.vocab = 61, .d_model = 48, .layers = 2, .heads = 3, .context = 40};
};
struct recipe {
  static constexpr ctlm::train_config config{.batch = 1, .sequence = 20};
};
template <class F, class... Slots>
using lm = ctlm::causal_lm<tiny, ctlm::weights<F>, ctlm::prompt_chunk<32>, Slots...>;
using full = lm<ctlm::f32>;

std::vector<float> logits_of(auto& session, std::size_t tokens) {
  const auto text = models::random_tokens(tokens, tiny::config.vocab);
  session.reset();
  const auto logits = session.prefill(text);
  return {logits.begin(), logits.end()};
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

template <class M>
void compare_sessions() {
  models::running<full> exact, decoded;
  models::running<M> stored;
  models::randomise<full>(exact.weights);
  ctlm::quantise(exact.weights, stored.weights);
  ctlm::decode_weights(stored.weights, decoded.weights);
  for (std::size_t tokens : {1, 3, 30}) {  // products of one row, of few, of many
    const auto logits = logits_of(stored.session, tokens);
    CHECK(distance(logits_of(decoded.session, tokens), logits) < 1e-5);  // the same numbers
    CHECK(distance(logits_of(exact.session, tokens), logits) < 0.15);    // 3 bits of mantissa
  }
}

}  // namespace

TEST_CASE("a format of the user's own: every code comes back, other numbers go to the nearest", "[extend]") {
  for (unsigned code = 0; code < 256; ++code) {
    const e4m3 x{static_cast<std::uint8_t>(code)};
    if ((code & 0x7F) != 0x7F) CHECK(e4m3::from(x).bits == code);
  }
  CHECK(std::isnan(static_cast<float>(e4m3::from(std::nanf("")))));
  CHECK(static_cast<float>(e4m3::from(1e9f)) == 448.0f);
  CHECK(static_cast<float>(e4m3::from(-1.0625f)) == -1.0f);  // a tie
  for (float x = 0x1p-6f; x < 448.0f; x *= 1.007f) CHECK(std::fabs(static_cast<float>(e4m3::from(x)) - x) <= x / 16);
}

TEST_CASE("a format of the user's own: a model takes a quarter of the bytes and says nearly the same", "[extend]") {
  CHECK(lm<fp8>::weight_bytes < full::weight_bytes / 4 + 4096);  // gains and biases stay in single precision
  compare_sessions<lm<fp8>>();
  compare_sessions<lm<fp8, ctlm::backend<ctlm::portable>>>();
}

TEST_CASE("a format of the user's own: keys and values are stored in it", "[extend]") {
  using cached = lm<ctlm::f32, ctlm::kv_cache<fp8>>;
  CHECK(cached::cache_bytes == full::cache_bytes / 4);
  models::running<full> exact;
  models::running<cached> stored;
  models::randomise<full>(exact.weights);
  models::randomise<cached>(stored.weights);
  CHECK(distance(logits_of(exact.session, 30), logits_of(stored.session, 30)) < 0.15);
}

TEST_CASE("a format of the user's own: a trainer prepares weights for it", "[extend]") {
  using trainer = ctlm::trainer<ctlm::causal_lm<tiny>, recipe, ctlm::trained_for<fp8>>;
  ctlm::heap_arena memory(trainer::train_bytes);
  trainer t(memory, {});
  const auto tokens = models::random_tokens(trainer::step_tokens, tiny::config.vocab);
  for (int i = 0; i < 30; ++i) t.step(tokens, tokens);
  models::running<lm<fp8>> stored;
  ctlm::quantise(t.weights(), stored.weights);
  double loss = 0;
  stored.session.score(tokens, [&](std::size_t i, auto logits) {
    loss += static_cast<double>(ctlm::negative_log_likelihood(
        ctlm::native{}, logits.size(), static_cast<const float*>(logits.data()), static_cast<std::size_t>(tokens[i])));
  });
  CHECK(loss / static_cast<double>(tokens.size()) == Approx(t.evaluate(tokens, tokens)).epsilon(1e-3));
}
