// Few rows times rows as they are stored, beside the same of decoded rows in double precision.
#include "catch.hpp"
#include "worse.hpp"

#include <ctlm/ctlm.hpp>

#include <cmath>
#include <limits>
#include <tuple>
#include <vector>

using namespace ctlm;

#if CTLM_XSIMD
namespace {

std::vector<float> random_numbers(std::size_t n, std::uint64_t seed) {
  rng r{seed};
  std::vector<float> x(n);
  for (auto& v : x) v = static_cast<float>(r.below(20001)) / 10000 - 1;
  return x;
}

/// A sum of products in double precision, and how large its terms are.
struct summed {
  double sum = 0, size = std::fabs(sum);
  void add(float a, float b) {
    const double x = static_cast<double>(a) * static_cast<double>(b);
    sum += x;
    size += std::fabs(x);
  }
  /// How far x is from it, over what is allowed: the part `epsilon` of the terms' size, and 1e-6.
  double error(float x, double epsilon) const {
    return std::fabs(static_cast<double>(x) - sum) / (epsilon * size + 1e-6);
  }
};

#if CTLM_FEW_KINDS  // under a sanitizer: each way once, as they are long to compile
using some_formats = std::tuple<f16, bf16, f8_e4m3, int8<>, int8<64, asymmetric>, int4<32>, int4<32, asymmetric>>;
#else
using some_formats =
    std::tuple<f16, bf16, f8_e4m3, int8<>, int8<32>, int8<64, asymmetric>, int8<per_channel, asymmetric>, int4<32>,
               int4<32, asymmetric>, int4<per_channel>, int4<64, asymmetric>>;
#endif

}  // namespace

TEMPLATE_LIST_TEST_CASE("rows are multiplied as they are stored", "[kernels]", some_formats) {
  using F = TestType;
  constexpr bool any = multiplies_stored<native, F, 64>;
  if constexpr (any && multiplies_stored<native, F, 96> && multiplies_stored<native, F, 256>) {
    constexpr std::size_t ring = 90;
    for (std::size_t n : {32, 64, 96, 128, 160, 256}) {
      if (n == 32 && !multiplies_stored<native, F, 32>) continue;
      heap_arena memory(matrix_bytes<F>(ring + most_stored_rows, n));
      auto w = F::place(memory, ring + most_stored_rows, n);
      for (std::size_t r = 0; r < ring; ++r) F::encode(w, r, random_numbers(n, n + r).data());
      for (std::size_t trial = 0; trial < 120; ++trial) {
        rng random{trial + n};
        const std::size_t m = 1 + random.below(11), count = 1 + random.below(key_tile), first = random.below(ring);
        const std::size_t before = smaller(count, ring - first);
        const stored_rows<F> rows{w, first, before, before < count ? std::size_t{0} - ring : std::size_t{0}};
        INFO(F::name << " group size " << F::bits << " n " << n << " m " << m << " count " << count << " first "
                     << first);
        const auto q = random_numbers(m * (n + 3), trial), p = random_numbers(m * count, trial + 7);
        auto out = random_numbers(m * n, trial + 9);
        const auto old = out;
        std::vector<float> scores(m * count + 1, 7.0f), decoded(count * n);
        stored_products(native{}, m, count, n, q.data(), n + 3, rows, scores.data(), count);
        add_stored_products(native{}, m, n, count, p.data(), count, rows, out.data(), n);
        for (std::size_t j = 0; j < count; ++j)
          decode_row(portable{}, F{}, matrix<const F>(w), (first + j) % ring, decoded.data() + j * n);
        REQUIRE(scores[m * count] == 7.0f);
        double worst = 0;  // of all errors, each over what is allowed
        for (std::size_t i = 0; i < m; ++i) {
          for (std::size_t j = 0; j < count; ++j) {
            summed sum;
            for (std::size_t c = 0; c < n; ++c) sum.add(q[i * (n + 3) + c], decoded[j * n + c]);
            worst = worse(worst, sum.error(scores[i * count + j], 2e-5));
          }
          for (std::size_t c = 0; c < n; ++c) {
            summed sum{old[i * n + c]};
            for (std::size_t j = 0; j < count; ++j) sum.add(p[i * count + j], decoded[j * n + c]);
            worst = worse(worst, sum.error(out[i * n + c], 1e-6));
          }
        }
        REQUIRE(worst <= 1);
      }
    }
  } else {
    CHECK((std::same_as<F, f8_e4m3> || lanes<float, native::isa> < 4));
  }
}

TEMPLATE_TEST_CASE("a query with a NaN or an infinity has no score", "[kernels]", int8<>, int4<32>,
                   (int4<32, asymmetric>)) {
  using F = TestType;
  if constexpr (multiplies_stored<native, F, 64>) {
    heap_arena memory(matrix_bytes<F>(8 + most_stored_rows, 64));
    auto w = F::place(memory, 8 + most_stored_rows, 64);
    for (std::size_t r = 0; r < 8; ++r) F::encode(w, r, random_numbers(64, r).data());
    w.scales[5 * F::groups(64)] = 0x7E00;
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      auto q = random_numbers(3 * 64, 3);
      q[64 + 17] = bad;
      std::vector<float> scores(3 * 8);
      stored_products(native{}, 3, 8, 64, q.data(), 64, stored_rows<F>{w, 0, 8, 0}, scores.data(), 8);
      for (std::size_t i = 0; i < 3; ++i)
        for (std::size_t j = 0; j < 8; ++j) CHECK(std::isfinite(scores[i * 8 + j]) == (i != 1 && j != 5));
    }
    std::vector<float> zeros(64, 0.0f), tiny(64, 1e-40f), scores(8);
    stored_products(native{}, 1, 8, 64, zeros.data(), 64, stored_rows<F>{w, 0, 5, 0}, scores.data(), 8);
    for (std::size_t j = 0; j < 5; ++j) CHECK(scores[j] == 0.0f);
    stored_products(native{}, 1, 8, 64, tiny.data(), 64, stored_rows<F>{w, 0, 5, 0}, scores.data(), 8);
    for (std::size_t j = 0; j < 5; ++j) CHECK(std::fabs(scores[j]) < 1e-36f);
  }
}
#endif
