// How the page chooses tokens: by the rules of ctlm::sampler, in much less code, which a page of 40 KiB has to count.
// It goes through the vocabulary some thirty times for top-k and for top-p, which a vocabulary of this size allows.
#pragma once

#include <ctlm/ctlm.hpp>

#include <bit>

namespace browser {

/// A sampler of our own: what generate() asks of one (ctlm::sampler_policy).
struct page_sampler {
  float temperature = 0;   // logits are divided by it; 0: greedy
  std::size_t top_k = 0;   // only the k most likely tokens; 0: all
  float top_p = 1;         // only the fewest tokens whose probabilities reach p; 1: all
  std::uint64_t seed = 0;  // equal seeds draw equal tokens
  ctlm::token stop = ctlm::sampler::no_stop;

  /// The next token. The logits become probabilities.
  template <class Backend>
  ctlm::token choose(Backend backend, ctlm::span<float> logits) {
    if (!(temperature > 0) || !(top_p > 0)) return ctlm::sampler::greedy(backend, logits);
    const std::size_t n = logits.size();
    for (float& x : logits) x /= temperature;
    ctlm::softmax(backend, n, logits.data());
    if (top_k > 0 && top_k < n) keep(logits, top_k, 0);
    if (top_p < 1) keep(logits, 1, top_p * total(logits));
    return draw(logits);
  }

 private:
  static float total(ctlm::span<float> p) {
    float sum = 0;
    for (const float x : p) sum += x;
    return sum;
  }
  /// Leaves the most likely tokens, at least `count` of them with at least this mass. The least probability that is
  /// left is found by bisection over bit patterns, which are ordered as the numbers are.
  static void keep(ctlm::span<float> p, std::size_t count, float mass) {
    std::uint32_t low = 0, high = std::bit_cast<std::uint32_t>(2.0f);
    while (high - low > 1) {
      const std::uint32_t middle = low + (high - low) / 2;
      std::size_t reaching = 0;
      float together = 0;
      for (const float x : p)
        if (x >= std::bit_cast<float>(middle)) ++reaching, together += x;
      (reaching >= count && together >= mass ? low : high) = middle;
    }
    for (float& x : p) x = x >= std::bit_cast<float>(low) ? x : 0;
  }
  ctlm::token draw(ctlm::span<float> p) {
    ctlm::rng random{ctlm::mix(seed)};
    seed = random.next();
    float left = static_cast<float>(random.uniform()) * total(p);
    std::size_t last = 0;
    for (std::size_t i = 0; i < p.size(); ++i) {
      if (p[i] == 0) continue;
      last = i;
      if (left < p[i]) break;
      left -= p[i];
    }
    return static_cast<ctlm::token>(last);
  }
};
static_assert(ctlm::sampler_policy<page_sampler>);

}  // namespace browser
