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

/// The noise that a format of so many levels may add to a normal variable.
double limit_of(int levels) {
  switch (levels) {
    case 3:
      return 0.30;
    case 4:
      return 0.20;
    case 8:
      return 0.055;
    case 16:
      return 0.018;
    case 32:
      return 0.0055;
    case 64:
      return 0.0016;
    default:
      return 1e-4;
  }
}

/// Where the documentation of the layout says that bit `bit` of the code of row r, column j of a tile is: the byte, and
/// the bit in it. `low` bits are the low part, `all` are all.
std::pair<std::size_t, std::size_t> place_in_tile(std::size_t low, std::size_t all, std::size_t r, std::size_t j,
                                                  std::size_t bit) {
  const bool above = bit >= low;
  const std::size_t width = above ? all - low : low, q = j / 4;
  const std::size_t vectors = width;  // of 64 bytes: 512 codes of so many bits
  const std::size_t first = above ? 64 * low : 0;
  return {first + q % vectors * 64 + r * 4 + j % 4, q / vectors * width + (above ? bit - low : bit)};
}

}  // namespace

TEMPLATE_TEST_CASE("integer formats read back what was written, within their step", "[format]", ctlm::int8<>,
                   ctlm::int8<32>, (ctlm::int8<20, ctlm::asymmetric>), ctlm::int4<32>, ctlm::int4<64>,
                   (ctlm::int4<32, ctlm::asymmetric>), ctlm::int4<ctlm::per_channel>, ctlm::int4<7>, ctlm::int2<32>,
                   (ctlm::int2<32, ctlm::asymmetric>), ctlm::int2<ctlm::per_channel>, ctlm::int2<5>, ctlm::int3<32>,
                   (ctlm::int3<32, ctlm::asymmetric>), ctlm::int3<ctlm::per_channel>, ctlm::int3<5>, ctlm::int5<32>,
                   (ctlm::int5<32, ctlm::asymmetric>), ctlm::int5<7>, ctlm::int6<32>,
                   (ctlm::int6<20, ctlm::asymmetric>), ctlm::int6<ctlm::per_channel>, ctlm::ternary<>,
                   (ctlm::int4<32, ctlm::compact>), (ctlm::int2<16, ctlm::compact>), (ctlm::int3<7, ctlm::compact>),
                   (ctlm::int6<ctlm::per_channel, ctlm::compact>), ctlm::ternary<32>, ctlm::ternary<5>) {
  // Noise of a uniform quantiser on a normal variable, from the literature (Max 1960: 3 levels 0.1902, 4 levels 0.1188,
  // 8 levels 0.0374, 16 levels 0.0115, 32 levels 0.0035, 64 levels 0.0010), with room for short rows; and because
  // scales are chosen by errors weighted with the square of the number (fit.hpp): then plain errors, which are measured
  // here, are not the least possible.
  const double limit = limit_of(TestType::highest - TestType::lowest + 1);
  for (std::size_t n : {1, 2, 7, 31, 32, 33, 64, 100, 172, 257}) {
    INFO(TestType::name << " group " << TestType::group << " row " << n);
    CHECK(round_trip<TestType>(n).mean_square < limit);
    CHECK(round_trip<ctlm::interleaved<TestType>>(n).mean_square == round_trip<TestType>(n).mean_square);
  }
}

TEMPLATE_TEST_CASE("codes lie where the layout says, and none touches another", "[format]", ctlm::int2<32>,
                   ctlm::int3<32>, ctlm::int4<32>, ctlm::int5<32>, ctlm::int6<32>, ctlm::ternary<32>) {
  using namespace ctlm;
  using F = TestType;
  using W = interleaved<F>;
  constexpr std::size_t cols = 77, rows = 19, bits = F::bits, low = bits < 4 ? 2 : 4;
  heap_arena memory(matrix_bytes<F>(rows, cols) + matrix_bytes<W>(rows, cols));
  const auto apart = F::place(memory, rows, cols);
  const auto weights = W::place(memory, rows, cols);
  std::vector<int> codes(rows * cols);
  rng r{bits};
  for (int pass = 0; pass < 3; ++pass)  // over what was there before
    for (std::size_t i = 0; i < rows * cols; ++i) {
      const std::size_t at = pass == 0 ? i : r.below(rows * cols);
      codes[at] = static_cast<int>(r.below(F::highest + 1));
      F::set(apart, at / cols, at % cols, codes[at]);
      W::set(weights, at / cols, at % cols, codes[at]);
    }
  for (std::size_t i = 0; i < rows * cols; ++i) {
    REQUIRE(F::get(apart, i / cols, i % cols) == codes[i]);
    REQUIRE(W::get(weights, i / cols, i % cols) == codes[i]);
  }
  for (std::size_t row = 0; row < rows; ++row)
    for (std::size_t j = 0; j < cols; ++j)
      for (std::size_t bit = 0; bit < bits; ++bit) {
        const auto [byte, place] = place_in_tile(low, bits, row % 16, j % 32, bit);
        const std::size_t tile = (row / 16 * 3 + j / 32) * 64 * bits;  // 16 x 32 codes
        REQUIRE((weights.codes[tile + byte] >> place & 1) == (codes[row * cols + j] >> bit & 1));
      }
  for (std::size_t row = 0; row < rows; ++row)  // a chunk at once
    for (std::size_t first : {0, 32}) {
      int chunk[code_chunk];
      for (std::size_t j = 0; j < code_chunk; ++j)
        chunk[j] = codes[row * cols + first + j] = static_cast<int>(r.below(F::highest + 1));
      F::set_chunk(apart, row, first, chunk);
      W::set_chunk(weights, row, first, chunk);
    }
  for (std::size_t i = 0; i < rows * cols; ++i) {
    REQUIRE(F::get(apart, i / cols, i % cols) == codes[i]);
    REQUIRE(W::get(weights, i / cols, i % cols) == codes[i]);
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
  static_assert(matrix_bytes<int4<32, compact>>(128, 128) == n / 2 + n / 32 * 2);
  static_assert(matrix_bytes<int2<32>>(128, 128) == n / 4 + n / 32 * 2);
  CHECK(matrix_bytes<int2<32>>(128, 33) == 128 * 16 + 128 * 4);
  static_assert(matrix_bytes<int3<32>>(128, 128) == n * 3 / 8 + n / 32 * 2);
  static_assert(matrix_bytes<int5<32, asymmetric>>(128, 128) == n * 5 / 8 + n / 32 * 4);
  static_assert(matrix_bytes<int6<64>>(128, 128) == n * 6 / 8 + n / 64 * 2);
  static_assert(matrix_bytes<ternary<>>(128, 128) == n / 4 + 128 * 2);
  CHECK(matrix_bytes<int3<32>>(128, 33) == 128 * 24 + 128 * 4);
}

TEST_CASE("interleaved weights are padded to blocks of rows and steps of columns", "[format]") {
  using namespace ctlm;
  constexpr std::size_t n = 128 * 128;
  static_assert(matrix_bytes<interleaved<int8<32>>>(128, 128) == n + n / 32 * 2);
  static_assert(matrix_bytes<interleaved<int4<32>>>(128, 128) == n / 2 + n / 32 * 2);
  static_assert(matrix_bytes<interleaved<int2<32>>>(128, 128) == n / 4 + n / 32 * 2);
  CHECK(matrix_bytes<interleaved<int4<32>>>(17, 33) == 2 * 2 * 256 + 2 * 2 * 32);
  CHECK(matrix_bytes<interleaved<int4<32, compact>>>(17, 33) == 2 * 2 * 256 + 2 * 2 * 32);
  static_assert(matrix_bytes<interleaved<int3<32, asymmetric>>>(128, 128) == n * 3 / 8 + n / 32 * 4);
  static_assert(matrix_bytes<interleaved<int5<32>>>(128, 128) == n * 5 / 8 + n / 32 * 2);
  static_assert(matrix_bytes<interleaved<int6<32>>>(128, 128) == n * 6 / 8 + n / 32 * 2);
  static_assert(matrix_bytes<interleaved<ternary<>>>(128, 128) == n / 4 + 128 * 2);
  CHECK(matrix_bytes<interleaved<int5<32>>>(17, 33) == 2 * 2 * 320 + 2 * 2 * 32);
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
