// A tiny model of each architecture, with every part that it has switched on within a few positions.
#pragma once

#include <ctlm/ctlm.hpp>

namespace architectures {

using namespace ctlm;

struct tiny_llama3 {
  static constexpr llama_config config{
      .vocab = 23,
      .d_model = 16,
      .layers = 2,
      .heads = 2,
      .kv_heads = 1,
      .d_ff = 20,
      .context = 64,
      .scaling = {.kind = rope_kind::llama3, .factor = 8, .context = 16, .low = 1, .high = 4}};
};
template <rope_kind Kind>
struct scaled_llama {
  static constexpr llama_config config{.vocab = 23,
                                       .d_model = 16,
                                       .layers = 2,
                                       .heads = 2,
                                       .kv_heads = 1,
                                       .d_ff = 20,
                                       .context = 64,
                                       .scaling = {.kind = Kind, .factor = 4, .context = 16}};
};
struct tiny_mistral {
  static constexpr mistral_config config{
      .vocab = 23, .d_model = 16, .layers = 2, .heads = 4, .kv_heads = 2, .d_ff = 20, .context = 64, .window = 5};
};
struct tiny_qwen2 {
  static constexpr qwen2_config config{
      .vocab = 23, .d_model = 16, .layers = 2, .heads = 4, .kv_heads = 2, .d_ff = 20, .context = 64};
};
struct tiny_qwen3 {
  static constexpr qwen3_config config{
      .vocab = 23, .d_model = 12, .layers = 2, .heads = 4, .kv_heads = 2, .head_dim = 6, .d_ff = 20, .context = 64};
};
struct tiny_smollm3 {
  static constexpr smollm3_config config{.vocab = 23,
                                         .d_model = 16,
                                         .layers = 3,
                                         .heads = 4,
                                         .kv_heads = 2,
                                         .d_ff = 20,
                                         .context = 64,
                                         .unrotated_every = 2};
};
struct tiny_phi3 {
  static constexpr phi3_config config{.vocab = 23,
                                      .d_model = 16,
                                      .layers = 2,
                                      .heads = 2,
                                      .kv_heads = 1,
                                      .d_ff = 20,
                                      .context = 64,
                                      .rotary_dim = 6,
                                      .window = 7};
};
/// Rows of an expert's matrices are no multiple of sixteen. With these sizes, no row of the tests of gradients is so
/// near to another choice of experts that a difference would change it: there the loss has a step.
struct tiny_mixtral {
  static constexpr mixtral_config config{.vocab = 23,
                                         .d_model = 12,
                                         .layers = 2,
                                         .heads = 2,
                                         .kv_heads = 1,
                                         .d_ff = 10,
                                         .context = 64,
                                         .experts = 4,
                                         .experts_per_token = 2,
                                         .window = 5};
};
struct tiny_qwen3_moe {  // shares that are not normalised
  static constexpr qwen3_moe_config config{.vocab = 23,
                                           .d_model = 12,
                                           .layers = 2,
                                           .heads = 4,
                                           .kv_heads = 2,
                                           .head_dim = 6,
                                           .d_ff = 10,
                                           .context = 64,
                                           .experts = 6,
                                           .experts_per_token = 3,
                                           .normalised_experts = false};
};
struct tiny_gemma {
  static constexpr gemma_config config{
      .vocab = 23, .d_model = 12, .layers = 2, .heads = 2, .kv_heads = 1, .head_dim = 8, .d_ff = 20, .context = 64};
};
struct tiny_gemma2 {
  static constexpr gemma2_config config{.vocab = 23,
                                        .d_model = 12,
                                        .layers = 2,
                                        .heads = 2,
                                        .kv_heads = 1,
                                        .head_dim = 8,
                                        .d_ff = 20,
                                        .context = 64,
                                        .query_scale = 0.25,
                                        .attention_cap = 2,
                                        .logit_cap = 3,
                                        .window = 5};
};
struct tiny_gemma3 {
  static constexpr gemma3_config config{.vocab = 23,
                                        .d_model = 12,
                                        .layers = 3,
                                        .heads = 2,
                                        .kv_heads = 1,
                                        .head_dim = 8,
                                        .d_ff = 20,
                                        .context = 64,
                                        .query_scale = 0.25,
                                        .window = 5,
                                        .full_every = 3,
                                        .local_theta = 100.0,
                                        .scaling = {.kind = rope_kind::linear, .factor = 8, .context = 16}};
};

}  // namespace architectures
