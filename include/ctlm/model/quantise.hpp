// SPDX-License-Identifier: MIT
// ctlm: weights of one format to weights of another.
#pragma once

#include "../core/executor.hpp"
#include "conversion.hpp"
#include "weights.hpp"

namespace ctlm { inline namespace CTLM_ABI {

namespace quantise_detail {

/// A tensor that is no matrix.
template <class From, class To>
constexpr void copy(const tensor_info& t, const From* from, To* to, conversion& report) {
  for (std::size_t r = 0; r < t.layers * t.rows; ++r) {
    converted_group<To> group;
    for (std::size_t j = r * t.cols; j < (r + 1) * t.cols; ++j) {
      const auto x = to[j] = static_cast<To>(from[j]);
      group.add(x, x);
    }
    group.count(report);
  }
}

/// Rows [first, first + n) of a matrix; `row` is scratch for one of them.
template <class Source, class Target, class From, class To>
constexpr void convert_rows(const From& from, const To& to, std::size_t first, std::size_t n,
                            typename Target::compute* row, conversion& report) {
  for (std::size_t r = first; r < first + n; ++r) {
    Source::decode(from, r, 0, to.cols, row);
    Target::encode(to, r, row);
    inspect_row<Target>(to, r, row, report);
  }
}

}  // namespace quantise_detail

/// to = from, row by row: quantises, widens or narrows. Both are weights of the same shape. `row` is scratch for the
/// longest row of the model. Returns what could not be kept.
template <class Shape, class From, class To>
constexpr conversion convert_weights(const weight_views<Shape, From>& from, const weight_views<Shape, To>& to,
                                     typename To::compute* row) {
  conversion report;
  using source = stored<std::remove_const_t<From>>;
  using target = stored<To>;
  for (const tensor_info& t : weight_views<Shape, To>::tensors) {
    const std::size_t i = t.index();
    if (!t.is_matrix()) {
      quantise_detail::copy(t, from.raw_vector(i), to.raw_vector(i), report);
      continue;
    }
    static_assert(std::same_as<typename source::compute, typename To::compute>,
                  "ctlm: these two formats compute in different numbers");
    quantise_detail::convert_rows<source, target>(from.raw_matrix(i), to.raw_matrix(i), 0, t.layers * t.rows, row,
                                                  report);
  }
  return report;
}

/// to = from, where `to` holds the numbers of arithmetic themselves: no scratch.
template <class Shape, class From, native_format To>
constexpr void decode_weights(const weight_views<Shape, From>& from, const weight_views<Shape, To>& to) {
  using source = typename weight_views<Shape, From>::format;
  static_assert(std::same_as<typename source::compute, typename To::compute>,
                "ctlm: these two formats compute in different numbers");
  for (const tensor_info& t : weight_views<Shape, To>::tensors) {
    const auto numbers = to.numbers(t);
    if (t.is_matrix())
      for (std::size_t r = 0; r < t.layers * t.rows; ++r)
        source::decode(from.raw_matrix(t.index()), r, 0, t.cols, numbers.data() + r * t.cols);
    else
      for (std::size_t j = 0; j < t.size(); ++j) numbers[j] = from.raw_vector(t.index())[j];
  }
}

/// Numbers in the longest row of a matrix of this model.
template <std::size_t Most>
constexpr std::size_t longest_row(const basic_tensor_table<Most>& tensors) {
  std::size_t longest = 1;
  for (const tensor_info& t : tensors)
    if (t.is_matrix()) longest = larger(longest, t.cols);
  return longest;
}

/// to = from by all workers of an executor; each has scratch on its stack, 4 bytes for every number of the longest row.
/// The same for any number of workers.
template <class Shape, class From, class To, executor E>
constexpr conversion quantise(const weight_views<Shape, From>& from, const weight_views<Shape, To>& to, E& exec) {
  using source = stored<std::remove_const_t<From>>;
  using target = stored<To>;
  using real = typename To::compute;
  static_assert(std::same_as<typename source::compute, real>, "ctlm: these two formats compute in different numbers");
  constexpr auto& tensors = weight_views<Shape, To>::tensors;
  conversion reports[E::max_workers]{};
  for (const tensor_info& t : tensors) {
    const std::size_t i = t.index(), rows = t.is_matrix() ? t.layers * t.rows : 0;
    if (!t.is_matrix()) quantise_detail::copy(t, from.raw_vector(i), to.raw_vector(i), reports[0]);
    parallel_for(exec, rows, larger(1, 65536 / t.cols), [&](std::size_t first, std::size_t n, std::size_t worker) {
      real row[longest_row(tensors)]{};
      quantise_detail::convert_rows<source, target>(from.raw_matrix(i), to.raw_matrix(i), first, n, row,
                                                    reports[worker]);
    });
  }
  for (std::size_t w = 1; w < E::max_workers; ++w) reports[0].add(reports[w]);
  return reports[0];
}

/// The same with scratch of its own on the stack: 4 bytes for every number of the longest row.
template <class Shape, class From, class To>
constexpr conversion quantise(const weight_views<Shape, From>& from, const weight_views<Shape, To>& to) {
  typename To::compute row[longest_row(weight_views<Shape, To>::tensors)]{};
  return convert_weights(from, to, row);
}

}}  // namespace ctlm
