// Storage formats: round trips within half a step, rows of any length, every 16-bit pattern.
#include "catch.hpp"
#include "worse.hpp"

#include <ctlm/ctlm.hpp>

#include <cmath>
#include <vector>

namespace {

std::vector<float> random_row(std::size_t n, std::uint64_t seed) {
  ctlm::rng r{seed};
  std::vector<float> x(n);
  for (auto& v : x) v = static_cast<float>(r.normal());
  return x;
}

struct errors {
  double mean_square;
  double worst;
};

/// Encodes three rows and reads them back, whole and in pieces.
template <class F>
errors round_trip(std::size_t n) {
  ctlm::heap_arena memory(ctlm::matrix_bytes<F>(3, n));
  auto m = F::place(memory, 3, n);
  REQUIRE(memory.remaining() == 0);
  errors e{0, 0};
  double power = 0;
  for (std::size_t r = 0; r < 3; ++r) {
    const auto x = random_row(n, 10 * n + r);
    F::encode(m, r, x.data());
    std::vector<float> whole(n), piece(1);
    F::decode(m, r, 0, n, whole.data());
    for (std::size_t i = 0; i < n; ++i) {
      F::decode(m, r, i, 1, piece.data());
      REQUIRE(piece[0] == whole[i]);
      const double d = whole[i] - x[i];
      e.mean_square += d * d;
      e.worst = worse(e.worst, std::fabs(d));
      power += static_cast<double>(x[i]) * x[i];
    }
  }
  e.mean_square /= power;
  return e;
}

}  // namespace

TEMPLATE_TEST_CASE("integer formats read back what was written, within their step", "[format]", ctlm::int8<>,
                   ctlm::int8<32>, (ctlm::int8<20, ctlm::asymmetric>), ctlm::int4<32>, ctlm::int4<64>,
                   (ctlm::int4<32, ctlm::asymmetric>), ctlm::int4<ctlm::per_channel>, ctlm::int4<7>, ctlm::int2<32>,
                   (ctlm::int2<32, ctlm::asymmetric>), ctlm::int2<ctlm::per_channel>, ctlm::int2<5>) {
  // Noise of a uniform quantiser on a normal variable, from the literature (Max 1960: 4 levels 0.1175, 16 levels
  // 0.0115), with room for short rows; and of two bits, because scales are chosen by errors weighted with the square of
  // the number (fit.hpp): then plain errors, which are measured here, are not the least possible.
  const double limit = TestType::bits == 8 ? 1e-4 : TestType::bits == 4 ? 0.018 : 0.20;
  for (std::size_t n : {1, 2, 7, 31, 32, 33, 64, 100, 172, 257}) {
    INFO(TestType::name << " group " << TestType::group << " row " << n);
    CHECK(round_trip<TestType>(n).mean_square < limit);
    CHECK(round_trip<ctlm::interleaved<TestType>>(n).mean_square == round_trip<TestType>(n).mean_square);
  }
}

TEMPLATE_TEST_CASE("floating point formats keep their precision", "[format]", ctlm::f32, ctlm::f16, ctlm::bf16) {
  const double step = TestType::bits == 32 ? 0 : std::is_same_v<TestType, ctlm::f16> ? 0x1p-11 : 0x1p-8;
  CHECK(round_trip<TestType>(100).worst <= 5 * step);
}

TEST_CASE("every half precision pattern survives a round trip", "[format]") {
  for (unsigned h = 0; h < 65536; ++h) {
    const auto bits = static_cast<std::uint16_t>(h);
    const float f = ctlm::half_to_float(bits);
    if (std::isnan(f)) {
      REQUIRE(std::isnan(ctlm::half_to_float(ctlm::float_to_half(f))));
    } else {
      REQUIRE(ctlm::float_to_half(f) == bits);
    }
    const float b = ctlm::bfloat_to_float(bits);
    if (!std::isnan(b)) REQUIRE(ctlm::float_to_bfloat(b) == bits);
  }
}

TEST_CASE("half precision rounds to nearest, ties to even", "[format]") {
  CHECK(ctlm::float_to_half(1.0f + 0x1p-11f) == 0x3C00);  // half way: down to even
  CHECK(ctlm::float_to_half(1.0f + 3 * 0x1p-11f) == 0x3C02);
  CHECK(ctlm::float_to_half(65519.0f) == 0x7BFF);
  CHECK(ctlm::float_to_half(65520.0f) == 0x7C00);
  CHECK(ctlm::float_to_half(0x1p-25f) == 0);
  CHECK(ctlm::float_to_half(1.5f * 0x1p-25f) == 1);
  CHECK(ctlm::float_to_half(-2.0f) == 0xC000);
}

TEST_CASE("bytes per weight are what the formats promise", "[format]") {
  using namespace ctlm;
  constexpr std::size_t n = 128 * 128;
  static_assert(matrix_bytes<f32>(128, 128) == 4 * n);
  static_assert(matrix_bytes<f16>(128, 128) == 2 * n);
  static_assert(matrix_bytes<int8<>>(128, 128) == n + 128 * 2);
  static_assert(matrix_bytes<int8<32>>(128, 128) == n + n / 32 * 2);
  static_assert(matrix_bytes<int4<32>>(128, 128) == n / 2 + n / 32 * 2);
  static_assert(matrix_bytes<int4<32, asymmetric>>(128, 128) == n / 2 + n / 32 * 4);
  static_assert(matrix_bytes<int2<32>>(128, 128) == n / 4 + n / 32 * 2);
  CHECK(matrix_bytes<int2<32>>(128, 33) == 128 * 16 + 128 * 4);
}

TEST_CASE("interleaved weights are padded to blocks of rows and steps of columns", "[format]") {
  using namespace ctlm;
  constexpr std::size_t n = 128 * 128;
  static_assert(matrix_bytes<interleaved<int8<32>>>(128, 128) == n + n / 32 * 2);
  static_assert(matrix_bytes<interleaved<int4<32>>>(128, 128) == n / 2 + n / 32 * 2);
  static_assert(matrix_bytes<interleaved<int2<32>>>(128, 128) == n / 4 + n / 32 * 2);
  CHECK(matrix_bytes<interleaved<int4<32>>>(17, 33) == 2 * 2 * 256 + 2 * 2 * 32);
  using F = interleaved<int4<32>>;
  heap_arena memory(1 << 16);
  const auto stack = F::place(memory, 3 * 20, 40, 20);  // three matrices of 20 rows
  for (std::size_t r = 0; r < 60; ++r) F::encode(stack, r, random_row(40, r).data());
  const auto second = stack.slice(20, 20);
  std::vector<float> a(40), b(40);
  for (std::size_t r = 0; r < 20; ++r) {
    F::decode(stack, 20 + r, 0, 40, a.data());
    F::decode(second, r, 0, 40, b.data());
    CHECK(a == b);
  }
}

TEST_CASE("constant, tiny and huge rows are encoded without surprises", "[format]") {
  ctlm::heap_arena memory(4096);
  auto m = ctlm::int4<32, ctlm::asymmetric>::place(memory, 1, 32);
  std::vector<float> x(32, 0.25f), y(32);
  ctlm::int4<32, ctlm::asymmetric>::encode(m, 0, x.data());
  ctlm::int4<32, ctlm::asymmetric>::decode(m, 0, 0, 32, y.data());
  CHECK(y == x);
  auto s = ctlm::int8<32>::place(memory, 1, 32);
  for (float value : {0.0f, 1e-30f, 1e30f}) {
    x.assign(32, value);
    ctlm::int8<32>::encode(s, 0, x.data());
    ctlm::int8<32>::decode(s, 0, 0, 32, y.data());
    for (float v : y) CHECK(std::isfinite(v));
  }
}
