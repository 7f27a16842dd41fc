// SPDX-License-Identifier: MIT
// ctlm: decimal numbers in text, read as the nearest float or double: without <cstdlib>, constexpr, on every machine.
#pragma once

#include "math.hpp"
#include "span.hpp"

namespace ctlm { inline namespace CTLM_ABI {

namespace decimal_detail {

/// 768 digits tell a double from the middle between two of them; of more, it counts only whether they are all zero.
inline constexpr std::int64_t most_digits = 770;
/// Beyond these powers of ten of the first digit, numbers are infinite or zero in double precision too.
inline constexpr std::int64_t largest_power = 309, smallest_power = -326;

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// An unsigned integer with room for what a double's division needs: 771 digits, or 5 to the power 1100, and 66 bits.
class wide_integer {
 public:
  constexpr explicit wide_integer(std::uint32_t n) { words_[0] = n; }

  constexpr std::size_t bits() const {
    return words_[used_ - 1] == 0 ? 0 : 32 * used_ - static_cast<std::size_t>(std::countl_zero(words_[used_ - 1]));
  }
  /// *this = *this * factor + summand.
  constexpr void multiply_add(std::uint32_t factor, std::uint32_t summand) {
    std::uint64_t carry = summand;
    for (std::size_t i = 0; i < used_; ++i) {
      carry += std::uint64_t{words_[i]} * factor;
      words_[i] = static_cast<std::uint32_t>(carry);
      carry >>= 32;
    }
    if (carry != 0) words_[used_++] = static_cast<std::uint32_t>(carry);
  }
  constexpr void multiply_by_power_of_five(std::int64_t power) {
    constexpr std::uint32_t five_to_13 = 1'220'703'125;
    for (; power >= 13; power -= 13) multiply_add(five_to_13, 0);
    for (; power > 0; --power) multiply_add(5, 0);
  }
  constexpr void shift_left(std::size_t n) {
    const std::size_t whole = n / 32, part = n % 32;
    used_ += whole + 1;
    for (std::size_t i = used_; i-- > 0;) {
      const std::uint64_t upper = i >= whole ? words_[i - whole] : 0;
      const std::uint64_t lower = i > whole ? words_[i - whole - 1] : 0;
      words_[i] = static_cast<std::uint32_t>(((upper << 32 | lower) << part) >> 32);
    }
    shorten();
  }
  constexpr bool at_least(const wide_integer& other) const {
    if (used_ != other.used_) return used_ > other.used_;
    for (std::size_t i = used_; i-- > 0;)
      if (words_[i] != other.words_[i]) return words_[i] > other.words_[i];
    return true;
  }
  /// Requires at_least(other).
  constexpr void subtract(const wide_integer& other) {
    std::uint64_t borrow = 0;
    for (std::size_t i = 0; i < used_; ++i) {
      const std::uint64_t difference = std::uint64_t{words_[i]} - other.words_[i] - borrow;
      words_[i] = static_cast<std::uint32_t>(difference);
      borrow = difference >> 63;
    }
    shorten();
  }

 private:
  constexpr void shorten() {
    while (used_ > 1 && words_[used_ - 1] == 0) --used_;
  }
  std::uint32_t words_[92]{};
  std::size_t used_ = 1;
};

/// A decimal number without its sign: the integer that its digits spell, times ten to a power.
struct decimal {
  span<const char> digits{};    // with at most one point among them, and zeros before the first other digit
  std::int64_t count = 0;       // of significant digits, from the first that is not zero
  std::int64_t power = 0;       // of ten, that the integer is multiplied by
  std::uint64_t beginning = 0;  // the integer, if it has at most 19 digits
};

constexpr decimal take_apart(span<const char> text) {
  decimal d;
  std::size_t i = 0;
  bool behind_point = false;
  for (; i < text.size() && (is_digit(text[i]) || text[i] == '.'); ++i) {
    if (text[i] == '.') {
      behind_point = true;
      continue;
    }
    d.power -= behind_point;
    if (d.count == 0 && text[i] == '0') continue;
    if (++d.count <= 19) d.beginning = d.beginning * 10 + static_cast<std::uint64_t>(text[i] - '0');
  }
  d.digits = text.first(i);
  if (i + 1 >= text.size()) return d;
  constexpr std::int64_t limit = std::int64_t{1} << 50;  // more than a text has digits to make up for it
  const bool negative = text[++i] == '-';
  if (!is_digit(text[i])) ++i;  // the exponent's sign
  std::int64_t exponent = 0;
  for (; i < text.size() && is_digit(text[i]); ++i)
    if (exponent < limit) exponent = exponent * 10 + (text[i] - '0');
  d.power += negative ? -exponent : exponent;
  return d;
}

/// The integer that the digits spell, shortened to most_digits and one that stands for the rest of them.
constexpr wide_integer integer_of(decimal& d) {
  wide_integer n(0);
  bool rest = false;
  std::int64_t taken = 0;
  for (const char c : d.digits) {
    if (c == '.' || (taken == 0 && c == '0')) continue;
    if (++taken <= most_digits)
      n.multiply_add(10, static_cast<std::uint32_t>(c - '0'));
    else
      rest = rest || c != '0';
  }
  if (taken > most_digits) {
    n.multiply_add(10, rest);
    d.power += taken - most_digits - 1;
  }
  return n;
}

/// The nearest T of `fraction` * 2^(exponent - 63), where the highest bit of fraction is set; ties to even. `rest`: the
/// number is a little larger than that.
template <math::real T>
constexpr T rounded(std::uint64_t fraction, std::int64_t exponent, bool rest) {
  using ieee = math::ieee<T>;
  using bits = typename ieee::bits;
  constexpr std::int64_t smallest = 1 - ieee::bias;
  constexpr auto infinity = static_cast<bits>(bits{2 * ieee::bias + 1} << ieee::mantissa);
  if (exponent > ieee::max_exponent) return std::bit_cast<T>(infinity);
  const std::int64_t below = exponent < smallest ? smallest - exponent : 0;
  const std::int64_t dropped = 63 - ieee::mantissa + below;
  if (dropped > 64) return T(0);
  const std::uint64_t kept = dropped == 64 ? 0 : fraction >> dropped;
  const std::uint64_t lost = dropped == 64 ? fraction : fraction & ((std::uint64_t{1} << dropped) - 1);
  const std::uint64_t middle = std::uint64_t{1} << (dropped - 1);
  const bool up = lost > middle || (lost == middle && (rest || kept % 2 == 1));
  // The highest bit of what is kept, where it is there, adds one to the exponent; and so does a carry out of it.
  const auto field = static_cast<std::uint64_t>(below > 0 ? 0 : exponent - smallest);
  return std::bit_cast<T>(static_cast<bits>((field << ieee::mantissa) + kept + up));
}

/// integer * 10^power, by a division of integers, bit by bit.
template <math::real T>
constexpr T divided(wide_integer numerator, std::int64_t power) {
  wide_integer denominator(1);
  (power < 0 ? denominator : numerator).multiply_by_power_of_five(power < 0 ? -power : power);
  const std::size_t above = numerator.bits(), below = denominator.bits();
  if (above < below)
    numerator.shift_left(below - above);
  else
    denominator.shift_left(above - below);
  // The quotient is between 1/2 and 2: only its first bit, which weighs 1, may be zero.
  std::int64_t exponent = power + static_cast<std::int64_t>(above) - static_cast<std::int64_t>(below);
  std::uint64_t fraction = 0;
  do {
    fraction <<= 1;
    if (numerator.at_least(denominator)) {
      numerator.subtract(denominator);
      fraction |= 1;
    }
    numerator.shift_left(1);
    if (fraction == 0) --exponent;
  } while (fraction >> 63 == 0);
  return rounded<T>(fraction, exponent, numerator.bits() != 0);
}

/// The few numbers that T holds exactly on the way: one multiplication or division rounds them as they must be.
template <math::real T>
constexpr bool is_small(const decimal& d) {
  constexpr std::int64_t power = std::is_same_v<T, double> ? 22 : 10;
  return d.count <= 19 && d.beginning >> (math::ieee<T>::mantissa + 1) == 0 && d.power >= -power && d.power <= power;
}

template <math::real T>
constexpr T magnitude(span<const char> text) {
  decimal d = take_apart(text);
  if (d.count == 0 || d.power + d.count - 1 < smallest_power) return T(0);
  if (d.power + d.count - 1 > largest_power) return std::numeric_limits<T>::infinity();
  if (!is_small<T>(d)) {
    const wide_integer n = integer_of(d);
    return divided<T>(n, d.power);
  }
  T ten_to_power = 1;
  for (std::int64_t i = d.power < 0 ? -d.power : d.power; i > 0; --i) ten_to_power *= T(10);
  const auto n = static_cast<T>(d.beginning);
  return d.power < 0 ? n / ten_to_power : n * ten_to_power;
}

}  // namespace decimal_detail

/// The T nearest to a decimal number, ties to even; infinity, with its sign, beyond the largest one. `text` is a number
/// as JSON and C++ write it, and nothing else: `-12.50e+3`.
template <math::real T>
constexpr T nearest(span<const char> text) {
  const bool negative = !text.empty() && text[0] == '-';
  const T value = decimal_detail::magnitude<T>(text.subspan(negative ? 1 : 0));
  return negative ? -value : value;
}

}}  // namespace ctlm
