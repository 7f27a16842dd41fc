// Storage formats: round trips within half a step, rows of any length, every 16-bit pattern.
#include "catch.hpp"
#include "worse.hpp"

#include <ctlm/ctlm.hpp>

#include <cmath>
#include <memory>
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

/// Rows of a format, which what looks at them need not know.
struct some_rows {
  virtual ~some_rows() = default;
  virtual std::size_t remaining() const = 0;
  virtual void encode(std::size_t row, const float* from) = 0;
  virtual void decode(std::size_t row, std::size_t first, std::size_t n, float* to) const = 0;
};
template <class F>
struct rows_in final : some_rows {
  ctlm::heap_arena memory;
  ctlm::matrix<F> m;
  rows_in(std::size_t rows, std::size_t n) : memory(ctlm::matrix_bytes<F>(rows, n)), m(F::place(memory, rows, n)) {}
  std::size_t remaining() const override { return memory.remaining(); }
  void encode(std::size_t row, const float* from) override { F::encode(m, row, from); }
  void decode(std::size_t row, std::size_t first, std::size_t n, float* to) const override {
    F::decode(m, row, first, n, to);
  }
};
using made_rows = std::unique_ptr<some_rows>;
template <class F>
made_rows rows_of(std::size_t rows, std::size_t n) {
  return std::make_unique<rows_in<F>>(rows, n);
}

/// Encodes three rows and reads them back, whole and in pieces.
errors round_trip(made_rows (*make)(std::size_t, std::size_t), std::size_t n) {
  const made_rows m = make(3, n);
  REQUIRE(m->remaining() == 0);
  errors e{0, 0};
  double power = 0;
  for (std::size_t r = 0; r < 3; ++r) {
    const auto x = random_row(n, 10 * n + r);
    m->encode(r, x.data());
    std::vector<float> whole(n), piece(1);
    m->decode(r, 0, n, whole.data());
    for (std::size_t i = 0; i < n; ++i) {
      m->decode(r, i, 1, piece.data());
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

/// An integer format, and where its rows are compared with interleaved ones, these: their encoder is the same, and
/// where codes and scales lie depends on how many bits a code has and how groups cut a row.
struct integers {
  const char* name;
  std::size_t group;
  int levels;
  made_rows (*plain)(std::size_t, std::size_t);
  made_rows (*interleaved)(std::size_t, std::size_t);
};
template <class F>
integers integers_of() {
  return {F::name, F::group, F::highest - F::lowest + 1, rows_of<F>, nullptr};
}
template <class F>
integers both_of() {
  integers f = integers_of<F>();
  f.interleaved = rows_of<ctlm::interleaved<F>>;
  return f;
}

void check_round_trips(const std::vector<integers>& formats) {
  // Noise of a uniform quantiser on a normal variable, from the literature (Max 1960: 3 levels 0.1902, 4 levels 0.1188,
  // 8 levels 0.0374, 16 levels 0.0115, 32 levels 0.0035, 64 levels 0.0010), with room for short rows; and because
  // scales are chosen by errors weighted with the square of the number (fit.hpp): then plain errors, which are measured
  // here, are not the least possible.
  for (const integers& f : formats)
    for (std::size_t n : {1, 2, 7, 31, 32, 33, 64, 100, 172, 257}) {
      INFO(f.name << " group " << f.group << " row " << n);
      const double noise = round_trip(f.plain, n).mean_square;
      CHECK(noise < limit_of(f.levels));
      if (f.interleaved != nullptr) CHECK(round_trip(f.interleaved, n).mean_square == noise);
    }
}

/// Codes of a format in rows, one by one and a chunk at once.
struct some_codes {
  virtual ~some_codes() = default;
  virtual int get(std::size_t row, std::size_t i) const = 0;
  virtual void set(std::size_t row, std::size_t i, int code) = 0;
  virtual void set_chunk(std::size_t row, std::size_t first, const int* codes) = 0;
  virtual const std::uint8_t* bytes() const = 0;
};
template <class F>
struct codes_in final : some_codes {
  ctlm::heap_arena memory;
  ctlm::matrix<F> m;
  codes_in(std::size_t rows, std::size_t n) : memory(ctlm::matrix_bytes<F>(rows, n)), m(F::place(memory, rows, n)) {}
  int get(std::size_t row, std::size_t i) const override { return F::get(m, row, i); }
  void set(std::size_t row, std::size_t i, int code) override { F::set(m, row, i, code); }
  void set_chunk(std::size_t row, std::size_t first, const int* codes) override { F::set_chunk(m, row, first, codes); }
  const std::uint8_t* bytes() const override { return reinterpret_cast<const std::uint8_t*>(m.codes); }
};

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

constexpr std::size_t code_rows = 19, code_cols = 77;

void check_places(some_codes& apart, some_codes& weights, std::size_t bits, int highest) {
  using namespace ctlm;
  constexpr std::size_t rows = code_rows, cols = code_cols;
  const std::size_t low = bits < 4 ? 2 : 4, levels = static_cast<std::size_t>(highest) + 1;
  std::vector<int> codes(rows * cols);
  rng r{bits};
  for (int pass = 0; pass < 3; ++pass)  // over what was there before
    for (std::size_t i = 0; i < rows * cols; ++i) {
      const std::size_t at = pass == 0 ? i : r.below(rows * cols);
      codes[at] = static_cast<int>(r.below(levels));
      apart.set(at / cols, at % cols, codes[at]);
      weights.set(at / cols, at % cols, codes[at]);
    }
  const auto check_codes = [&] {
    for (std::size_t i = 0; i < rows * cols; ++i) {
      REQUIRE(apart.get(i / cols, i % cols) == codes[i]);
      REQUIRE(weights.get(i / cols, i % cols) == codes[i]);
    }
  };
  check_codes();
  for (std::size_t row = 0; row < rows; ++row)
    for (std::size_t j = 0; j < cols; ++j)
      for (std::size_t bit = 0; bit < bits; ++bit) {
        const auto [byte, place] = place_in_tile(low, bits, row % 16, j % 32, bit);
        const std::size_t tile = (row / 16 * 3 + j / 32) * 64 * bits;  // 16 x 32 codes
        REQUIRE((weights.bytes()[tile + byte] >> place & 1) == (codes[row * cols + j] >> bit & 1));
      }
  for (std::size_t row = 0; row < rows; ++row)  // a chunk at once
    for (std::size_t first : {0, 32}) {
      int chunk[code_chunk];
      for (std::size_t j = 0; j < code_chunk; ++j)
        chunk[j] = codes[row * cols + first + j] = static_cast<int>(r.below(levels));
      apart.set_chunk(row, first, chunk);
      weights.set_chunk(row, first, chunk);
    }
  check_codes();
}
template <class... F>
void check_places_of() {
  const auto check = [](auto apart, auto weights, std::size_t bits, int highest) {
    INFO(bits << " bits");
    check_places(apart, weights, bits, highest);
  };
  (check(codes_in<F>(code_rows, code_cols), codes_in<ctlm::interleaved<F>>(code_rows, code_cols), F::bits, F::highest),
   ...);
}

}  // namespace

TEST_CASE("integer formats read back what was written, within their step", "[format]") {
  using namespace ctlm;
  check_round_trips({both_of<int8<>>(), both_of<int4<7>>(), both_of<int4<32, asymmetric>>(),
                     both_of<int4<32, compact>>(), both_of<int2<32>>(), both_of<int3<5>>(), both_of<int5<7>>(),
                     both_of<ternary<5>>()});
#if !CTLM_FEW_KINDS  // the same ways as above, and long to compile
  check_round_trips({integers_of<int8<32>>(),
                     both_of<int8<20, asymmetric>>(),
                     both_of<int4<32>>(),
                     integers_of<int4<64>>(),
                     both_of<int4<per_channel>>(),
                     integers_of<int2<32, asymmetric>>(),
                     integers_of<int2<per_channel>>(),
                     both_of<int2<5>>(),
                     integers_of<int3<32>>(),
                     both_of<int3<32, asymmetric>>(),
                     integers_of<int3<per_channel>>(),
                     integers_of<int5<32>>(),
                     integers_of<int5<32, asymmetric>>(),
                     integers_of<int6<32>>(),
                     both_of<int6<20, asymmetric>>(),
                     integers_of<int6<per_channel>>(),
                     both_of<ternary<>>(),
                     integers_of<int2<16, compact>>(),
                     both_of<int3<7, compact>>(),
                     integers_of<int6<per_channel, compact>>(),
                     integers_of<ternary<32>>()});
#endif
}

TEST_CASE("codes lie where the layout says, and none touches another", "[format]") {
  using namespace ctlm;
  check_places_of<int2<32>, int3<32>, int4<32>, int5<32>>();
#if !CTLM_FEW_KINDS  // the same ways as above, and long to compile
  check_places_of<int6<32>, ternary<32>>();
#endif
}

TEMPLATE_TEST_CASE("floating point formats keep their precision", "[format]", ctlm::f32, ctlm::f16, ctlm::bf16) {
  const double step = TestType::bits == 32 ? 0 : std::is_same_v<TestType, ctlm::f16> ? 0x1p-11 : 0x1p-8;
  CHECK(round_trip(rows_of<TestType>, 100).worst <= 5 * step);
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
