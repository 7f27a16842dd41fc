// SPDX-License-Identifier: MIT
// ctlm: models in the format of llama2.c (github.com/karpathy/llama2.c, version 0 files).
#pragma once

#include "../memory/out_of_memory.hpp"
#include "../model/causal_lm.hpp"
#include "buffered_reader.hpp"

namespace ctlm { inline namespace CTLM_ABI {

namespace llama2c_detail {

inline constexpr std::size_t header_fields = 7, header_bytes = header_fields * sizeof(std::int32_t);
/// The header's fields, by the names that a config has for them. The vocabulary is negative where the output head is a
/// matrix of its own.
inline constexpr const char* field_names[header_fields] = {"d_model",  "d_ff",  "layers", "heads",
                                                           "kv_heads", "vocab", "context"};
inline constexpr std::size_t vocab_field = 5, context_field = 6;
/// No header has a larger number; other files have: text, floats.
inline constexpr std::int64_t most = std::int64_t{1} << 28;
inline constexpr std::int32_t later_versions = 0x616B3432;  // how their files begin

/// Of a whole file: header, tensors, and two tables of angles that are not used. 64 bits: a 32-bit size would wrap.
template <class M>
constexpr std::uint64_t file_bytes(std::uint64_t context) {
  std::uint64_t numbers = context * M::shape.head_dim;
  for (const tensor_info& t : M::tensors) numbers += std::uint64_t{t.layers} * t.rows * t.cols;
  return header_bytes + numbers * sizeof(float);
}

/// Is it a header at all, and the one of this shape?
inline result<void> check_header(const std::int32_t (&header)[header_fields], const decoder_shape& s) {
  if (header[0] == later_versions)
    return failure{errc::unsupported,
                   "ctlm: this llama2.c file has version {had} of the format; only version 0 is read", 0, 0,
                   static_cast<std::size_t>(header[1])};
  std::int64_t found[header_fields];
  for (std::size_t i = 0; i < header_fields; ++i) {
    found[i] = i == vocab_field && header[i] < 0 ? -std::int64_t{header[i]} : header[i];
    if (found[i] < 1 || found[i] > most)
      return failure{errc::corrupt,
                     "ctlm: this is not a llama2.c model file: its {name} would be {token}",
                     i * sizeof(std::int32_t),
                     0,
                     static_cast<std::size_t>(header[i]),
                     field_names[i]};
  }
  const std::size_t wanted[context_field] = {s.d_model, s.d_ff, s.layers, s.heads, s.kv_heads, s.vocab};
  for (std::size_t i = 0; i < context_field; ++i)
    if (static_cast<std::uint64_t>(found[i]) != wanted[i])
      return failure{errc::wrong_model,
                     "ctlm: this llama2.c file holds a model of another shape: its {name} is {had}, the config's is "
                     "{needed}",
                     i * sizeof(std::int32_t),
                     wanted[i],
                     static_cast<std::size_t>(found[i]),
                     field_names[i]};
  if ((header[vocab_field] > 0) != s.tie_embeddings)
    return failure{
        errc::wrong_model,
        "ctlm: this llama2.c file and the config disagree about {name}: it is {had} in the file and {needed} "
        "in the config",
        vocab_field * sizeof(std::int32_t),
        s.tie_embeddings,
        header[vocab_field] > 0,
        "tie_embeddings"};
  return {};
}

inline result<void> check_length(std::uint64_t found, std::uint64_t expected) {
  const auto f = [&](errc code, const char* what) {
    return failure{code, what, static_cast<std::size_t>(found), static_cast<std::size_t>(expected),
                   static_cast<std::size_t>(found)};
  };
  if (found < expected)
    return f(errc::truncated, "ctlm: this llama2.c file is cut off: its header says {needed} bytes, it has {had}");
  if (found > expected)
    return f(errc::corrupt, "ctlm: this llama2.c file is longer than its header says: {had} bytes, not {needed}");
  return {};
}

/// The weights of a file, from behind its header, into weights of any format.
template <class M>
class weight_reader {
 public:
  weight_reader(buffered_reader& file, const typename M::weights& w)
      : file_(file), w_(w), row_(larger(s.d_model, s.d_ff)), numbers_(row_.size()) {}

  result<void> read(std::uint64_t file_context) {
    using id = tensor_id;
    const std::size_t d = s.d_model, q = s.q_dim(), kv = s.kv_dim();
    matrices(id::token_embedding, 1, 0, s.vocab, d);
    vectors(id::norm1_weight, s.layers);
    matrices(id::qkv_weight, s.layers, 0, q, d, true);
    matrices(id::qkv_weight, s.layers, q, kv, d, true);
    matrices(id::qkv_weight, s.layers, q + kv, kv, d);
    matrices(id::out_weight, s.layers, 0, d, q);
    vectors(id::norm2_weight, s.layers);
    matrices(id::up_weight, s.layers, 0, s.d_ff, d);
    matrices(id::down_weight, s.layers, 0, d, s.d_ff);
    matrices(id::up_weight, s.layers, s.d_ff, s.d_ff, d);
    vectors(id::norm_weight, 1);
    if (state_) state_ = file_.skip(file_context * s.head_dim * sizeof(float));
    if constexpr (!s.tie_embeddings) matrices(id::head_weight, 1, 0, s.vocab, d);
    return state_;
  }

 private:
  static constexpr decoder_shape s = M::shape;
  using real = typename M::real;

  /// False once a read has failed.
  bool next_row(std::size_t n) {
    if (state_) state_ = file_.read(row_.data(), n * sizeof(float));
    for (std::size_t i = 0; state_ && i < n; ++i) numbers_[i] = static_cast<real>(row_[i]);
    return static_cast<bool>(state_);
  }
  /// Row `r` of a head in the file's order is row half_split(r) here.
  static std::size_t half_split(std::size_t r) {
    const std::size_t head = r / s.head_dim, i = r % s.head_dim;
    return head * s.head_dim + (i % 2 == 0 ? i / 2 : s.head_dim / 2 + i / 2);
  }
  /// Rows [first, first + rows) of a matrix of every layer.
  void matrices(tensor_id id, std::size_t layers, std::size_t first, std::size_t rows, std::size_t cols,
                bool rotary = false) {
    for (std::size_t layer = 0; layer < layers; ++layer)
      for (std::size_t r = 0; r < rows; ++r) {
        if (!next_row(cols)) return;
        M::weights::format::encode(w_.matrix_of(id, layer), first + (rotary ? half_split(r) : r), numbers_.data());
      }
  }
  void vectors(tensor_id id, std::size_t layers) {
    for (std::size_t layer = 0; layer < layers; ++layer) {
      if (!next_row(s.d_model)) return;
      for (std::size_t i = 0; i < s.d_model; ++i) w_.vector_of(id, layer)[i] = numbers_[i];
    }
  }

  buffered_reader& file_;
  const typename M::weights& w_;
  std::vector<float> row_;
  std::vector<real> numbers_;
  result<void> state_;
};

}  // namespace llama2c_detail

/// Reads a .bin file into the weights of a Llama model in any format, row by row: it takes no memory beyond a buffer.
///
/// The config must be the model's own: dimensions, number of layers and heads, vocabulary and tie_embeddings are
/// compared with the file's (errc::wrong_model, with the field's name, needed and had). What the file does not say, the
/// config must say: rope_theta and norm_eps, for which models of llama2.c have the defaults 10000 and 1e-5. The context
/// is free: the file's own is the longest sequence that the model was trained on.
///
/// The file pairs elements 2i and 2i+1 of a head in its rotary positions; rows of queries and keys are reordered to
/// ctlm's layout, which pairs i and i + head_dim/2.
///
/// Errors: errc::not_found, io_error, unsupported (a later version), corrupt (another kind of file, or bytes at the
/// end), truncated, wrong_model, out_of_memory. Header and size are checked before anything is written to the weights.
/// If a later read fails (a disk error, a file that shrinks), rows read until then are the file's and the rest is what
/// it was: such weights are of no use.
template <class M>
result<void> load_llama2c(const char* path, const typename M::weights& w) {
  using namespace llama2c_detail;
  constexpr decoder_shape s = M::shape;
  static_assert(s.norm == norm_kind::rms && s.position == position_kind::rope && s.gated && !s.bias,
                "ctlm: llama2.c files hold Llama models: use llama_config without biases");
  static_assert(s.q_dim() == s.d_model,
                "ctlm: llama2.c files hold heads of d_model / heads numbers: leave config.head_dim 0");
  return or_out_of_memory("ctlm: there is not enough memory to read this llama2.c file", [&]() -> result<void> {
    const auto file = open_to_read(path);
    if (!file) return file.error();
    const auto size = file_size(file->get());
    if (!size) return size.error();
    if (*size < header_bytes)
      return failure{errc::truncated,
                     "ctlm: this llama2.c file is cut off: its header has {needed} bytes, it has {had}", *size,
                     header_bytes, *size};
    std::int32_t header[header_fields];
    if (const auto r = read_exactly(file->get(), header, header_bytes, 0); !r) return r;
    if (const auto r = check_header(header, s); !r) return r;
    const auto context = static_cast<std::uint64_t>(header[context_field]);
    if (const auto r = check_length(*size, file_bytes<M>(context)); !r) return r;
    buffered_reader rest(file->get(), *size - header_bytes, header_bytes);
    return weight_reader<M>(rest, w).read(context);
  });
}

}}  // namespace ctlm
