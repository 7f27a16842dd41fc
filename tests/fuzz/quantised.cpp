// Integer formats: finite numbers come back finite and no further off than the numbers of their group are apart (of
// compact groups: those numbers and zero, which their codes reach); numbers that are not finite come back as NaN.
#include "fuzz.hpp"

#include <algorithm>
#include <cmath>

using namespace ctlm;

namespace {

/// What a group may be off: its extent, and what rounding of scales and minima adds, to half precision or to the least
/// scale. Infinite where the scale or the minimum is too large to be held.
template <class F>
double limit(const float* x, std::size_t n) {
  double low = F::compact ? 0 : x[0], high = low;
  for (std::size_t i = 0; i < n; ++i) {
    low = std::min(low, static_cast<double>(x[i]));
    high = std::max(high, static_cast<double>(x[i]));
  }
  const double steps = F::highest - F::lowest, largest = std::max(-low, high);
  const double extent = F::has_min ? high - low : 2 * largest;
  if (extent / steps > 60000 || largest > 60000) return std::numeric_limits<double>::infinity();
  return extent * 1.01 + largest * 0x1p-9 + 300.0 * F::scale_format::least;
}

template <class Layout, class F>
void check_format(const std::vector<float>& row) {
  const std::size_t n = row.size(), size = F::group_size(n);
  heap_arena memory(matrix_bytes<Layout>(2, n));
  const auto m = Layout::place(memory, 2, n);
  std::vector<float> back(n);
  Layout::encode(m, 1, row.data());
  Layout::decode(m, 1, 0, n, back.data());
  for (std::size_t i = 0; i < n; i += size) {
    const std::size_t end = std::min(i + size, n);
    const bool all_finite =
        std::all_of(row.begin() + static_cast<std::ptrdiff_t>(i), row.begin() + static_cast<std::ptrdiff_t>(end),
                    [](float x) { return std::isfinite(x); });
    const double most = all_finite ? limit<F>(row.data() + i, end - i) : 0;
    for (std::size_t j = i; j < end; ++j) {
      if (!std::isfinite(row[j])) fuzz::require(std::isnan(back[j]), "what is not finite comes back as NaN");
      if (!all_finite) continue;
      fuzz::require(std::isfinite(back[j]), "finite numbers come back finite");
      fuzz::require(std::fabs(static_cast<double>(back[j]) - row[j]) <= most, "errors are bounded");
    }
  }
}

template <class... F>
void check_formats(const std::vector<float>& row) {
  (check_format<F, F>(row), ...);
  (check_format<interleaved<F>, F>(row), ...);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input in(data, size);
  std::vector<float> row;
  while (in.left() > 0 && row.size() < 100) row.push_back(in.number<float>());
  if (row.empty()) return 0;
  check_formats<int8<>, int8<32>, int8<32, asymmetric>, int4<32>, int4<7, asymmetric>, int4<32, compact>,
                int3<16, compact>, int2<16, compact>, int4<per_channel>, int2<32>, int2<5, asymmetric>, int3<32>,
                int3<5, asymmetric>, int5<32, asymmetric>, int6<7>, ternary<>>(row);
  return 0;
}

void fuzz::seeds(const std::function<void(const std::string&)>& keep) {
  auto row = [&](std::initializer_list<float> numbers) {
    std::string s;
    for (float x : numbers) s += bytes_of(x);
    keep(s);
  };
  row({0, 0, 0});
  row({1, -2, 3, 0.5f, 1e-30f, 1e30f});
  row({65504, -65504, 7e4f, 3e38f});
  row({1, std::numeric_limits<float>::infinity(), 2});
  row({1, 2, std::numeric_limits<float>::quiet_NaN()});
  row({3156.37085f, 3156.32935f, 3156.32935f});  // closer to each other than to zero
  std::string normal;
  rng random{1};
  for (int i = 0; i < 70; ++i) normal += bytes_of(static_cast<float>(random.normal()));
  keep(normal);
}
