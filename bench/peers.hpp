// Other libraries' matrix products, where they were found when this was built.
#pragma once

#include <cstddef>
#include <vector>

namespace bench {

struct peer {
  const char* name;
  /// c[m][n] = a[m][k] b; b is [k][n], or [n][k] if transposed.
  void (*product)(int threads, std::size_t m, std::size_t k, std::size_t n, bool transposed, const float* a,
                  const float* b, float* c);
};

std::vector<peer> peers();

}  // namespace bench
