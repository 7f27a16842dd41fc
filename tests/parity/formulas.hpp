// Weights and text by formula, here as in make_parity.py: what is compared with PyTorch begins with the same numbers.
#pragma once

#include <ctlm/ctlm.hpp>

#include <vector>

namespace formulas {

using namespace ctlm;

inline constexpr std::size_t rows = 4, context = 32;  // of a batch

/// Matrices from a hash of (tensor, element), norms 1, biases 0.
template <class M>
void fill(const typename M::weights& w, double size = 1) {
  for (std::size_t t = 0; t < M::tensors.size(); ++t) {
    const tensor_info& info = M::tensors[t];
    auto data = w.numbers(info);
    for (std::size_t i = 0; i < info.size(); ++i) {
      const double u = static_cast<double>(mix((std::uint64_t{t} << 32) + i) >> 40) / (1 << 24);
      const double constant = info.role == tensor_role::gain ? 1 : 0;
      data[i] = static_cast<typename M::real>(info.is_matrix() ? (u - 0.5) * 0.16 * size : constant);
    }
  }
}

inline token stream(std::size_t i) {
  return static_cast<token>((i % 7 == 0 ? i * i * 5 / 9 : 5 * (i % 11) + i / 29 % 4) % 64);
}

struct pair {
  std::vector<token> inputs, targets;
};

inline pair batch_of(std::size_t step) {
  pair p;
  for (std::size_t b = 0; b < rows; ++b)
    for (std::size_t i = 0, start = (step * rows + b) * 37 % 4000; i < context; ++i) {
      p.inputs.push_back(stream(start + i));
      p.targets.push_back(stream(start + i + 1));
    }
  return p;
}

}  // namespace formulas
