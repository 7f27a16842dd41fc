// Prompts of 512 tokens and of 4,096, by how keys and values are stored, and of 512 by how many tokens are taken at
// once.
#pragma once

#include "models.hpp"

/// Tokens a second of the second of two equal prompts. The share is that of single precision's multiply-adds, as if
/// everything were multiplied in these.
template <class M>
void prompt_row(bench::report& r, const machine& limits, workers& exec, std::size_t threads, std::size_t length,
                const std::string& name) {
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
      using M = ctlm::causal_lm<shapes::llama_135m_long<4096>, ctlm::weights<ctlm::int4<32>>, ctlm::threads<workers>,
                                ctlm::prompt_chunk<128>, ctlm::kv_cache<Cache>>;
      prompt_row<M>(r, limits, one, 1, length, name);
      prompt_row<M>(r, limits, two, 2, length, name);
    }
  };
  rows(std::type_identity<ctlm::f32>{}, "f32");
  rows(std::type_identity<ctlm::bf16>{}, "bf16");
  rows(std::type_identity<ctlm::int8<>>{}, "int8<>");
}

/// How fast a prompt is by prompt_chunk<N>, and what a session then takes beside its cache.
template <class Named>
void chunk_rows(bench::report& r, const machine& limits, workers& one, workers& two, const Named& named) {
  r.title("prompts of 512, by how many tokens are taken at once");
  const auto rows = [&]<class F, std::size_t Chunk>(F, std::integral_constant<std::size_t, Chunk>) {
    using M = ctlm::causal_lm<shapes::llama_135m, ctlm::weights<F>, ctlm::threads<workers>, ctlm::prompt_chunk<Chunk>>;
    const std::string name = std::string("Llama 135M ") + F::name + ", prompt_chunk<" + std::to_string(Chunk) + ">, " +
                             std::to_string((M::session_bytes - M::cache_bytes) >> 10) + " KiB beside the cache";
    if (!named(name)) return;
    prompt_row<M>(r, limits, one, 1, 512, name);
    prompt_row<M>(r, limits, two, 2, 512, name);
  };
  const auto chunks = [&]<class F>(F format) {
    rows(format, std::integral_constant<std::size_t, 8>{});
    rows(format, std::integral_constant<std::size_t, 64>{});
    rows(format, std::integral_constant<std::size_t, 512>{});
  };
  chunks(ctlm::f32{});
  chunks(ctlm::int8<32>{});
}
