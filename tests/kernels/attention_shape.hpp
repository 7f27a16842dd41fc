// What attention is tested on.
#pragma once

#include <ctlm/ctlm.hpp>

/// A batch of sequences of one length.
struct attention_shape {
  std::size_t batch, length, heads, kv_heads, head_dim;

  ctlm::head_shape of_heads() const { return {heads, kv_heads, head_dim}; }
  ctlm::batch_rows rows() const { return {batch, length}; }
  std::size_t group() const { return of_heads().group(); }
  std::size_t q_dim() const { return of_heads().q_dim(); }
  std::size_t kv_dim() const { return of_heads().kv_dim(); }
  std::size_t qkv_dim() const { return of_heads().qkv_dim(); }
};
