// SPDX-License-Identifier: MIT
// ctlm: one of several formats for each of many matrices, so that the sum of their costs is least and the sum of their
// bytes is not more than allowed (the multiple-choice knapsack).
//
// The bytes beyond the least are counted in steps: their greatest common divisor where that makes few steps, as it does
// for a model whose layers are alike, and then the choice is the best there is. Otherwise bytes are rounded up to steps
// whose size does not depend on what is allowed. So a larger allowance never leads to a larger cost, and no allowance
// is ever exceeded.
#pragma once

#include "../core/result.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

namespace ctlm { inline namespace CTLM_ABI {

/// What matrices cost and take in each format: [items][formats].
struct cost_table {
  std::size_t items = 0;           ///< matrices
  std::size_t formats = 0;         ///< to choose from, at most 255
  std::vector<double> costs;       ///< not negative
  std::vector<std::size_t> bytes;  ///< of memory
};

/// One format for each matrix.
struct chosen_formats {
  std::vector<std::uint8_t> of;  ///< [items] numbers of formats
  double cost = 0;               ///< the sum of their costs
  std::size_t bytes = 0;         ///< the sum of their bytes
};

namespace least_cost_detail {

/// Sums of costs by steps of bytes, for some of the formats.
class search {
 public:
  static constexpr std::size_t most_steps = 32768;  // that all matrices can take beyond their least bytes

  search(const cost_table& table, std::size_t allowed) : table_(table), extra_(table.costs.size()) {
    std::size_t common = 0, most = 0, least = 0;
    for (std::size_t i = 0; i < table.items; ++i) {
      const std::size_t* const row = &table.bytes[i * table.formats];
      const std::size_t smallest = *std::min_element(row, row + table.formats);
      least += smallest;
      most += *std::max_element(row, row + table.formats) - smallest;
      for (std::size_t f = 0; f < table.formats; ++f) common = std::gcd(common, row[f] - smallest);
    }
    common = larger(1, common);
    const std::size_t step = common * larger(1, ceil_div(most / common, most_steps));
    if (allowed < least) return;
    steps_ = smaller(allowed - least, most) / step;
    for (std::size_t i = 0; i < table.items; ++i) {
      const std::size_t* const row = &table.bytes[i * table.formats];
      const std::size_t smallest = *std::min_element(row, row + table.formats);
      for (std::size_t f = 0; f < table.formats; ++f) extra_[i * table.formats + f] = ceil_div(row[f] - smallest, step);
    }
  }

  /// The least cost with these formats alone, or infinity; `taken`, if there is one, gets [items][steps + 1] formats.
  double cost(const std::vector<std::uint8_t>& formats, std::vector<std::uint8_t>* taken = nullptr) {
    constexpr double none = std::numeric_limits<double>::infinity();
    before_.assign(steps_ + 1, 0);
    after_.resize(steps_ + 1);
    if (taken != nullptr) taken->assign(table_.items * (steps_ + 1), 0);
    for (std::size_t i = 0; i < table_.items; ++i) {
      std::fill(after_.begin(), after_.end(), none);
      for (const std::uint8_t f : formats) {
        const std::size_t extra = extra_[i * table_.formats + f];
        const double more = table_.costs[i * table_.formats + f];
        std::uint8_t* const to = taken == nullptr ? nullptr : taken->data() + i * (steps_ + 1);
        for (std::size_t s = extra; s <= steps_; ++s) {
          const double sum = before_[s - extra] + more;
          if (!(sum < after_[s])) continue;
          after_[s] = sum;
          if (to != nullptr) to[s] = f;
        }
      }
      before_.swap(after_);
    }
    return before_[steps_];
  }

  /// The choice with the least cost.
  chosen_formats choice(const std::vector<std::uint8_t>& formats) {
    std::vector<std::uint8_t> taken;
    cost(formats, &taken);
    chosen_formats c;
    c.of.resize(table_.items);
    std::size_t s = steps_;
    for (std::size_t i = table_.items; i-- > 0;) {
      const std::uint8_t f = taken[i * (steps_ + 1) + s];
      c.of[i] = f;
      s -= extra_[i * table_.formats + f];
    }
    return c;
  }

 private:
  const cost_table& table_;
  std::vector<std::size_t> extra_;  // [items][formats] steps beyond the least bytes
  std::vector<double> before_, after_;
  std::size_t steps_ = 0;
};

/// The next of the sets of `n` out of `formats` numbers, in the order of their first numbers; false after the last.
inline bool next_set(std::vector<std::uint8_t>& set, std::size_t formats) {
  const std::size_t n = set.size();
  for (std::size_t i = n; i-- > 0;) {
    if (set[i] + (n - i) >= formats) continue;
    ++set[i];
    for (std::size_t j = i + 1; j < n; ++j) set[j] = static_cast<std::uint8_t>(set[j - 1] + 1);
    return true;
  }
  return false;
}

inline void add_up(const cost_table& table, chosen_formats& c) {
  c.cost = 0;
  c.bytes = 0;
  for (std::size_t i = 0; i < table.items; ++i) {
    c.cost += table.costs[i * table.formats + c.of[i]];
    c.bytes += table.bytes[i * table.formats + c.of[i]];
  }
}

/// The choice with the least bytes.
inline chosen_formats smallest_of(const cost_table& table, const std::vector<std::uint8_t>& set) {
  chosen_formats c;
  for (std::size_t i = 0; i < table.items; ++i) {
    std::uint8_t least = set[0];
    for (const std::uint8_t f : set)
      if (table.bytes[i * table.formats + f] < table.bytes[i * table.formats + least]) least = f;
    c.of.push_back(least);
  }
  add_up(table, c);
  return c;
}

}  // namespace least_cost_detail

/// The choice with the least cost of at most `allowed` bytes and at most `most_formats` different formats; of equal
/// ones, that with formats which come first. Memory: a byte for each matrix and step, at most 32 KiB a matrix.
///
/// Errors: invalid_argument where even the least bytes are more than allowed, with both numbers, and for none or more
/// than 255 formats, or with costs that are negative or not finite.
inline result<chosen_formats> least_cost(const cost_table& table, std::size_t allowed, std::size_t most_formats) {
  using namespace least_cost_detail;
  if (most_formats == 0)
    return failure{errc::invalid_argument, "ctlm: a choice has at least one format, not {had}", 0, 1, 0};
  if (table.formats == 0 || table.formats > 255)
    return failure{errc::invalid_argument, "ctlm: formats are chosen from 1 to {needed}, not from {had}", 0, 255,
                   table.formats};
  for (std::size_t i = 0; i < table.costs.size(); ++i)
    if (!(table.costs[i] >= 0 && table.costs[i] <= std::numeric_limits<double>::max()))
      return failure{errc::invalid_argument, "ctlm: what format {had} of matrix {needed} costs is no finite number", i,
                     i / table.formats, i % table.formats};
  search steps(table, allowed);
  std::vector<std::uint8_t> set(smaller(most_formats, table.formats)), best_set;
  std::iota(set.begin(), set.end(), std::uint8_t{0});
  double best = std::numeric_limits<double>::infinity();
  chosen_formats chosen, smallest;
  do {
    const chosen_formats least = smallest_of(table, set);
    if (smallest.of.empty() || least.bytes < smallest.bytes) smallest = least;
    if (least.bytes > allowed) continue;
    const double cost = steps.cost(set);
    if (!(cost < best)) continue;
    best = cost;
    best_set = set;
  } while (next_set(set, table.formats));
  if (smallest.bytes > allowed)
    return failure{errc::invalid_argument,
                   "ctlm: the weights need at least {needed} bytes in these formats, and {had} are allowed", 0,
                   smallest.bytes, allowed};
  if (!best_set.empty()) chosen = steps.choice(best_set);
  // Steps may be too coarse for a choice that fits to the byte: one format for all is always looked at.
  auto look = [&](const chosen_formats& c) {
    if (c.bytes > allowed || (!chosen.of.empty() && !(c.cost < best))) return;
    best = c.cost;
    chosen = c;
  };
  look(smallest);
  for (std::size_t f = 0; f < table.formats; ++f) look(smallest_of(table, {static_cast<std::uint8_t>(f)}));
  add_up(table, chosen);
  return chosen;
}

}}  // namespace ctlm
