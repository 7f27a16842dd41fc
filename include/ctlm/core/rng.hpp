// SPDX-License-Identifier: MIT
// ctlm: random numbers, the same on every machine.
#pragma once

#include "math.hpp"
#include "types.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// One round of SplitMix64 (Steele, Lea, Flood 2014) as a hash: a bijection of 64 bits that scatters well.
constexpr std::uint64_t mix(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

/// Stateless: the n-th number of a stream, so that any thread can ask for any element (dropout masks, batch order).
constexpr std::uint64_t mix(std::uint64_t stream, std::uint64_t n) {
  return mix(mix(stream) ^ (n * 0xD1342543DE82EF95u));
}

/// A stream of random numbers; its whole state is one integer, which a checkpoint can hold.
struct rng {
  std::uint64_t state = 0;

  /// The next 64 random bits.
  constexpr std::uint64_t next() {
    const std::uint64_t r = mix(state);
    state += 0x9E3779B97F4A7C15u;
    return r;
  }
  /// In [0, 1), 53 bits.
  constexpr double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  /// In [0, n); n > 0. Bias below 2^-32 for n below 2^32.
  constexpr std::size_t below(std::size_t n) { return static_cast<std::size_t>(next() % n); }
  /// Mean 0, variance 1 (Box and Muller 1958).
  constexpr double normal() {
    const double u = 1.0 - uniform();
    return math::sqrt(-2.0 * math::log(u)) * math::cos(6.283185307179586 * uniform());
  }
};

}}  // namespace ctlm
