// Uses a variant and what it shares with it.
#include "shared.hpp"

#include <cstdio>

int main() try {
  std::vector<std::int32_t> values;
  for (std::int32_t i = 0; i < 100; ++i) values.push_back(i);
  if (sum_of_squares(values) != 328350 || sums().sum(values) != 328351) return 2;
  if (sums().count() != 2 || calls() != (sums_target() == std::string_view("native") ? 2 : 0)) return 3;
  try {
    sums().refuse();
    return 4;
  } catch (const refused&) {  // of the same name and shape
  }
  std::puts(sums_target());
} catch (const std::exception& e) {
  std::fputs(e.what(), stderr);
  return 1;
}
