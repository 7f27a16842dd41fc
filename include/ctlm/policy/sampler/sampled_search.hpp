// SPDX-License-Identifier: MIT
// ctlm: the search for a level in a large vocabulary: all is looked at once, at levels around the one that a sample
// tells, then what lies between two of these levels, and then the few that are left in question. Finds the same level
// as level_of().
#pragma once

#include "vocabulary_sample.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace sampling_detail {

template <class Order, class T, class Backend>
class sampled_search {
 public:
  using key = typename Order::key;

  constexpr sampled_search(const left_tokens<T, Backend>& left, const Order& order, const enough_tokens& enough)
      : left_(left), order_(order), enough_(enough), pieces_(left, order, weighs()) {
    start_.low = order_of(everything);
    start_.high = static_cast<decltype(start_.high)>(order_of(order.most(left.high)) + 1);
    between_ = start_;
  }
  /// Finds the level.
  constexpr void find() {
    take_steps();
    const bool guessed = guess();
    add_all();
    between_.all = between_.at_low = quantity_of(sums_, 0);
    between_.narrow(level_, sums_, {}, enough_);
    if (guessed && between_.in_question() > left_.n / 4) {  // the sample was not like the vocabulary
      take_steps();
      read_between();
    }
    finish(false);
  }
  constexpr key level() const { return between_.least(); }
  /// Whether sums made in another order lead to the same level. Up to 20 numbers are added in single precision, others
  /// in double: two sums of the same numbers differ by less than this part of them.
  static constexpr double apart = 40 * 0x1p-24;
  constexpr bool is_clear() const { return !weighs() || are_clear(between_, between_); }
  /// Finds what level_of() finds, to the bit, by the way that it goes: its intervals are known as long as none of its
  /// levels is a matter of rounding. One pass tells after which of them few are left. False if that is not known.
  constexpr bool retrace() {
    constexpr std::size_t oldest = most_levels / 2 - 1;
    level_interval<key> path[oldest + 1]{start_, start_, start_, start_};
    if (!has_all_ || !follow(path)) return false;
    for (std::size_t i = 0; i < most_levels; ++i) level_[i] = i % 2 == 0 ? path[i / 2].least() : path[i / 2].beyond();
    add_all();
    std::size_t few = oldest + 1;  // the oldest of which there are few
    for (std::size_t i = 0; i <= oldest; ++i) {
      path[i].at_low = quantity_of(sums_, 2 * i);
      path[i].at_high = quantity_of(sums_, 2 * i + 1);
      if (path[i].in_question() <= most_copies) few = i;
    }
    if (few >= oldest) return false;
    path[few].all = between_.all;
    between_ = path[few];
    has_all_ = false;
    finish(true);
    return true;
  }

 private:
  static constexpr auto backend = left_tokens<T, Backend>::backend;
  static constexpr key everything = -std::numeric_limits<key>::infinity();

  constexpr bool weighs() const { return enough_.count == 0; }
  constexpr bool are_clear(const level_interval<key>& sure, const level_interval<key>& wrong) const {
    const double wanted = enough_.part * between_.all.mass;
    return sure.at_low.mass >= wanted * (1 + apart) && wrong.at_high.mass < wanted * (1 - apart);
  }
  /// Levels of a pass of which nothing is known: the lowest is all there is.
  constexpr void take_steps() {
    level_[0] = everything;
    for (std::size_t j = 1; j < most_levels; ++j) level_[j] = order_.step(left_.high, left_.base2, first_steps[j]);
  }
  /// Levels around the one that a sample tells, if it tells one.
  constexpr bool guess() {
    const vocabulary_sample<Order, T, Backend> sample(left_, order_, weighs(), held_);
    if (!sample.tells()) return false;
    const double part = weighs() ? enough_.part : static_cast<double>(enough_.count) / static_cast<double>(left_.n);
    const auto around = sample.around(part, between_);
    level_[1] = around.least();
    around.spread(most_levels - 2, false, level_ + 2);
    return true;
  }
  /// Looks at everything that is left.
  constexpr void add_all() {
    sums_ = {};
    pieces_.from(order_.bound(everything));
    pieces_.weighs = weighs();
    while (pieces_.next())
      add_levels(backend, weighs(), pieces_.count, static_cast<const key*>(pieces_.key),
                 static_cast<const float*>(pieces_.mass), static_cast<const key*>(level_), sums_);
  }
  /// Looks at what lies between, and holds it if there is room: then nothing else has to be read.
  constexpr void read_between() {
    const key least = between_.least(), beyond = between_.beyond();
    sums_ = {};
    start_of_held_ = between_;
    outside_ = between_.at_high;
    held_.count = 0;
    has_all_ = true;
    pieces_.from(order_.bound(least));
    pieces_.weighs = false;
    while (pieces_.next())
      for (std::size_t i = 0; i < pieces_.count; i += held_.step) {
        if (!held_.has_room()) {
          add_held();
          held_.count = 0;
          has_all_ = false;
        }
        held_.pick(backend, smaller(held_.step, pieces_.count - i), static_cast<const key*>(pieces_.key + i),
                   static_cast<const float*>(pieces_.mass + i), least, beyond);
      }
    add_held();
    between_.narrow(level_, sums_, outside_, enough_);
  }
  constexpr void add_held() {
    if (weighs()) held_.weigh(backend);
    held_.add_to(backend, weighs(), level_, sums_);
  }
  constexpr void look_at_held(level_interval<key>& in, const enough_tokens& enough) {
    sums_ = {};
    held_.add_to(backend, weighs(), level_, sums_);
    in.narrow(level_, sums_, outside_, enough);
  }
  constexpr void finish(bool by_bits) {
    for (; !between_.found(); by_bits = !by_bits) {
      between_.spread(most_levels, by_bits || has_all_, level_);
      has_all_ ? look_at_held(between_, enough_) : read_between();
    }
  }
  /// Where the level of another part lies among what is held.
  constexpr level_interval<key> held_at(double part) {
    level_interval<key> in = start_of_held_;
    while (!in.found()) {
      in.spread(most_levels, true, level_);
      look_at_held(in, {0, part});
    }
    return in;
  }
  /// The last intervals of level_of(), the newest first, up to one of which all is held, or behind which rounding
  /// decides. False if nothing is known.
  constexpr bool follow(level_interval<key>* path) {
    const auto sure = held_at(enough_.part * (1 + apart)), wrong = held_at(enough_.part * (1 - apart));
    if (!are_clear(sure, wrong)) return false;
    level_interval<key> in = start_;
    for (take_steps(); in.low < start_of_held_.low || in.high > start_of_held_.high;
         in.spread(most_levels, true, level_)) {
      for (std::size_t j = 0; j < most_levels; ++j) {
        const auto at = order_of(level_[j]);
        if (at <= in.low || at >= in.high) continue;
        if (at > sure.low && at < wrong.high) return true;
        (at <= sure.low ? in.low : in.high) = at;
      }
      for (std::size_t i = most_levels / 2 - 1; i > 0; --i) path[i] = path[i - 1];
      path[0] = in;
    }
    return true;
  }

  const left_tokens<T, Backend>& left_;
  Order order_;
  enough_tokens enough_;
  piece_reader<Order, T, Backend> pieces_;
  level_interval<key> start_{}, between_{}, start_of_held_{};
  held_tokens<key> held_{};
  key level_[most_levels]{};
  level_sums sums_{};
  quantity outside_{};    // above what is held
  bool has_all_ = false;  // held are all that lie between
};

/// What level_of() finds, in less time.
template <class Order, class T, class Backend>
CTLM_NOINLINE constexpr typename Order::key sampled_level_of(const left_tokens<T, Backend>& left, const Order& order,
                                                             const enough_tokens& enough) {
  {
    sampled_search<Order, T, Backend> search(left, order, enough);
    search.find();
    if (search.is_clear() || search.retrace()) return search.level();
  }
  return level_of(left, order, enough);
}

}  // namespace sampling_detail

}}  // namespace ctlm
