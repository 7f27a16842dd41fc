// Prompts of 512 tokens and of 4,096, by how keys and values are stored.
#pragma once

#include "models.hpp"

/// Tokens a second of the second of two equal prompts. The share is that of single precision's multiply-adds, as if
/// everything were multiplied in these.
template <class Cache>
void prompt_row(bench::report& r, const machine& limits, workers& exec, std::size_t threads, std::size_t length,
                const std::string& name) {
  using M = ctlm::causal_lm<shapes::llama_135m_long<4096>, ctlm::weights<ctlm::int4<32>>, ctlm::threads<workers>,
                            ctlm::prompt_chunk<128>, ctlm::kv_cache<Cache>>;
  random_model<M> a(exec);
  std::vector<ctlm::token> prompt(length);
  for (std::size_t i = 0; i < length; ++i) prompt[i] = static_cast<ctlm::token>(ctlm::mix(i) % M::shape.vocab);
  a.session->prefill(ctlm::span<const ctlm::token>(prompt).first(512));
  std::vector<double> seen;
  for (std::size_t round = 0; round < 2048 / length + 1; ++round) {
    a.session->reset();
    const double start = bench::now();
    a.session->prefill(prompt);
    seen.push_back(static_cast<double>(length) / (bench::now() - start));
  }
  const double rate = bench::median(seen);
  r.line(name + threads_text(threads), rate, "tokens/s",
         rate * operations_per_token<M>(length) / limits.fma[threads - 1], "f32 multiply-add rate");
}

template <class Named>
void prompt_rows(bench::report& r, const machine& limits, workers& one, workers& two, const Named& named) {
  r.title("prompts, int4<32>, by how keys and values are stored");
  const auto rows = [&]<class Cache>(std::type_identity<Cache>, const char* cache) {
    for (const std::size_t length : {512, 4096}) {
      const std::string name =
          std::string("Llama 135M, prompt of ") + (length > 512 ? "4,096" : "512") + ", cache " + cache;
      if (!named(name)) continue;
      prompt_row<Cache>(r, limits, one, 1, length, name);
      prompt_row<Cache>(r, limits, two, 2, length, name);
    }
  };
  rows(std::type_identity<ctlm::f32>{}, "f32");
  rows(std::type_identity<ctlm::bf16>{}, "bf16");
  rows(std::type_identity<ctlm::int8<>>{}, "int8<>");
}
