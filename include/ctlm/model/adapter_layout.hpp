// SPDX-License-Identifier: MIT
// ctlm: which matrices of a model an adapter (LoRA) may stand beside, and of which parts they consist.
#pragma once

#include "../kernels/low_rank.hpp"
#include "tensor_table.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// How many tensors of a layer may have an adapter, and which.
inline constexpr std::size_t adaptable_count = 4;
/// In the order in which they lie in memory.
inline constexpr tensor_id adaptable_tensors[adaptable_count] = {tensor_id::qkv_weight, tensor_id::out_weight,
                                                                 tensor_id::up_weight, tensor_id::down_weight};
/// The place of a tensor among them, or adaptable_count.
constexpr std::size_t adaptable_index(tensor_id id) {
  std::size_t i = 0;
  while (i < adaptable_count && adaptable_tensors[i] != id) ++i;
  return i;
}

/// Whether files of Hugging Face have queries, keys and values as one matrix, and gate and up as one: those of GPT-2
/// and of Phi-3, which alone says how much of a head rotates. An adapter then has one pair for it, and otherwise one
/// for each part.
constexpr bool has_fused_projections(const decoder_shape& s) {
  return s.position == position_kind::learned || s.rotary_dim > 0;
}

/// The parts of one of adaptable_tensors that have thin matrices of their own.
constexpr adapter_parts all_adapter_parts(const decoder_shape& s, tensor_id id) {
  adapter_parts p;
  auto add = [&](std::size_t rows) {
    p.first[p.count] = p.all_rows();
    p.rows[p.count++] = rows;
  };
  if (id == tensor_id::qkv_weight && !has_fused_projections(s)) {
    add(s.q_dim());
    add(s.kv_dim());
    add(s.kv_dim());
  } else if (id == tensor_id::up_weight && !has_fused_projections(s) && s.up_dim() == 2 * s.d_ff) {
    add(s.d_ff);
    add(s.d_ff);
  } else {
    add(rule_of(id).rows(s));
  }
  return p;
}

/// Of those parts, the ones that `chosen(part)` has.
template <class Chosen>
constexpr adapter_parts some_adapter_parts(const decoder_shape& s, tensor_id id, Chosen chosen) {
  const adapter_parts all = all_adapter_parts(s, id);
  adapter_parts p;
  for (std::size_t i = 0; i < all.count; ++i)
    if (chosen(i)) {
      p.first[p.count] = all.first[i];
      p.rows[p.count++] = all.rows[i];
    }
  return p;
}

}}  // namespace ctlm
