// SPDX-License-Identifier: MIT
// ctlm: a view of contiguous elements; <span> without its include time, and it knows std::span, vectors and arrays.
#pragma once

#include "types.hpp"

#include <concepts>

namespace ctlm { inline namespace CTLM_ABI {

/// A view of `size` elements that belong to somebody else, of type T or const T. Made from a pointer and a size, an
/// array, or whatever has data() and size().
template <class T>
class span {
 public:
  using element_type = T;

  constexpr span() = default;
  constexpr span(T* data, std::size_t size) : data_(data), size_(size) {}
  template <std::size_t N>
  constexpr span(T (&array)[N]) : data_(array), size_(N) {}
  template <class Range>
  requires requires(Range&& r) {
    { r.data() } -> std::convertible_to<T*>;
    r.size();
  }
  constexpr span(Range&& r) : data_(r.data()), size_(r.size()) {}

  constexpr T* data() const { return data_; }
  constexpr std::size_t size() const { return size_; }
  constexpr bool empty() const { return size_ == 0; }
  constexpr T& operator[](std::size_t i) const { return data_[i]; }
  constexpr T* begin() const { return data_; }
  constexpr T* end() const { return data_ + size_; }
  constexpr T& back() const { return data_[size_ - 1]; }
  /// The first n elements.
  constexpr span first(std::size_t n) const { return {data_, n}; }
  /// n elements from `offset` on.
  constexpr span subspan(std::size_t offset, std::size_t n) const { return {data_ + offset, n}; }
  /// All elements from `offset` on.
  constexpr span subspan(std::size_t offset) const { return {data_ + offset, size_ - offset}; }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

}}  // namespace ctlm
