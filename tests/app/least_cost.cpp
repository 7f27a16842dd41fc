// Formats for matrices under a limit of bytes: against all choices there are, never more bytes than allowed, never a
// larger cost for a larger allowance.
#include "catch.hpp"

#include <ctlm/ctlm.hpp>

#include <cmath>
#include <set>
#include <string>

using namespace ctlm;

namespace {

/// Costs fall and bytes grow with the format, more or less.
cost_table random_table(rng& random, std::size_t items, std::size_t formats, std::size_t unit) {
  cost_table t{items, formats, {}, {}};
  for (std::size_t i = 0; i < items; ++i) {
    const std::size_t size = 1 + random.below(8);
    const double sensitive = static_cast<double>(1 + random.below(100));
    for (std::size_t f = 0; f < formats; ++f) {
      t.costs.push_back(sensitive * static_cast<double>(1 + random.below(20)) / static_cast<double>((f + 1) * (f + 1)));
      t.bytes.push_back(unit * size * (2 + f) + (unit == 1 ? random.below(3) : 0));
    }
  }
  return t;
}

/// The least cost of all choices; infinity where none is allowed.
double least_of_all(const cost_table& t, std::size_t allowed, std::size_t most_formats) {
  double best = std::numeric_limits<double>::infinity();
  std::vector<std::size_t> choice(t.items, 0);
  for (;;) {
    double cost = 0;
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < t.items; ++i) {
      cost += t.costs[i * t.formats + choice[i]];
      bytes += t.bytes[i * t.formats + choice[i]];
    }
    const std::set<std::size_t> different(choice.begin(), choice.end());
    if (bytes <= allowed && different.size() <= most_formats && cost < best) best = cost;
    std::size_t i = 0;
    while (i < t.items && ++choice[i] == t.formats) choice[i++] = 0;
    if (i == t.items) return best;
  }
}

}  // namespace

TEST_CASE("the chosen formats are the best of all choices", "[app][budget]") {
  rng random{3};
  int impossible = 0, possible = 0;
  for (int time = 0; time < 60; ++time) {
    const std::size_t items = 1 + random.below(6), formats = 1 + random.below(4), most = 1 + random.below(4);
    const cost_table t = random_table(random, items, formats, time % 2 == 0 ? 1 : 4096);
    std::size_t largest = 0;
    for (const std::size_t b : t.bytes) largest += b;
    for (int part = 0; part < 5; ++part) {
      const std::size_t allowed = random.below(largest) + 1;
      const double expected = least_of_all(t, allowed, most);
      const auto found = least_cost(t, allowed, most);
      REQUIRE(static_cast<bool>(found) == std::isfinite(expected));
      if (!found) {
        ++impossible;
        continue;
      }
      ++possible;
      CHECK(found->cost == Approx(expected).epsilon(1e-12));
      CHECK(found->bytes <= allowed);
      CHECK(std::set<std::uint8_t>(found->of.begin(), found->of.end()).size() <= most);
    }
  }
  CHECK(impossible > 20);
  CHECK(possible > 100);
}

TEST_CASE("a larger allowance never costs more, where bytes have to be rounded, too", "[app][budget]") {
  rng random{5};
  cost_table t = random_table(random, 40, 5, 1);
  for (std::size_t i = 0; i < t.bytes.size(); ++i) t.bytes[i] = t.bytes[i] * 100'003 + i;  // no common divisor
  std::size_t least = 0, most = 0;
  for (std::size_t i = 0; i < t.items; ++i) {
    std::size_t low = t.bytes[i * 5], high = low;
    for (std::size_t f = 0; f < 5; ++f) {
      low = std::min(low, t.bytes[i * 5 + f]);
      high = std::max(high, t.bytes[i * 5 + f]);
    }
    least += low;
    most += high;
  }
  double before = std::numeric_limits<double>::infinity();
  for (std::size_t allowed = least; allowed < most + 100'000; allowed += (most - least) / 97) {
    const auto found = least_cost(t, allowed, 5);
    REQUIRE(found);
    CHECK(found->bytes <= allowed);
    CHECK(found->cost <= before);
    before = found->cost;
    const auto again = least_cost(t, allowed, 5);
    CHECK(again->of == found->of);
  }
  double cheapest = 0;
  for (std::size_t i = 0; i < t.items; ++i) cheapest += *std::min_element(&t.costs[i * 5], &t.costs[i * 5] + 5);
  CHECK(before == Approx(cheapest));
}

TEST_CASE("what is impossible is refused with numbers", "[app][budget]") {
  const cost_table t{2, 2, {4, 1, 4, 1}, {100, 200, 300, 400}};
  CHECK(least_cost(t, 400, 2)->of == std::vector<std::uint8_t>{0, 0});
  CHECK(least_cost(t, 500, 2)->of == std::vector<std::uint8_t>{1, 0});  // of equal ones, the first
  CHECK(least_cost(t, 599, 1)->of == std::vector<std::uint8_t>{0, 0});
  CHECK(least_cost(t, 600, 1)->of == std::vector<std::uint8_t>{1, 1});
  const auto words = [](const auto& r) { return std::string(explain(r.error()).text); };
  CHECK(words(least_cost(t, 399, 2)) ==
        "ctlm: the weights need at least 400 bytes in these formats, and 399 are allowed");
  CHECK(words(least_cost({1, 0, {}, {}}, 399, 2)) == "ctlm: formats are chosen from 1 to 255, not from 0");
  CHECK(words(least_cost({1, 1, {-1}, {1}}, 399, 2)) == "ctlm: what format 0 of matrix 0 costs is no finite number");
  CHECK(words(least_cost(t, 399, 0)) == "ctlm: a choice has at least one format, not 0");
}
