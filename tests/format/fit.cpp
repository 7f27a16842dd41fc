// How scales are chosen: near the best that a search in double precision finds, with the same bits in every build.
#include "catch.hpp"

#include <ctlm/ctlm.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

using namespace ctlm;

namespace {

/// Numbers as weights are: most of them small, a few large; the same bits on every machine.
std::vector<float> weights_like(std::size_t n, std::uint64_t seed) {
  rng r{seed};
  std::vector<float> x(n);
  for (auto& v : x) {
    const auto sum = static_cast<int>(r.below(4096) + r.below(4096) + r.below(4096)) - 3 * 2048;
    v = std::ldexp(static_cast<float>(sum), -16 - static_cast<int>(r.below(3)));
  }
  return x;
}

/// How much the error of w[i] counts.
template <class F>
double counts(const float* w, const float* importance, std::size_t i) {
  if (importance != nullptr) return static_cast<double>(importance[i]);
  return F::favours_large ? static_cast<double>(w[i]) * w[i] : 1.0;
}

/// The weighted error of a group whose numbers are scale * code + base with the nearest codes; then, if it is less,
/// that of the scale and base that suit these codes best.
template <class F>
double searched_error(const float* w, const float* importance, std::size_t n, double scale, double base) {
  double least = std::numeric_limits<double>::infinity();
  const double zero = F::has_min ? 0.0 : static_cast<double>(F::zero);
  for (int pass = 0; pass < 2; ++pass) {
    double error = 0, k0 = 0, kc = 0, kw = 0, kcc = 0, kcw = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const double at = std::nearbyint((w[i] - base) / scale + zero);
      const double code = std::min<double>(std::max<double>(at, F::lowest), F::highest) - zero,
                   k = counts<F>(w, importance, i);
      error += k * std::pow(code * scale + base - w[i], 2);
      k0 += k, kc += k * code, kw += k * w[i], kcc += k * code * code, kcw += k * code * w[i];
    }
    least = std::min<double>(least, error);
    if (F::has_min) {
      scale = (k0 * kcw - kc * kw) / (k0 * kcc - kc * kc);
      base = (kw - scale * kc) / k0;
    } else {
      scale = kcw / kcc;
    }
    if (!(std::fabs(scale) > 0)) break;
  }
  return least;
}

/// The least error that a search over many scales finds, in double precision.
template <class F>
double least_error(const float* w, const float* importance, std::size_t n) {
  double low = w[0], high = w[0], least = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < n; ++i) {
    low = std::min<double>(low, w[i]);
    high = std::max<double>(high, w[i]);
  }
  const double steps = F::highest - F::lowest, farthest = std::max<double>(-low, high);
  if (F::has_min) {
    for (double a = -0.06; a < 0.2; a += 0.02)
      for (double b = -0.06; b < 0.2; b += 0.02)
        least = std::min<double>(
            least, searched_error<F>(w, importance, n, (high - low) * (1 - a - b) / steps, low + a * (high - low)));
  } else {
    for (double ratio = 0.4; ratio < 1.5; ratio += 0.01)
      for (double sign : {-1.0, 1.0})
        least = std::min<double>(least, searched_error<F>(w, importance, n, sign * ratio * farthest * 2 / steps, 0));
  }
  return least;
}

/// The error of what a format makes of a group.
template <class F>
double error_of(const float* w, const float* importance, std::size_t n) {
  const affine<F> a = best_affine<F>(w, n, importance);
  double error = 0;
  for (std::size_t i = 0; i < n; ++i)
    error += counts<F>(w, importance, i) * std::pow(static_cast<double>(a.code(w[i])) * a.scale + a.base - w[i], 2);
  return error;
}

/// How many times the least error the format's errors are, over many groups.
template <class F>
double excess(std::size_t n, const float* importance = nullptr) {
  double ours = 0, least = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const auto w = weights_like(n, seed);
    ours += error_of<F>(w.data(), importance, n);
    least += least_error<F>(w.data(), importance, n);
  }
  return ours / least;
}

/// The least error of -s, 0 and s, of all s: numbers larger than some other one become s, which then is their mean.
double least_of_three(std::vector<float> w, const std::vector<float>& importance) {
  std::vector<std::size_t> order(w.size());
  for (std::size_t i = 0; i < w.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return std::fabs(w[a]) > std::fabs(w[b]); });
  double all = 0, sum = 0, weight = 0, gained = 0;
  for (std::size_t i : order) {
    const double k = importance[i], x = std::fabs(w[i]);
    all += k * x * x, sum += k * x, weight += k;
    gained = std::max<double>(gained, sum * sum / weight);
  }
  return all - gained;
}

/// The bits of three rows in format F: codes, scales, minima.
template <class F>
std::uint64_t bits_of_rows(std::size_t n) {
  heap_arena memory(matrix_bytes<F>(3, n));
  const auto m = F::place(memory, 3, n);
  for (std::size_t r = 0; r < 3; ++r) F::encode(m, r, weights_like(n, r).data());
  std::uint64_t hash = 0;
  F::for_each_part(m, [&](const auto* data, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; ++i) hash = mix(hash, reinterpret_cast<const std::uint8_t*>(data)[i]);
  });
  return hash;
}

constexpr float constant_row[] = {0.5f, -0.25f, 0.125f, 0.3f, -0.7f, 0.01f, -0.02f, 0.6f, 0.2f};

template <class F>
constexpr affine<F> fitted() {
  return best_affine<F>(constant_row, 9);
}
template <class F>
bool as_compiled() {
  constexpr affine<F> compiled = fitted<F>();
  const std::vector<float> row(constant_row, constant_row + 9);
  const affine<F> now = best_affine<F>(row.data(), row.size());
  return compiled.scale == now.scale && compiled.base == now.base && compiled.scale != 0;
}

/// Rows of every kind that a group may hold: ordinary numbers, outliers, one sign, zeros of both signs, numbers near
/// the ends of single precision and beyond half precision's, numbers that have codes already, infinities and NaN.
struct any_row {
  std::vector<float> w, importance;
  bool weighted;

  any_row(rng& r, std::size_t n) : w(n), importance(n), weighted(r.below(2) == 0) {
    const auto kind = r.below(10);
    const double size = std::ldexp(1.0, kind < 5 ? -5 : static_cast<int>(r.below(276)) - 149);
    for (std::size_t i = 0; i < n; ++i) {
      w[i] = static_cast<float>(r.normal() * size);
      importance[i] = static_cast<float>(r.uniform() * r.uniform() * 10);
      if (kind == 1 && r.below(9) == 0) w[i] *= 100;
      if (kind == 2) w[i] = std::fabs(w[i]);
      if (kind == 3 && r.below(2) == 0) w[i] = r.below(2) ? 0.0f : -0.0f;
      if (kind == 4 && r.below(3) == 0) importance[i] = 0;
      if (kind == 6) importance[i] = std::ldexp(1.0f, static_cast<int>(r.below(276)) - 149);
      if (kind == 7) w[i] = r.below(2) ? std::numeric_limits<float>::max() : -std::numeric_limits<float>::max();
      if (kind == 8) w[i] = static_cast<float>(size) * (static_cast<float>(r.below(16)) - 8);
      if (kind == 9 && r.below(400) == 0) w[i] = r.below(2) ? std::numeric_limits<float>::infinity() : std::nanf("");
    }
  }
  const float* counts() const { return weighted ? importance.data() : nullptr; }
};

/// What inspect_row says, number by number.
template <class F>
conversion inspected(const matrix<F>& m, std::size_t row, const float* given) {
  conversion c;
  const std::size_t size = F::group_size(m.cols);
  for (std::size_t first = 0; first < m.cols; first += size) {
    converted_group<float> group(limit_of_group<F>(m, row, first / size));
    for (std::size_t i = first; i < std::min<std::size_t>(first + size, m.cols); ++i) {
      float kept = 0;
      F::decode(m, row, i, 1, &kept);
      group.add(given[i], kept);
    }
    group.count(c);
  }
  return c;
}

/// Encodes rows of any kind, and compares the bits of scales and minima, and all codes, with those that are searched
/// for and written number by number; and what is counted of them.
template <class F>
void compare_with_single_numbers(std::uint64_t seed) {
  using numbers = typename F::numbers;
  using scales = typename F::scale_format;
  rng r{seed};
  std::size_t nonzero = 0, lost = 0;
  for (int round = 0; round < 400; ++round) {
    const std::size_t n = round % 3 == 0 ? 16 * (1 + r.below(20)) : 1 + r.below(round % 10 == 1 ? 500 : 70);
    const std::size_t rows = 1 + r.below(18), row = rows - 1, size = F::group_size(n);
    heap_arena memory(matrix_bytes<F>(rows, n));
    const auto m = F::place(memory, rows, n);
    const any_row x(r, n);
    F::encode(m, row, x.w.data(), x.counts());
    CAPTURE(round, n, rows, x.weighted);
    for (std::size_t i = 0; i < n; i += size) {
      const std::size_t count = std::min<std::size_t>(size, n - i), at = F::scale_index(m, row, i / size);
      const auto a = best_affine<numbers>(x.w.data() + i, count, x.weighted ? x.importance.data() + i : nullptr);
      REQUIRE(m.scales[at] == scales::of(a.scale));
      if constexpr (F::has_min) REQUIRE(m.minima[at] == scales::of_base(a.base, a.scale));
      bool same = true;
      for (std::size_t j = i; j < i + count; ++j) same = same && F::get(m, row, j) == a.code(x.w[j]);
      REQUIRE(same);
      nonzero += a.scale != 0;
    }
    conversion now;
    inspect_row<F>(m, row, x.w.data(), now);
    const conversion expected = inspected<F>(m, row, x.w.data());
    REQUIRE(now.groups == expected.groups);
    REQUIRE(now.vanished == expected.vanished);
    REQUIRE(now.cut == expected.cut);
    REQUIRE(now.not_finite == expected.not_finite);
    lost += !now.kept();
  }
  CHECK(nonzero > 300);
  CHECK(lost > 20);
  CHECK(lost < 300);
}

}  // namespace

TEST_CASE("scales of few bits come close to the least weighted error", "[format]") {
  CHECK(excess<int4<32>>(32) < 1.03);
  CHECK(excess<int4<32, asymmetric>>(32) < 1.15);
  CHECK(excess<int2<32>>(32) < 1.03);
  CHECK(excess<int3<32>>(32) < 1.03);
  CHECK(excess<int5<32>>(32) < 1.06);
#if !CTLM_FEW_KINDS  // the same ways as above, and long to compile
  CHECK(excess<int4<64>>(64) < 1.03);
  CHECK(excess<int4<per_channel>>(512) < 1.05);
  CHECK(excess<int2<32, asymmetric>>(32) < 1.05);
  CHECK(excess<int3<per_channel>>(512) < 1.05);
  CHECK(excess<int3<32, asymmetric>>(32) < 1.10);
  CHECK(excess<int5<32, asymmetric>>(32) < 1.25);
  CHECK(excess<int6<32>>(32) < 1.08);
  CHECK(excess<int6<32, asymmetric>>(32) < 1.5);
#endif
}

TEST_CASE("three levels come close to the least error of all", "[format]") {
  for (const bool by_inputs : {false, true})
    for (std::size_t n : {32, 512}) {
      double ours = 0, least = 0, by_mean = 0;
      rng r{7};
      std::vector<float> importance(n, 1.0f);
      for (std::uint64_t seed = 0; seed < 60; ++seed) {
        const auto w = weights_like(n, seed);
        for (auto& v : importance) v = by_inputs ? static_cast<float>(std::exp(r.normal())) : 1.0f;
        ours += error_of<ternary<>>(w.data(), by_inputs ? importance.data() : nullptr, n);
        least += least_of_three(w, importance);
        double mean = 0;  // BitNet's rule
        for (float x : w) mean += std::fabs(x) / static_cast<double>(n);
        for (std::size_t i = 0; i < n; ++i)
          by_mean += importance[i] * std::pow(mean * std::clamp<double>(std::nearbyint(w[i] / mean), -1, 1) - w[i], 2);
      }
      CAPTURE(by_inputs, n);
      CHECK(ours < 1.02 * least);
      CHECK(ours < 0.95 * by_mean);
    }
}

TEST_CASE("errors in columns with large inputs count more", "[format]") {
  std::vector<float> importance(32);
  rng r{7};
  for (auto& v : importance) v = static_cast<float>(std::exp(2 * r.normal()));
  CHECK(excess<int4<32>>(32, importance.data()) < 1.2);
  CHECK(excess<int4<32, asymmetric>>(32, importance.data()) < 1.3);
#if !CTLM_FEW_KINDS  // the same ways as above, and long to compile
  CHECK(excess<int3<32>>(32, importance.data()) < 1.2);
  CHECK(excess<int3<32, asymmetric>>(32, importance.data()) < 1.3);
  CHECK(excess<int5<32>>(32, importance.data()) < 1.2);
  CHECK(excess<int6<32>>(32, importance.data()) < 1.2);
#endif
  double with = 0, without = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const auto w = weights_like(64, seed);
    heap_arena memory(2 * matrix_bytes<interleaved<int4<32>>>(1, 64));
    for (double* sum : {&with, &without}) {
      const auto m = interleaved<int4<32>>::place(memory, 1, 64);
      std::vector<float> inputs(importance), back(64);
      inputs.insert(inputs.end(), importance.rbegin(), importance.rend());
      interleaved<int4<32>>::encode(m, 0, w.data(), sum == &with ? inputs.data() : nullptr);
      interleaved<int4<32>>::decode(m, 0, 0, 64, back.data());
      for (std::size_t i = 0; i < 64; ++i)
        *sum += counts<int4<32>>(w.data(), inputs.data(), i) * std::pow(static_cast<double>(back[i]) - w[i], 2);
    }
  }
  CHECK(with < 0.95 * without);
}

TEST_CASE("numbers that a group can hold exactly come back exactly", "[format]") {
  rng r{3};
  for (int round = 0; round < 100; ++round) {
    const float scale = half_to_float(float_to_half(static_cast<float>(0.01 + 0.1 * std::fabs(r.normal()))));
    const float minimum = half_to_float(float_to_half(static_cast<float>(r.normal())));
    std::vector<float> centred(32), shifted(32), centred3(32), shifted3(32), centred6(64), three(32), back(64);
    for (std::size_t i = 0; i < 32; ++i) {
      const auto code = static_cast<float>(i < 16 ? i : r.next() % 16);
      centred[i] = scale * (code - 8);
      shifted[i] = scale * code + minimum;
      const auto few = static_cast<float>(i < 8 ? i : r.next() % 8);
      centred3[i] = scale * (few - 4);
      shifted3[i] = scale * few + minimum;
      three[i] = scale * static_cast<float>(i == 0 ? 1 : static_cast<int>(r.next() % 3) - 1);
    }
    for (std::size_t i = 0; i < 64; ++i) centred6[i] = scale * (static_cast<float>(i) - 32);
    auto through = [&]<class F>(F, const std::vector<float>& x) {
      const std::size_t n = x.size();
      heap_arena memory(matrix_bytes<F>(1, n));
      const auto m = F::place(memory, 1, n);
      F::encode(m, 0, x.data());
      back.resize(n);
      F::decode(m, 0, 0, n, back.data());
      return back == x;
    };
    CHECK(through(int4<32>{}, centred));
    CHECK(through(interleaved<int4<32, asymmetric>>{}, shifted));
    CHECK(through(int3<32>{}, centred3));
#if !CTLM_FEW_KINDS  // the same ways as above, and long to compile
    CHECK(through(interleaved<int3<32, asymmetric>>{}, shifted3));
    CHECK(through(interleaved<int6<64>>{}, centred6));
#endif
    CHECK(through(ternary<>{}, three));
    CHECK(through(interleaved<ternary<16>>{}, three));
  }
}

TEST_CASE("every build, and the compiler, chooses the same scales and codes", "[format]") {
  CHECK(as_compiled<int8<>>());
  CHECK(as_compiled<int4<32>>());
  CHECK(as_compiled<int4<32, asymmetric>>());
#if !CTLM_FEW_KINDS  // the same ways as above, and long to compile
  CHECK(as_compiled<int2<32>>());
  CHECK(as_compiled<int2<32, asymmetric>>());
  CHECK(as_compiled<int3<32>>());
  CHECK(as_compiled<int3<32, asymmetric>>());
  CHECK(as_compiled<int5<32>>());
  CHECK(as_compiled<int6<32, asymmetric>>());
#endif
  CHECK(as_compiled<ternary<>>());
  // What GCC 12 makes without vectors and without merged products (-O1 -ffp-contract=off).
  CHECK(bits_of_rows<interleaved<int8<32>>>(100) == 0xD197042741DDD793u);
  CHECK(bits_of_rows<interleaved<int4<32>>>(1000) == 0xC947A75214E1D79Fu);
  CHECK(bits_of_rows<interleaved<int2<32>>>(1000) == 0x47A938AD00B2CF60u);
  CHECK(bits_of_rows<interleaved<int3<32>>>(1000) == 0x66BC6F19CD58FD22u);
  CHECK(bits_of_rows<interleaved<int5<32>>>(1000) == 0x02ACD4C891F69958u);
  CHECK(bits_of_rows<interleaved<ternary<>>>(1000) == 0x9FDB0386B4082107u);
#if !CTLM_FEW_KINDS  // the same ways as above, and long to compile
  CHECK(bits_of_rows<interleaved<int8<32, asymmetric>>>(100) == 0xD011C29E47EED5A9u);
  CHECK(bits_of_rows<interleaved<int4<32, asymmetric>>>(1000) == 0xF589A5201D6C1B22u);
  CHECK(bits_of_rows<int4<per_channel>>(1000) == 0x19D270B93C6158CBu);
  CHECK(bits_of_rows<interleaved<int2<20, asymmetric>>>(1000) == 0x57BA73C5FAE12F59u);
  CHECK(bits_of_rows<int3<32, asymmetric>>(1000) == 0xDA91A49DE4FB587Au);
  CHECK(bits_of_rows<interleaved<int6<32, asymmetric>>>(1000) == 0xBC11F237CEAC8CBCu);
#endif
}

TEST_CASE("rounding to half precision without branches is that with them", "[format]") {
  auto check = [](float x) {
    const float limited = std::fmin(std::fmax(x, -65504.0f), 65504.0f);
    REQUIRE(std::bit_cast<std::uint32_t>(rounded_to_half(x)) ==
            std::bit_cast<std::uint32_t>(half_to_float(float_to_half(limited))));
  };
  for (std::uint32_t h = 0; h < 0x7C00; ++h)
    for (std::uint32_t below : {0u, 1u, 0xFFFu, 0x1000u, 0x1001u, 0x1FFFu})
      for (std::uint32_t sign : {0u, 0x80000000u})
        check(std::bit_cast<float>(
            (std::bit_cast<std::uint32_t>(half_to_float(static_cast<std::uint16_t>(h))) + below) | sign));
  for (float x : {0x1p-25f, 0x1.8p-25f, 0x1p-26f, 1e-30f, 1e-45f, 65519.0f, 65520.0f, 1e30f,
                  std::numeric_limits<float>::infinity()})
    for (float sign : {1.0f, -1.0f}) check(sign * x);
}

TEST_CASE("rows are encoded in registers with the bits of single numbers", "[format]") {
  compare_with_single_numbers<interleaved<int2<32>>>(1);
  compare_with_single_numbers<interleaved<int3<32>>>(4);
  compare_with_single_numbers<interleaved<int4<32>>>(7);
  compare_with_single_numbers<interleaved<int4<20>>>(9);
  compare_with_single_numbers<interleaved<int4<32, compact>>>(12);
  compare_with_single_numbers<interleaved<int5<32>>>(13);
  compare_with_single_numbers<interleaved<int8<32>>>(19);
  compare_with_single_numbers<interleaved<ternary<32>>>(22);
#if !CTLM_FEW_KINDS  // the same ways as above, and long to compile
  compare_with_single_numbers<interleaved<int2<16, compact>>>(2);
  compare_with_single_numbers<interleaved<int2<32, asymmetric>>>(3);
  compare_with_single_numbers<interleaved<int3<32, asymmetric>>>(5);
  compare_with_single_numbers<interleaved<int3<64, compact>>>(6);
  compare_with_single_numbers<interleaved<int4<128>>>(8);
  compare_with_single_numbers<interleaved<int4<per_channel>>>(10);
  compare_with_single_numbers<interleaved<int4<64, asymmetric>>>(11);
  compare_with_single_numbers<interleaved<int5<32, asymmetric>>>(14);
  compare_with_single_numbers<interleaved<int5<16, compact>>>(15);
  compare_with_single_numbers<interleaved<int6<32>>>(16);
  compare_with_single_numbers<interleaved<int6<64, asymmetric>>>(17);
  compare_with_single_numbers<interleaved<int6<32, compact>>>(18);
  compare_with_single_numbers<interleaved<int8<32, asymmetric>>>(20);
  compare_with_single_numbers<interleaved<int8<per_channel>>>(21);
  compare_with_single_numbers<interleaved<ternary<per_channel>>>(23);
#endif
}
