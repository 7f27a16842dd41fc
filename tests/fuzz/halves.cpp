// The 16-bit numbers against a reference in double precision: nearest, ties to even.
#include "fuzz.hpp"

#include <cmath>

using namespace ctlm;

namespace {

/// x rounded to `digits` binary digits, the last not below 2^least; infinite from `overflow` on.
double rounded(float x, int digits, int least, double overflow) {
  if (x == 0 || !std::isfinite(x)) return x;
  const int last = std::max(std::ilogb(x) - (digits - 1), least);
  const double r = std::ldexp(std::nearbyint(std::ldexp(static_cast<double>(x), -last)), last);
  return std::fabs(r) >= overflow ? std::copysign(std::numeric_limits<double>::infinity(), r) : r;
}

void check(float x, float back, double expected, const char* what) {
  if (std::isnan(x))
    fuzz::require(std::isnan(back), what);
  else
    fuzz::require(static_cast<double>(back) == expected && std::signbit(back) == std::signbit(x), what);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input in(data, size);
  while (in.left() > 0) {
    const float x = in.number<float>();
    check(x, half_to_float(float_to_half(x)), rounded(x, 11, -24, 65536), "half precision is the nearest");
    check(x, bfloat_to_float(float_to_bfloat(x)), rounded(x, 8, -133, 0x1p128), "bfloat16 is the nearest");
    const float h = half::from(x), b = bfloat::from(x);
    fuzz::require(std::isnan(x) || (float_to_half(h) == float_to_half(x) && float_to_bfloat(b) == float_to_bfloat(x)),
                  "rounding twice is rounding once");
  }
  return 0;
}

void fuzz::seeds(const std::function<void(const std::string&)>& keep) {
  std::string s;
  for (float x : {0.0f, -0.0f, 1.0f, 65504.0f, 65519.0f, 65520.0f, 0x1p-24f, 0x1p-25f, 1e-45f, 3e38f, 0x1.00fp0f,
                  std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()})
    s += bytes_of(x);
  keep(s);
}
