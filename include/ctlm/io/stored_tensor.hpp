// SPDX-License-Identifier: MIT
// ctlm: a tensor as a file of any format holds it: a name, a shape, bytes, and how its numbers are read.
#pragma once

#include "../core/span.hpp"
#include "../format/float16.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// How a file stores numbers: in what units, and how a unit becomes numbers. Each file format has a table of those that
/// it knows; a new one is a function and a line there.
struct number_encoding {
  const char* name = "";       ///< as the file's format calls it: F32, Q4_0, ...
  std::size_t numbers = 1;     ///< numbers in a unit: 1, or those that share a scale
  std::size_t unit_bytes = 1;  ///< bytes of a unit

  /// Reads `units` whole units at `bytes`, of any alignment, into `to`: units * numbers of them.
  void (*decode)(const std::byte* bytes, std::size_t units, float* to) = nullptr;
  /// The same in double precision, of encodings whose numbers single precision cannot hold; nullptr of all others.
  void (*decode_wide)(const std::byte* bytes, std::size_t units, double* to) = nullptr;
};

/// A tensor of an open file: a view of the file's bytes. Dimensions come with the outermost first (rows, columns), as
/// PyTorch prints them; a scalar has none.
struct stored_tensor {
  static constexpr std::size_t most_dimensions = 8;  ///< more are refused

  span<const char> name{};                    ///< as the file spells it; not ended by a zero
  const number_encoding* encoding = nullptr;  ///< how its bytes become numbers
  std::size_t rank = 0;                       ///< how many dimensions it has
  std::size_t dimensions[most_dimensions]{};  ///< the outermost first; those from `rank` on are 0
  span<const std::byte> bytes{};              ///< the numbers, row after row

  /// Numbers in the tensor; 1 for a scalar.
  constexpr std::size_t count() const {
    std::size_t n = 1;
    for (std::size_t i = 0; i < rank; ++i) n *= dimensions[i];
    return n;
  }
  /// Reads numbers [first, first + n), both multiples of encoding->numbers, into `to`.
  void decode(std::size_t first, std::size_t n, float* to) const {
    encoding->decode(at(first), n / encoding->numbers, to);
  }
  /// The same in double precision: what the file says, to the last bit, but for integers of more than 53 bits.
  void decode(std::size_t first, std::size_t n, double* to) const {
    if (encoding->decode_wide != nullptr) return encoding->decode_wide(at(first), n / encoding->numbers, to);
    constexpr std::size_t piece = 256;  // numbers of the largest unit
    float narrow[piece];
    const std::size_t most = piece / encoding->numbers * encoding->numbers;
    for (std::size_t i = 0; i < n; i += most) {
      const std::size_t part = smaller(most, n - i);
      decode(first + i, part, narrow);
      for (std::size_t j = 0; j < part; ++j) to[i + j] = static_cast<double>(narrow[j]);
    }
  }

 private:
  const std::byte* at(std::size_t first) const {
    return bytes.data() + first / encoding->numbers * encoding->unit_bytes;
  }
};

/// An open file of tensors, however many files it is made of.
template <class S>
concept tensor_source = requires(const S& s, span<const char> name) {
  { s.tensors() } -> std::convertible_to<span<const stored_tensor>>;  // in the order of the file
  { s.find(name) } -> std::convertible_to<const stored_tensor*>;      // or nullptr
};

}}  // namespace ctlm
