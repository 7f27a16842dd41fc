// What this machine can do at most, measured in the same run as everything that is compared with it.
#pragma once

#include "measure.hpp"

#include <ctlm/ctlm.hpp>

#include <atomic>
#include <cstring>
#include <utility>

namespace bench {

/// A register of Bytes bytes, or the nearest thing that the processor has.
template <std::size_t Bytes>
using wide __attribute__((vector_size(Bytes))) = std::uint64_t;

/// A way of reading memory: the width of an access, stretches that are read side by side, and how far ahead cache lines
/// are asked for (0: the processor alone looks ahead).
template <std::size_t Width, std::size_t Streams, std::size_t Ahead>
struct way_of_reading {
  static constexpr std::size_t line = 64;  // bytes

  /// The sum of `bytes` bytes from `data` on, a multiple of Streams lines. Reading may ask for lines behind the end.
  static std::uint64_t sum(const std::byte* data, std::size_t bytes) {
    using V = wide<Width>;
    constexpr std::size_t accesses = line / Width;
    const std::size_t stretch = bytes / Streams;
    V sums[Streams * accesses]{};
    for (std::size_t at = 0; at < stretch; at += line)
      for (std::size_t s = 0; s < Streams; ++s) {
        const std::byte* const from = data + s * stretch + at;
        if (Ahead > 0) CTLM_PREFETCH_READ(from + Ahead);
        for (std::size_t i = 0; i < accesses; ++i) {
          V v;
          std::memcpy(&v, from + i * Width, Width);
          sums[s * accesses + i] += v;
        }
      }
    std::uint64_t total = 0;
    for (const V& v : sums)
      for (std::size_t i = 0; i < Width / 8; ++i) total += v[i];
    return total;
  }
};

/// What read_rate reads: one gigabyte, in large pages where there are such, as the weights of models lie.
class read_memory {
 public:
  static constexpr std::size_t size = std::size_t{1} << 30;

  read_memory() { std::memset(data_, 1, size); }
  const std::byte* data() const { return data_; }

 private:
  ctlm::heap_arena arena_{size + 64};
  std::byte* data_ = arena_.allocate<std::byte>(size);
};

/// Reads about `bytes` of it with all workers, each the next piece that nobody has begun.
template <class Way, class Pool>
candidate reading(Pool& workers, const read_memory& memory, std::size_t bytes, std::atomic<std::uint64_t>& total) {
  constexpr std::size_t unit = 256, most = std::size_t{16} << 20;
  const std::size_t piece = std::clamp(bytes / 16 / unit * unit, unit, most), pieces = bytes / piece;
  auto read = [&workers, &memory, &total, piece, pieces] {
    workers.run(pieces, [&](std::size_t task, std::size_t) {
      total.fetch_add(Way::sum(memory.data() + task * piece, piece), std::memory_order_relaxed);  // the sum is used
    });
  };
  return {"", read, static_cast<double>(piece * pieces)};
}

/// Bytes per second of reading memory that no cache holds: of the fastest way among several, since a limit must not be
/// less than what a kernel may reach.
template <class Pool>
double read_rate(Pool& workers, const read_memory& memory) {
  std::atomic<std::uint64_t> total{0};
  std::vector<candidate> ways;
  auto add = [&]<std::size_t Width>(std::integral_constant<std::size_t, Width>) {
    ways.push_back(reading<way_of_reading<Width, 1, 0>>(workers, memory, memory.size, total));
    ways.push_back(reading<way_of_reading<Width, 2, 0>>(workers, memory, memory.size, total));
    ways.push_back(reading<way_of_reading<Width, 4, 0>>(workers, memory, memory.size, total));
    ways.push_back(reading<way_of_reading<Width, 1, 1024>>(workers, memory, memory.size, total));
    ways.push_back(reading<way_of_reading<Width, 1, 4096>>(workers, memory, memory.size, total));
    ways.push_back(reading<way_of_reading<Width, 2, 4096>>(workers, memory, memory.size, total));
  };
  add(std::integral_constant<std::size_t, 8>{});
  add(std::integral_constant<std::size_t, 32>{});
  add(std::integral_constant<std::size_t, 64>{});
  const std::vector<double> rate = rates(ways, 0.05, 3);
  return *std::max_element(rate.begin(), rate.end());
}

/// The same of the first `bytes` of it, which a cache may hold, in the ways that are fast there.
template <class Pool>
double read_rate(Pool& workers, const read_memory& memory, std::size_t bytes) {
  std::atomic<std::uint64_t> total{0};
  double most = 0;
  for (const candidate& way : {reading<way_of_reading<64, 1, 0>>(workers, memory, bytes, total),
                               reading<way_of_reading<64, 2, 0>>(workers, memory, bytes, total),
                               reading<way_of_reading<64, 1, 4096>>(workers, memory, bytes, total)})
    most = std::max(most, rates({way}, 0.02, 3)[0]);
  return most;
}

/// How fast bytes can be read at most, with one thread and with two: as fast as memory, or as a cache that holds them.
class read_limits {
 public:
  template <class Pool>
  void measure(std::size_t t, Pool& workers, const read_memory& memory) {
    of_memory_[t] = read_rate(workers, memory);
    of_[t] = [&](std::size_t bytes) { return read_rate(workers, memory, bytes); };
  }
  double of_memory(std::size_t t) const { return of_memory_[t]; }
  /// Of so many bytes that are read again and again.
  double operator()(std::size_t t, std::size_t bytes) const {
    return bytes < read_memory::size ? std::max(of_memory_[t], of_[t](bytes)) : of_memory_[t];
  }

 private:
  double of_memory_[2]{};
  std::function<double(std::size_t)> of_[2];
};

/// Operations per second of work(task), which each worker does once at a time; `operations` are those of one.
template <class Pool, class Work>
double register_rate(Pool& workers, double operations, Work work) {
  const std::size_t tasks = workers.workers();
  const auto all = [&] { workers.run(tasks, [&](std::size_t task, std::size_t) { work(task); }); };
  return rates({{"", all, operations * static_cast<double>(tasks)}}, 0.1, 5)[0];
}

/// The same of multiply(sum, i), done again and again to 10 registers that start as `start`; each has `operations`.
template <class Register, class Pool, class Multiply>
double chained_rate(Pool& workers, double operations, Register start, Multiply multiply) {
  constexpr int chains = 10, turns = 24000;
  std::vector<unsigned char> out(workers.workers() * 64);
  const double rate = register_rate(workers, operations * chains * turns, [&](std::size_t task) {
    Register sums[chains];
    for (Register& sum : sums) sum = start;
    const auto turn = [&]<std::size_t... I>(std::index_sequence<I...>) { ((sums[I] = multiply(sums[I])), ...); };
    for (int i = 0; i < turns; ++i) turn(std::make_index_sequence<chains>{});
    for (const Register& sum : sums)
      for (std::size_t b = 0; b < sizeof sum && b < 64; ++b)
        out[task * 64 + b] ^= reinterpret_cast<const unsigned char*>(&sum)[b];
  });
  if (out[0] == 42 && out[1] == 43 && out[2] == 44) std::printf(" ");  // the sums are used
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
  const batch a(0.999f), b(1e-3f);
  return chained_rate(workers, 2.0 * lanes, batch(1.0f), [=](const batch& sum) { return sum * a + b; });
}

#if CTLM_AMX
/// The same of multiply(), which multiplies into four tiles.
template <class Pool, class Multiply>
double tile_rate(Pool& workers, double operations, Multiply multiply) {
  constexpr int turns = 5000;
  return register_rate(workers, 4 * operations * turns, [=](std::size_t) {
    const ctlm::tile_registers held;
    for (int i = 0; i < turns; ++i) multiply();
  });
}
#endif

/// Products of numbers in bf16 that are added up in single precision, two operations each: as fast as the processor's
/// own instructions, or as f32 where it has none.
template <class Pool>
double bfloat_rate(Pool& workers) {
#if CTLM_AMX
  if (ctlm::may_use_tiles())
    return tile_rate(workers, 2.0 * 16 * 16 * 32, [] {
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    });
#endif
#if CTLM_AVX512BF16
  const auto one = std::bit_cast<__m512bh>(_mm512_set1_epi32(0x3F803F80));
  return chained_rate(workers, 2.0 * 32, _mm512_setzero_ps(),
                      [=](__m512 sum) { return _mm512_dpbf16_ps(sum, one, one); });
#else
  return fma_rate(workers);
#endif
}

/// Products of codes of 4 bits with codes of 8 that are added up in integers, two operations each: with AVX2 in 16
/// bits, without what widens a few of them. As fast as f32 where nothing else is known.
template <class Pool>
double integer_rate(Pool& workers) {
#if CTLM_AMX
  if (ctlm::may_use_tiles())
    return tile_rate(workers, 2.0 * 16 * 16 * 64, [] {
      _tile_dpbusd(0, 4, 6);
      _tile_dpbusd(1, 4, 7);
      _tile_dpbusd(2, 5, 6);
      _tile_dpbusd(3, 5, 7);
    });
#endif
#if CTLM_XSIMD && CTLM_AVX512
  const __m512i codes = _mm512_set1_epi8(1);
  return chained_rate(workers, 2.0 * 64, _mm512_setzero_si512(),
                      [=](__m512i sum) { return ctlm::add_products<ctlm::int4<32>>(sum, codes, codes); });
#elif CTLM_XSIMD && CTLM_AVX2
  const __m256i codes = _mm256_set1_epi8(1);
  return chained_rate(workers, 2.0 * 32, _mm256_setzero_si256(), [=](__m256i sum) {
    __m256i activations = codes;
    asm volatile("" : "+x"(activations));  // or the product would be the same one each time
    sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(codes, activations));
    ctlm::keep_order(sum);
    return sum;
  });
#else
  return fma_rate(workers);
#endif
}

}  // namespace bench
