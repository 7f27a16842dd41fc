// SPDX-License-Identifier: MIT
// ctlm: what other programs call the tensors of a model, and how they lay them out.
#pragma once

#include "../model/tensor_table.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Where a file has the numbers of one tensor of a model. In names, '#' stands for a layer's number and '@' for an
/// expert's; a tensor of experts whose name has no '@' has those of all experts, [experts][rows][cols].
struct tensor_origin {
  static constexpr std::size_t most_parts = 3;  ///< queries, keys and values

  const char* parts[most_parts]{};  ///< tensors of the file whose rows follow each other in ours
  std::size_t (*rows[most_parts])(const decoder_shape&){};  ///< rows of each (of one expert); nullptr: all that we have
  bool transposed = false;  ///< the file has inputs as rows, outputs as columns: GPT-2's Conv1D
  bool plus_one = false;    ///< the file has gains less 1: Gemma

  /// Parts whose heads have the two numbers of a rotating pair side by side, where ours are half a head apart.
  bool paired[most_parts]{};

  /// Of a paired part: the row of the file that has row r of ours.
  static constexpr std::size_t paired_row(std::size_t head_dim, std::size_t r) {
    const std::size_t half = head_dim / 2, i = r % head_dim;
    return r - i + i % half * 2 + i / half;
  }
  /// The reverse: our row that row r of the file has.
  static constexpr std::size_t unpaired_row(std::size_t head_dim, std::size_t r) {
    const std::size_t half = head_dim / 2, i = r % head_dim;
    return r - i + i % 2 * half + i / 2;
  }

  /// How many tensors of the file it is made of.
  constexpr std::size_t count() const {
    std::size_t n = 0;
    while (n < most_parts && parts[n] != nullptr) ++n;
    return n;
  }
};

/// The names of one model in one kind of file: of(id) is where tensor `id` comes from.
struct tensor_names {
  tensor_origin origins[tensor_count]{};  ///< by tensor_id

  /// Where this tensor comes from.
  constexpr const tensor_origin& of(tensor_id id) const { return origins[static_cast<std::size_t>(id)]; }
  /// The same, to fill.
  constexpr tensor_origin& of(tensor_id id) { return origins[static_cast<std::size_t>(id)]; }
};

/// What files of Hugging Face call the experts of a layer.
enum class expert_naming : std::uint8_t {
  of_family,  ///< as the family's own files: qwen if the model normalises heads, mixtral otherwise
  qwen,       ///< mlp.experts.N.gate_proj.weight and so on
  mixtral,    ///< block_sparse_moe.experts.N.w1.weight and so on
  fused       ///< mlp.experts.gate_up_proj, of all experts
};

namespace tensor_names_detail {

using id = tensor_id;

constexpr std::size_t q_rows(const decoder_shape& s) { return s.q_dim(); }
constexpr std::size_t kv_rows(const decoder_shape& s) { return s.kv_dim(); }
constexpr std::size_t ff_rows(const decoder_shape& s) { return s.d_ff; }

constexpr tensor_names gpt2() {
  tensor_names n;
  n.of(id::token_embedding) = {{"wte.weight"}};
  n.of(id::position_embedding) = {{"wpe.weight"}};
  n.of(id::norm1_weight) = {{"h.#.ln_1.weight"}};
  n.of(id::norm1_bias) = {{"h.#.ln_1.bias"}};
  n.of(id::qkv_weight) = {{"h.#.attn.c_attn.weight"}, {}, true};
  n.of(id::qkv_bias) = {{"h.#.attn.c_attn.bias"}};
  n.of(id::out_weight) = {{"h.#.attn.c_proj.weight"}, {}, true};
  n.of(id::out_bias) = {{"h.#.attn.c_proj.bias"}};
  n.of(id::norm2_weight) = {{"h.#.ln_2.weight"}};
  n.of(id::norm2_bias) = {{"h.#.ln_2.bias"}};
  n.of(id::up_weight) = {{"h.#.mlp.c_fc.weight"}, {}, true};
  n.of(id::up_bias) = {{"h.#.mlp.c_fc.bias"}};
  n.of(id::down_weight) = {{"h.#.mlp.c_proj.weight"}, {}, true};
  n.of(id::down_bias) = {{"h.#.mlp.c_proj.bias"}};
  n.of(id::norm_weight) = {{"ln_f.weight"}};
  n.of(id::norm_bias) = {{"ln_f.bias"}};
  n.of(id::head_weight) = {{"lm_head.weight"}};
  return n;
}

constexpr tensor_names llama(bool fused) {
  tensor_names n;
  n.of(id::token_embedding) = {{"model.embed_tokens.weight"}};
  n.of(id::norm1_weight) = {{"model.layers.#.input_layernorm.weight"}};
  if (fused) {
    n.of(id::qkv_weight) = {{"model.layers.#.self_attn.qkv_proj.weight"}};
    n.of(id::up_weight) = {{"model.layers.#.mlp.gate_up_proj.weight"}};
  } else {
    n.of(id::qkv_weight) = {{"model.layers.#.self_attn.q_proj.weight", "model.layers.#.self_attn.k_proj.weight",
                             "model.layers.#.self_attn.v_proj.weight"},
                            {q_rows, kv_rows, kv_rows}};
    n.of(id::up_weight) = {{"model.layers.#.mlp.gate_proj.weight", "model.layers.#.mlp.up_proj.weight"},
                           {ff_rows, ff_rows}};
  }
  n.of(id::qkv_bias) = {{"model.layers.#.self_attn.q_proj.bias", "model.layers.#.self_attn.k_proj.bias",
                         "model.layers.#.self_attn.v_proj.bias"},
                        {q_rows, kv_rows, kv_rows}};
  n.of(id::q_norm_weight) = {{"model.layers.#.self_attn.q_norm.weight"}};
  n.of(id::k_norm_weight) = {{"model.layers.#.self_attn.k_norm.weight"}};
  n.of(id::out_weight) = {{"model.layers.#.self_attn.o_proj.weight"}};
  n.of(id::out_bias) = {{"model.layers.#.self_attn.o_proj.bias"}};
  n.of(id::norm2_weight) = {{"model.layers.#.post_attention_layernorm.weight"}};
  n.of(id::up_bias) = {{"model.layers.#.mlp.gate_proj.bias", "model.layers.#.mlp.up_proj.bias"}, {ff_rows, ff_rows}};
  n.of(id::down_weight) = {{"model.layers.#.mlp.down_proj.weight"}};
  n.of(id::down_bias) = {{"model.layers.#.mlp.down_proj.bias"}};
  n.of(id::norm_weight) = {{"model.norm.weight"}};
  n.of(id::head_weight) = {{"lm_head.weight"}};
  return n;
}

constexpr void name_experts(tensor_names& n, expert_naming how) {
  if (how == expert_naming::mixtral) {
    n.of(id::router_weight) = {{"model.layers.#.block_sparse_moe.gate.weight"}};
    n.of(id::up_weight) = {
        {"model.layers.#.block_sparse_moe.experts.@.w1.weight", "model.layers.#.block_sparse_moe.experts.@.w3.weight"},
        {ff_rows, ff_rows}};
    n.of(id::down_weight) = {{"model.layers.#.block_sparse_moe.experts.@.w2.weight"}};
    return;
  }
  n.of(id::router_weight) = {{"model.layers.#.mlp.gate.weight"}};
  if (how == expert_naming::fused) {
    n.of(id::up_weight) = {{"model.layers.#.mlp.experts.gate_up_proj"}};
    n.of(id::down_weight) = {{"model.layers.#.mlp.experts.down_proj"}};
  } else {
    n.of(id::up_weight) = {
        {"model.layers.#.mlp.experts.@.gate_proj.weight", "model.layers.#.mlp.experts.@.up_proj.weight"},
        {ff_rows, ff_rows}};
    n.of(id::down_weight) = {{"model.layers.#.mlp.experts.@.down_proj.weight"}};
  }
}

constexpr tensor_names gguf_gpt2() {
  tensor_names n;
  n.of(id::token_embedding) = {{"token_embd.weight"}};
  n.of(id::position_embedding) = {{"position_embd.weight"}};
  n.of(id::norm1_weight) = {{"blk.#.attn_norm.weight"}};
  n.of(id::norm1_bias) = {{"blk.#.attn_norm.bias"}};
  n.of(id::qkv_weight) = {{"blk.#.attn_qkv.weight"}};
  n.of(id::qkv_bias) = {{"blk.#.attn_qkv.bias"}};
  n.of(id::out_weight) = {{"blk.#.attn_output.weight"}};
  n.of(id::out_bias) = {{"blk.#.attn_output.bias"}};
  n.of(id::norm2_weight) = {{"blk.#.ffn_norm.weight"}};
  n.of(id::norm2_bias) = {{"blk.#.ffn_norm.bias"}};
  n.of(id::up_weight) = {{"blk.#.ffn_up.weight"}};
  n.of(id::up_bias) = {{"blk.#.ffn_up.bias"}};
  n.of(id::down_weight) = {{"blk.#.ffn_down.weight"}};
  n.of(id::down_bias) = {{"blk.#.ffn_down.bias"}};
  n.of(id::norm_weight) = {{"output_norm.weight"}};
  n.of(id::norm_bias) = {{"output_norm.bias"}};
  n.of(id::head_weight) = {{"output.weight"}};
  return n;
}

constexpr tensor_names gguf_llama(bool paired, bool fused) {
  tensor_names n;
  n.of(id::token_embedding) = {{"token_embd.weight"}};
  n.of(id::norm1_weight) = {{"blk.#.attn_norm.weight"}};
  if (fused) {
    n.of(id::qkv_weight) = {{"blk.#.attn_qkv.weight"}};
    n.of(id::up_weight) = {{"blk.#.ffn_up.weight"}};
  } else {
    n.of(id::qkv_weight) = {{"blk.#.attn_q.weight", "blk.#.attn_k.weight", "blk.#.attn_v.weight"},
                            {q_rows, kv_rows, kv_rows},
                            false,
                            false,
                            {paired, paired, false}};
    n.of(id::up_weight) = {{"blk.#.ffn_gate.weight", "blk.#.ffn_up.weight"}, {ff_rows, ff_rows}};
  }
  n.of(id::qkv_bias) = {{"blk.#.attn_q.bias", "blk.#.attn_k.bias", "blk.#.attn_v.bias"},
                        {q_rows, kv_rows, kv_rows},
                        false,
                        false,
                        {paired, paired, false}};
  n.of(id::q_norm_weight) = {{"blk.#.attn_q_norm.weight"}};
  n.of(id::k_norm_weight) = {{"blk.#.attn_k_norm.weight"}};
  n.of(id::out_weight) = {{"blk.#.attn_output.weight"}};
  n.of(id::out_bias) = {{"blk.#.attn_output.bias"}};
  n.of(id::after1_weight) = {{"blk.#.post_attention_norm.weight"}};
  n.of(id::norm2_weight) = {{"blk.#.ffn_norm.weight"}};
  n.of(id::after2_weight) = {{"blk.#.post_ffw_norm.weight"}};
  n.of(id::up_bias) = {{"blk.#.ffn_gate.bias", "blk.#.ffn_up.bias"}, {ff_rows, ff_rows}};
  n.of(id::down_weight) = {{"blk.#.ffn_down.weight"}};
  n.of(id::down_bias) = {{"blk.#.ffn_down.bias"}};
  n.of(id::norm_weight) = {{"output_norm.weight"}};
  n.of(id::head_weight) = {{"output.weight"}};
  return n;
}

constexpr void name_gguf_experts(tensor_names& n, bool apart) {
  n.of(id::router_weight) = {{"blk.#.ffn_gate_inp.weight"}};
  if (apart) {
    n.of(id::up_weight) = {{"blk.#.ffn_gate.@.weight", "blk.#.ffn_up.@.weight"}, {ff_rows, ff_rows}};
    n.of(id::down_weight) = {{"blk.#.ffn_down.@.weight"}};
    return;
  }
  n.of(id::up_weight) = {{"blk.#.ffn_gate_exps.weight", "blk.#.ffn_up_exps.weight"}, {ff_rows, ff_rows}};
  n.of(id::down_weight) = {{"blk.#.ffn_down_exps.weight"}};
}

}  // namespace tensor_names_detail

/// Whether Hugging Face's files of such a model have queries, keys and values in one tensor, and gate and up in
/// another: those of Phi-3, which alone says how much of a head rotates.
constexpr bool has_fused_tensors(const decoder_shape& s) { return s.rotary_dim > 0; }

/// The names that Hugging Face's files have for the tensors of a model of this shape. `fused`: the file has queries,
/// keys and values in one tensor, and gate and up in another (Phi-3); `experts`: what it calls the experts, if the
/// model has any.
constexpr tensor_names hugging_face_names(const decoder_shape& s, bool fused,
                                          expert_naming experts = expert_naming::of_family) {
  using id = tensor_id;
  if (s.position == position_kind::learned) return tensor_names_detail::gpt2();
  tensor_names n = tensor_names_detail::llama(fused);
  if (s.post_norms) {
    n.of(id::after1_weight) = {{"model.layers.#.post_attention_layernorm.weight"}};
    n.of(id::norm2_weight) = {{"model.layers.#.pre_feedforward_layernorm.weight"}};
    n.of(id::after2_weight) = {{"model.layers.#.post_feedforward_layernorm.weight"}};
  }
  if (experts == expert_naming::of_family) experts = s.qk_norm ? expert_naming::qwen : expert_naming::mixtral;
  if (s.experts > 0) tensor_names_detail::name_experts(n, experts);
  if (s.scaled_embeddings)
    for (const tensor_rule& r : declared_tensors)
      if (r.role == tensor_role::gain) n.of(r.id).plus_one = true;
  return n;
}

/// The names that GGUF files have. `paired`: rows of queries and keys are in the order of llama.cpp's Llama; `fused`:
/// as above (Phi-3); `apart`: each expert has tensors of its own, as in files of 2023 and early 2024.
constexpr tensor_names gguf_names(const decoder_shape& s, bool paired, bool fused, bool apart = false) {
  if (s.position == position_kind::learned) return tensor_names_detail::gguf_gpt2();
  tensor_names n = tensor_names_detail::gguf_llama(paired, fused);
  if (s.experts > 0) tensor_names_detail::name_gguf_experts(n, apart);
  return n;
}

}}  // namespace ctlm
