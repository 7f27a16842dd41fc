// What tests of training in 16 bits have in common: models of every width that is shared among threads, one step, and
// gradients beside those of single precision.
#pragma once

#include "../model/models.hpp"
#include "catch.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

namespace sixteen_bits {

struct recipe {
  static constexpr ctlm::train_config config{.batch = 3, .sequence = 32, .accumulate = 2};
};
/// Wide enough that every product is shared among threads.
struct wide {
  static constexpr ctlm::llama_config config{
      .vocab = 300, .d_model = 96, .layers = 3, .heads = 6, .kv_heads = 3, .d_ff = 200, .context = 32};
};
struct wide_gpt2 {
  static constexpr ctlm::gpt2_config config{.vocab = 300, .d_model = 96, .layers = 3, .heads = 6, .context = 32};
};

/// One step on tokens that a seed gives, each of which is the target of the one before.
template <class T>
auto one_step(T& t, std::uint64_t seed) {
  const auto tokens = models::random_tokens(T::step_tokens + 1, T::shape.vocab, seed);
  const ctlm::span<const ctlm::token> all = tokens;
  return t.step(all.first(T::step_tokens), all.subspan(1));
}

/// All weights, as they lie in memory.
template <class T>
std::vector<std::byte> bytes_of(const T& t) {
  const auto bytes = t.weights().bytes();
  return {bytes.begin(), bytes.end()};
}

/// The loss of one micro-batch, and its gradients as doubles in the order of the tensors.
struct found {
  double loss = 0;
  std::vector<double> gradients;
};
/// Gradients whose tensors have no table, such as those of adapters, are taken as they lie in memory: they are floats.
template <class Gradients>
std::vector<double> numbers_of(const Gradients& g) {
  std::vector<double> all;
  if constexpr (requires { Gradients::tensors; }) {
    for (const ctlm::tensor_info& i : Gradients::tensors)
      for (const auto x : g.numbers(i)) all.push_back(static_cast<double>(x));
  } else {
    const auto bytes = g.bytes();
    std::vector<float> numbers(bytes.size() / sizeof(float));
    std::memcpy(numbers.data(), bytes.data(), bytes.size());
    all.assign(numbers.begin(), numbers.end());
  }
  return all;
}
template <class T>
found gradients_of(T& t) {
  const auto tokens = models::random_tokens(T::batch_tokens + 1, T::shape.vocab, 3);
  const ctlm::span<const ctlm::token> all = tokens;
  const double loss = t.forward_backward(all.first(T::batch_tokens), all.subspan(1));
  return {loss, numbers_of(t.gradients())};
}
/// Gradients of a trainer of its own.
template <class T>
found gradients_with(const typename T::options& o = {.seed = 5}) {
  ctlm::heap_arena memory(T::train_bytes);
  T t(memory, o);
  CHECK(memory.remaining() == 0);
  return gradients_of(t);
}

/// The distance of two sets of gradients, over the length of the first.
inline double away(const found& exact, const found& others) {
  REQUIRE(exact.gradients.size() == others.gradients.size());
  double apart = 0, length = 0;
  for (std::size_t i = 0; i < exact.gradients.size(); ++i) {
    apart += std::pow(exact.gradients[i] - others.gradients[i], 2);
    length += std::pow(exact.gradients[i], 2);
  }
  return std::sqrt(apart / length);
}

}  // namespace sixteen_bits
