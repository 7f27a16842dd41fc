// Weights in integers for tests of kernels: random codes, scales and minima, of whole ranges, without an encoder, which
// takes a compiler far longer than the kernel; and products with them for what need not know the format.
#pragma once

#include <ctlm/ctlm.hpp>

#include <memory>
#include <vector>

namespace integer_weights {

template <class F>
struct numbers_of {
  using type = F;
};
template <class F>
struct numbers_of<ctlm::interleaved<F>> {
  using type = F;
};

/// Fills all rows: numbers are about [-3, 3]; scales of symmetric groups have either sign, as encoders choose them.
template <class View>
void fill(const View& m, std::uint64_t seed) {
  using F = typename View::format;
  using numbers = typename numbers_of<F>::type;
  using scales = typename F::scale_format;
  constexpr auto levels = static_cast<std::size_t>(numbers::highest - numbers::lowest + 1);
  ctlm::rng r{seed};
  const std::size_t size = F::group_size(m.cols);
  for (std::size_t row = 0; row < m.rows; ++row)
    for (std::size_t i = 0; i < m.cols; ++i) {
      if (i % size == 0) {
        const std::size_t g = F::scale_index(m, row, i / size);
        const auto scale = static_cast<float>((0.5 + r.uniform()) * 6 / static_cast<double>(levels));
        m.scales[g] = scales::of(!F::has_min && r.below(2) == 0 ? -scale : scale);
        if constexpr (F::has_min) {
          const double middle = numbers::lowest + (0.2 + 0.6 * r.uniform()) * static_cast<double>(levels);
          m.minima[g] = scales::of_base(static_cast<float>(-middle) * scale, scales::scale(m.scales[g]));
        }
      }
      F::set(m, row, i, numbers::lowest + static_cast<int>(r.below(levels)));
    }
}

/// Products of a matrix of random weights with quantised rows, by each of some backends, which are counted from 0.
struct products {
  const char* const name;
  const std::size_t group, input_group, groups;
  virtual ~products() = default;
  virtual void decode(std::size_t row, float* to) const = 0;
  virtual void quantise(std::size_t backend, const float* x, const ctlm::quantised_rows& to) const = 0;
  virtual void stripe(std::size_t backend, std::size_t stripe, std::size_t m, const ctlm::quantised_rows& q,
                      float* to) const = 0;

 protected:
  products(const char* of, std::size_t weights, std::size_t inputs, std::size_t in_row)
      : name(of), group(weights), input_group(inputs), groups(in_row) {}
};

template <class F, class... Backends>
struct products_of final : products {
  ctlm::heap_arena memory;
  ctlm::matrix<const F> w;

  products_of(std::size_t rows, std::size_t n)
      : products(F::name, F::group, ctlm::input_group<F>, ctlm::input_groups<F>(n)),
        memory(ctlm::matrix_bytes<F>(rows, n)) {
    const auto m = F::place(memory, rows, n);
    fill(m, n);
    w = m;
  }
  void decode(std::size_t row, float* to) const override { F::decode(w, row, 0, w.cols, to); }
  void quantise(std::size_t backend, const float* x, const ctlm::quantised_rows& to) const override {
    std::size_t i = 0;
    ((i++ == backend ? ctlm::quantise_row(Backends{}, F{}, w.cols, x, to) : void()), ...);
  }
  void stripe(std::size_t backend, std::size_t stripe, std::size_t m, const ctlm::quantised_rows& q,
              float* to) const override {
    std::size_t i = 0;
    ((i++ == backend ? void(ctlm::quantised_stripe(Backends{}, F{}, w, stripe, m, q, to)) : void()), ...);
  }
};

using make_products = std::unique_ptr<products> (*)(std::size_t rows, std::size_t n);
template <class F, class... Backends>
std::unique_ptr<products> make(std::size_t rows, std::size_t n) {
  return std::make_unique<products_of<ctlm::interleaved<F>, Backends...>>(rows, n);
}

}  // namespace integer_weights
