// SPDX-License-Identifier: MIT
// ctlm: the tensors of a model: the one source of names, shapes and sizes, for loaders, gradients, optimizer state and
// checkpoints alike.
#pragma once

#include "../core/hash.hpp"
#include "../spec/decoder.hpp"

#include <initializer_list>

namespace ctlm { inline namespace CTLM_ABI {

enum class tensor_id : std::uint8_t {
  token_embedding,
  position_embedding,
  norm1_weight,
  norm1_bias,
  qkv_weight,
  qkv_bias,
  out_weight,
  out_bias,
  norm2_weight,
  norm2_bias,
  up_weight,
  up_bias,
  down_weight,
  down_bias,
  norm_weight,
  norm_bias,
  head_weight,
};
inline constexpr std::size_t tensor_count = 17;

/// Of a tensor that every layer has one of.
constexpr bool is_of_layer(tensor_id id) { return id >= tensor_id::norm1_weight && id <= tensor_id::down_bias; }

/// Matrices are stored in the weight format and decay; vectors (norms, biases) stay in the numbers of arithmetic.
enum class tensor_kind : std::uint8_t { matrix, vector };

/// One tensor, or one per layer stacked: [layers][rows][cols].
struct tensor_info {
  const char* name = "";
  tensor_id id{};
  tensor_kind kind{};
  std::size_t layers = 1;
  std::size_t rows = 1;
  std::size_t cols = 0;

  constexpr std::size_t size() const { return layers * rows * cols; }
};

class tensor_table {
 public:
  constexpr void add(const char* name, tensor_id id, tensor_kind kind, std::size_t layers, std::size_t rows,
                     std::size_t cols) {
    entries_[count_++] = {name, id, kind, layers, rows, cols};
  }
  constexpr const tensor_info* begin() const { return entries_; }
  constexpr const tensor_info* end() const { return entries_ + count_; }
  constexpr std::size_t size() const { return count_; }
  constexpr const tensor_info& operator[](std::size_t i) const { return entries_[i]; }

  constexpr std::size_t parameters() const {
    std::size_t n = 0;
    for (const tensor_info& t : *this) n += t.size();
    return n;
  }
  /// Identifies names and shapes: a checkpoint of another model has another hash.
  constexpr std::uint64_t layout_hash() const {
    fingerprint f;
    for (const tensor_info& t : *this) {
      f.text(t.name);
      for (std::size_t extent : {t.layers, t.rows, t.cols}) f.number(extent);
    }
    return f.value();
  }

 private:
  tensor_info entries_[tensor_count]{};
  std::size_t count_ = 0;
};

constexpr tensor_table make_tensor_table(const decoder_shape& s) {
  tensor_table t;
  const std::size_t d = s.d_model, layers = s.layers;
  auto matrix = [&](const char* name, tensor_id id, std::size_t count, std::size_t rows, std::size_t cols) {
    t.add(name, id, tensor_kind::matrix, count, rows, cols);
  };
  auto vector = [&](bool present, const char* name, tensor_id id, std::size_t count, std::size_t cols) {
    if (present) t.add(name, id, tensor_kind::vector, count, 1, cols);
  };
  const bool norm_bias = s.bias && s.norm == norm_kind::layer;
  matrix("token_embedding", tensor_id::token_embedding, 1, s.vocab, d);
  if (s.position == position_kind::learned)
    matrix("position_embedding", tensor_id::position_embedding, 1, s.context, d);
  vector(true, "norm1.weight", tensor_id::norm1_weight, layers, d);
  vector(norm_bias, "norm1.bias", tensor_id::norm1_bias, layers, d);
  matrix("qkv.weight", tensor_id::qkv_weight, layers, s.qkv_dim(), d);
  vector(s.bias, "qkv.bias", tensor_id::qkv_bias, layers, s.qkv_dim());
  matrix("out.weight", tensor_id::out_weight, layers, d, s.q_dim());
  vector(s.bias, "out.bias", tensor_id::out_bias, layers, d);
  vector(true, "norm2.weight", tensor_id::norm2_weight, layers, d);
  vector(norm_bias, "norm2.bias", tensor_id::norm2_bias, layers, d);
  matrix("up.weight", tensor_id::up_weight, layers, s.up_dim(), d);
  vector(s.bias, "up.bias", tensor_id::up_bias, layers, s.up_dim());
  matrix("down.weight", tensor_id::down_weight, layers, d, s.d_ff);
  vector(s.bias, "down.bias", tensor_id::down_bias, layers, d);
  vector(true, "norm.weight", tensor_id::norm_weight, 1, d);
  vector(norm_bias, "norm.bias", tensor_id::norm_bias, 1, d);
  if (!s.tie_embeddings) matrix("head.weight", tensor_id::head_weight, 1, s.vocab, d);
  return t;
}

}}  // namespace ctlm
