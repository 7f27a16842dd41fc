// Attention of one token to keys and values of 8 bits as they are stored, beside the same of decoded ones in double
// precision.
#include "catch.hpp"
#include "worse.hpp"

#include <ctlm/ctlm.hpp>

#include <cmath>
#include <limits>
#include <vector>

using namespace ctlm;

#if CTLM_XSIMD
namespace {

using rules = score_rules<true, true>;

/// Keys and values in a ring, queries of some heads, and what they find.
struct case_of_attention {
  static constexpr std::size_t ring = 700;
  std::size_t columns, heads, begin, end;
  float cap;
  heap_arena memory{2 * matrix_bytes<int8<>>(ring, columns) + 1024}, room{std::size_t{1} << 20};
  matrix<int8<>> keys = int8<>::place(memory, ring, columns), values = int8<>::place(memory, ring, columns);
  std::vector<float> q = std::vector<float>(heads * (columns + 5)), out = std::vector<float>(heads * (columns + 3));
  attention_workspace<float> ws = attention_workspace<float>::place(room, native{}, key_tile, columns, false);

  void fill(std::uint64_t seed) {
    rng r{seed};
    auto number = [&] { return static_cast<float>(r.below(20001)) / 10000 - 1; };
    std::vector<float> row(columns);
    for (std::size_t i = 0; i < ring; ++i)
      for (auto* m : {&keys, &values}) {
        const float size = 0.1f + static_cast<float>(r.below(30));
        for (auto& x : row) x = size * number();
        int8<>::encode(*m, i, row.data());
      }
    for (auto& x : q) x = number();
  }
  void attend() {
    query_rows<float, rules> queries{row_major<float>(q.data(), columns + 5), heads, end, 0, 0, 0, {cap, end - begin}};
    auto tiles = [&](std::size_t j, std::size_t count) {
      const std::size_t first = j % ring, before = smaller(count, ring - first);
      const std::size_t back = before < count ? std::size_t{0} - ring : std::size_t{0};
      return stored_tile<int8<>, int8<>>{{keys, first, before, back}, {values, first, before, back}};
    };
    absorb_keys(native{}, columns, 0.125f, queries, begin, end, tiles, out.data(), columns + 3, dropout_mask{}, ws);
  }
  /// The largest error, over what is allowed.
  double error() const {
    double worst = 0;
    std::vector<float> row(columns);
    auto decoded = [&](const matrix<int8<>>& m, std::size_t j) {
      decode_row(portable{}, int8<>{}, matrix<const int8<>>(m), j % ring, row.data());
      return row;
    };
    for (std::size_t h = 0; h < heads; ++h) {
      std::vector<double> scores, found(columns, 0.0), size(columns, 0.0);
      for (std::size_t j = begin; j < end; ++j) {
        const auto key = decoded(keys, j);
        double s = 0;
        for (std::size_t c = 0; c < columns; ++c)
          s += static_cast<double>(q[h * (columns + 5) + c]) * static_cast<double>(key[c]);
        s *= 0.125;
        scores.push_back(cap > 0 ? static_cast<double>(cap) * std::tanh(s / static_cast<double>(cap)) : s);
      }
      const double peak = static_cast<double>(ws.peak[h]) * 0.125;
      double total = 0, most = 0;  // most: what the largest numbers of values come to
      for (std::size_t j = begin; j < end; ++j) {
        const double w = std::exp(scores[j - begin] - peak);
        const auto value = decoded(values, j);
        total += w;
        double largest = 0;
        for (const float v : value) largest = std::fmax(largest, std::fabs(static_cast<double>(v)));
        most += w * largest;
        for (std::size_t c = 0; c < columns; ++c) {
          found[c] += w * static_cast<double>(value[c]);
          size[c] += w * std::fabs(static_cast<double>(value[c]));
        }
      }
      worst = worse(worst, std::fabs(static_cast<double>(ws.total[h]) - total) / (2e-3 * total));
      for (std::size_t c = 0; c < columns; ++c)
        worst = worse(worst, std::fabs(static_cast<double>(out[h * (columns + 3) + c]) - found[c]) /
                                 (2e-3 * size[c] + 1e-6 * most));
    }
    return worst;
  }
};

}  // namespace

TEST_CASE("one token attends to keys and values of 8 bits as they are stored", "[kernels]") {
  if constexpr (multiplies_stored<native, int8<>, 256>) {
    std::uint64_t seed = 0;
    for (const std::size_t columns : {32, 64, 96, 128, 192, 256})
      for (std::size_t trial = 0; trial < 25; ++trial) {
        rng r{++seed};
        const std::size_t begin = r.below(690);
        case_of_attention a{columns, 1 + r.below(11), begin, begin + 1 + r.below(trial % 2 == 0 ? 70 : 520),
                            trial % 3 == 0 ? 4.0f : 0.0f};
        a.fill(seed);
        a.attend();
        INFO("columns " << columns << " heads " << a.heads << " begin " << begin << " end " << a.end << " cap "
                        << a.cap);
        REQUIRE(a.error() <= 1);
      }
  } else {
    CHECK(lanes<float, native::isa> < 4);
  }
}

TEST_CASE("a NaN reaches the heads that see it, when rows are attended to as they are stored", "[kernels]") {
  if constexpr (multiplies_stored<native, int8<>, 64>) {
    for (const int what : {0, 1, 2}) {
      case_of_attention a{64, 6, 100, 230, 0.0f};
      a.fill(3);
      if (what == 0) a.q[2 * 69 + 7] = std::numeric_limits<float>::quiet_NaN();
      if (what == 1) a.keys.scales[131] = 0x7E00;
      if (what == 2) a.values.scales[229] = 0x7E00;
      a.keys.scales[99] = a.values.scales[99] = 0x7E00;  // nobody sees these
      a.keys.scales[230] = a.values.scales[230] = 0x7E00;
      a.attend();
      for (std::size_t h = 0; h < 6; ++h) {
        const float result = a.out[h * 67] / a.ws.total[h];
        CHECK(std::isnan(result) == (what > 0 || h == 2));
      }
    }
  }
}
#endif
