// SPDX-License-Identifier: MIT
// ctlm: what the formats without a scale have in common: one element per number, rows one after the other.
#pragma once

#include "format.hpp"

namespace ctlm { inline namespace CTLM_ABI {

template <class F, class Element, class Compute>
struct plain {
  using element = Element;
  using compute = Compute;
  static constexpr std::size_t bits = sizeof(Element) * 8;

  template <bool read_only>
  struct view {
    using format = F;
    using pointer = std::conditional_t<read_only, const Element*, Element*>;
    pointer data = nullptr;
    std::size_t rows = 0;
    std::size_t cols = 0;

    constexpr operator view<true>() const requires(!read_only) { return {data, rows, cols}; }
    constexpr view slice(std::size_t first, std::size_t count) const { return {data + first * cols, count, cols}; }
  };

  /// f(pointer, bytes) for every stretch of memory that a view points to.
  template <class View, class Visit>
  static constexpr void for_each_part(View& m, Visit&& f) {
    f(m.data, m.rows * m.cols * sizeof(Element));
  }

  template <class A>
  static constexpr auto place(A& a, std::size_t rows, std::size_t cols) {
    auto* p = a.template allocate<Element>(rows * cols);
    return view<std::is_const_v<std::remove_pointer_t<decltype(p)>>>{p, rows, cols};
  }
  static constexpr void encode(const view<false>& m, std::size_t row, const Compute* src) {
    for (std::size_t i = 0; i < m.cols; ++i) m.data[row * m.cols + i] = F::from(src[i]);
  }
  static constexpr void decode(const view<true>& m, std::size_t row, std::size_t first, std::size_t n, Compute* dst) {
    for (std::size_t i = 0; i < n; ++i) dst[i] = F::to(m.data[row * m.cols + first + i]);
  }
};

}}  // namespace ctlm
