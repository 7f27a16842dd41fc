// What a program and its variants have in common by mistake: inline functions and templates, of which a linker keeps
// one.
#pragma once

#include <ctlm/app/dispatch.hpp>

#include <stdexcept>
#include <vector>

/// Large functions are not inlined; this one stands for them.
template <class T>
[[gnu::noinline]] T sum_of_squares(const std::vector<T>& values) {
  T sum{};
  for (const T v : values) sum += v * v;
  return sum;
}

/// One number for each variant, whatever the number of its files, and one for the program.
inline int& calls() {
  static int n = 0;
  return n;
}

struct refused : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct sums_table {
  std::int32_t (*sum)(const std::vector<std::int32_t>& values);
  int (*count)();
  void (*refuse)();
};
CTLM_DISPATCHED(sums_table, sums)
