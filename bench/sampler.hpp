// What choosing a token costs beside computing its logits.
#pragma once

#include "models.hpp"

#include <algorithm>

/// Microseconds of a choice from logits that are normally distributed with a deviation of 3, and which share that is of
/// decoding a token with int4 weights and choosing it.
template <class Tag>
void choices(bench::report& r, workers& one, workers& two) {
  using namespace ctlm;
  using M = decoder<Tag, int4<32>>;
  constexpr std::size_t vocab = M::shape.vocab;
  std::vector<float> logits(vocab), room(vocab);
  rng random{7};
  for (float& x : logits) x = static_cast<float>(3 * random.normal());
  const auto copy = [&] { std::copy(logits.begin(), logits.end(), room.begin()); };  // choosers may change them
  const auto choose = [&](auto how) {
    return [&, how]() mutable {
      copy();
      how.choose(native{}, logits_span<float, vocab>(room.data(), vocab));
    };
  };
  const penalties<64> repeats{.repetition = 1.1f};
  const auto step = [](auto& model) {
    return [&] {
      model.session->rewind(0);
      for (token t = 0; t < 8; ++t) model.session->decode(t);
    };
  };
  random_model<M> a(one), b(two);
  const auto rate = bench::rates(
      {{"", step(a), 8},
       {"", step(b), 8},
       {"", copy},
       {"greedy", choose(sampler{})},
       {"penalty, top-k 40, top-p 0.95", choose(rule_sampler{{}, repeats, temperature{0.8f}, top_k{40}, top_p{0.95f}})},
       {"top-p 0.95", choose(rule_sampler{{}, temperature{0.8f}, top_p{0.95f}})},
       {"typical 0.9", choose(rule_sampler{{}, temperature{0.8f}, typical{0.9f}})}},
      0.05, 5);
  const char* const names[] = {"greedy", "penalty, top-k 40, top-p 0.95", "top-p 0.95", "typical 0.9"};
  for (std::size_t i = 0; i < 4; ++i)
    for (std::size_t t = 0; t < 2; ++t) {
      const double seconds = 1 / rate[3 + i] - 1 / rate[2];
      r.line(std::to_string(vocab) + " tokens, " + names[i] + threads_text(t + 1), seconds * 1e6, "us",
             seconds / (seconds + 1 / rate[t]), "decoding and choosing");
    }
}

template <class Named>
void sampler_rows(bench::report& r, workers& one, workers& two, const Named& named) {
  r.title("choosing a token beside decoding it, int4<32>");
  const auto rows = [&]<class Tag>(Tag) {
    if (named(Tag::name)) choices<Tag>(r, one, two);
  };
  rows(shapes::llama_135m{});
  rows(shapes::llama_135m_of<151936>{});
  rows(shapes::llama_135m_of<262144>{});
}
