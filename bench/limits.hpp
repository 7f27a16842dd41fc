// What this machine can do at most, measured in the same run as everything that is compared with it.
#pragma once

#include "measure.hpp"

#include <ctlm/ctlm.hpp>

#include <cstring>

namespace bench {

/// Bytes per second of reading memory that no cache holds, with each worker's stretch in four streams.
template <class Pool>
double read_rate(Pool& workers, const std::vector<std::uint64_t>& memory) {
  const std::size_t n = memory.size() / 4 / workers.workers() / 8 * 8;
  std::vector<std::uint64_t> sums(workers.workers() * 8);
  auto read = [&] {
    workers.run(workers.workers(), [&](std::size_t task, std::size_t) {
      const std::uint64_t* p = memory.data() + task * 4 * n;
      std::uint64_t s[8]{};
      for (std::size_t i = 0; i < n; i += 8)
        for (std::size_t j = 0; j < 8; ++j) s[j] += p[i + j] + p[n + i + j] + p[2 * n + i + j] + p[3 * n + i + j];
      std::memcpy(&sums[task * 8], s, sizeof s);
    });
  };
  const double rate = rates({{"", read, static_cast<double>(4 * n * 8 * workers.workers())}}, 0.3, 5)[0];
  if (sums[0] == 42) std::printf(" ");  // the sums are used
  return rate;
}

/// Single precision multiply-adds per second (two operations each), from registers.
template <class Pool>
double fma_rate(Pool& workers) {
#if CTLM_XSIMD
  using batch = ctlm::simd_batch<float, ctlm::native_simd::isa>;
  constexpr std::size_t lanes = batch::size;
#else
  using batch = float;
  constexpr std::size_t lanes = 1;
#endif
  constexpr int chains = 12, turns = 20000;
  std::vector<float> out(workers.workers() * 16);
  auto work = [&] {
    workers.run(workers.workers(), [&](std::size_t task, std::size_t) {
      batch acc[chains];
      for (int c = 0; c < chains; ++c) acc[c] = batch(static_cast<float>(c));
      const batch a(0.999f + 1e-9f * static_cast<float>(task)), b(1e-3f);
      for (int i = 0; i < turns; ++i)
        for (int c = 0; c < chains; ++c) acc[c] = acc[c] * a + b;
      batch sum = acc[0];
      for (int c = 1; c < chains; ++c) sum = sum + acc[c];
      std::memcpy(&out[task * 16], &sum, sizeof(float));
    });
  };
  const double operations = 2.0 * lanes * chains * turns * static_cast<double>(workers.workers());
  const double rate = rates({{"", work, operations}}, 0.1, 5)[0];
  if (out[0] == 42.0f) std::printf(" ");
  return rate;
}

}  // namespace bench
