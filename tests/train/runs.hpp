// What tests of whole training runs have in common: a model wide enough that every kernel is shared among threads, a
// step on tokens that a seed gives, and what is compared after it.
#pragma once

#include "../model/models.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace runs {

struct wide {
  static constexpr ctlm::llama_config config{
      .vocab = 300, .d_model = 96, .layers = 2, .heads = 6, .kv_heads = 3, .d_ff = 200, .context = 16};
};

/// All weights, one tensor after the other.
template <class M>
std::vector<typename M::real> numbers_of(const typename M::const_weights& w) {
  std::vector<typename M::real> all;
  for (const ctlm::tensor_info& t : M::tensors) {
    const auto n = w.numbers(t);
    all.insert(all.end(), n.begin(), n.end());
  }
  return all;
}
template <class T>
ctlm::step_result one_step(T& t, std::uint64_t seed = 1) {
  return t.step(models::random_tokens(T::step_tokens, T::shape.vocab, seed),
                models::random_tokens(T::step_tokens, T::shape.vocab, seed + 100));
}
/// What a bit-exact resume needs.
template <class T>
std::vector<std::vector<std::byte>> state_of(T& t) {
  std::vector<std::vector<std::byte>> all;
  t.for_each_state([&](const char*, void* data, std::size_t bytes) {
    const auto* p = static_cast<const std::byte*>(data);
    all.emplace_back(p, p + bytes);
  });
  return all;
}

/// Puts such a state back; false if its sections have other sizes.
template <class T>
bool put_state(T& t, const std::vector<std::vector<std::byte>>& all) {
  std::size_t i = 0;
  bool fits = true;
  t.for_each_state([&](const char*, void* data, std::size_t bytes) {
    fits = fits && i < all.size() && all[i].size() == bytes;
    if (fits) std::memcpy(data, all[i++].data(), bytes);
  });
  return fits && i == all.size();
}

}  // namespace runs
