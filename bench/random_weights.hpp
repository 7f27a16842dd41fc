// Weights of models whose speed is measured: random numbers, whatever the format.
#pragma once

#include <ctlm/ctlm.hpp>

#include <algorithm>

namespace bench {

inline void fill(float* p, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes / 4; ++i) p[i] = static_cast<float>(ctlm::mix(i) >> 40) * 0x1p-29f - 0x1p-6f;
}
template <class S>
requires(std::is_same_v<S, ctlm::half> || std::is_same_v<S, ctlm::bfloat>) void fill(S* p, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes / 2; ++i) p[i] = S::from(static_cast<float>(ctlm::mix(i) >> 40) * 0x1p-29f);
}
inline void fill(std::uint16_t* p, std::size_t bytes) {  // scales: 0.004
  for (std::size_t i = 0; i < bytes / 2; ++i) p[i] = 0x1C00;
}
inline void fill(void* p, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) static_cast<unsigned char*>(p)[i] = static_cast<unsigned char>(ctlm::mix(i));
}

/// All of a model's matrices; gains are 1.
template <class Weights>
void fill_weights(const Weights& weights) {
  weights.for_each([](const ctlm::tensor_info&, auto values) {
    if constexpr (requires { values.begin(); })
      std::fill(values.begin(), values.end(), 1.0f);
    else
      Weights::format::for_each_part(values, [](auto* p, std::size_t bytes) { fill(p, bytes); });
  });
}

}  // namespace bench
