// SPDX-License-Identifier: MIT
// ctlm: the weights of a model from safetensors, as Hugging Face has them.
#pragma once

#include "load_tensors.hpp"
#include "safetensors.hpp"

namespace ctlm { inline namespace CTLM_ABI {

namespace load_detail {

/// Files of GPT-2 have their names with "transformer." before them, or without.
inline const char* prefix_of(const safetensors_file& file, const decoder_shape& shape) {
  const bool gpt2 = shape.position == position_kind::learned;
  return gpt2 && file.find("transformer.wte.weight") != nullptr ? "transformer." : "";
}

/// What the files call experts: transformers has had three ways.
inline expert_naming expert_naming_of(const safetensors_file& file) {
  if (file.find("model.layers.0.mlp.experts.gate_up_proj") != nullptr) return expert_naming::fused;
  if (file.find("model.layers.0.block_sparse_moe.gate.weight") != nullptr) return expert_naming::mixtral;
  return file.find("model.layers.0.mlp.gate.weight") != nullptr ? expert_naming::qwen : expert_naming::of_family;
}

}  // namespace load_detail

/// Fills the weights of model M, in any format, from a .safetensors file, an index of several, or the folder that has
/// them. `exec` shares out the rows: a pool, or serial. Nothing is written unless the files have exactly the model's
/// tensors; `report`, if given, says everything that is wrong. Errors: those of safetensors_file::open;
/// errc::wrong_model; out_of_memory.
template <class M, executor E>
result<void> load_safetensors(const char* path, const typename M::weights& weights, E& exec,
                              tensor_report* report = nullptr) {
  const auto file = safetensors_file::open(path);
  if (!file) return file.error();
  const bool fused = file->find("model.layers.0.self_attn.qkv_proj.weight") != nullptr;
  const tensor_names names = hugging_face_names(M::shape, fused, load_detail::expert_naming_of(*file));
  return load_tensors(*file, names, load_detail::prefix_of(*file, M::shape), weights, exec, report);
}
/// The same by the caller's thread alone.
template <class M>
result<void> load_safetensors(const char* path, const typename M::weights& weights, tensor_report* report = nullptr) {
  serial alone;
  return load_safetensors<M>(path, weights, alone, report);
}

}}  // namespace ctlm
