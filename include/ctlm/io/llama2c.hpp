// SPDX-License-Identifier: MIT
// ctlm: models and tokenizers in the format of llama2.c (github.com/karpathy/llama2.c, version 0 files).
#pragma once

#include "../model/causal_lm.hpp"
#include "file.hpp"
#include "merge_pairs.hpp"
#include "tokenizer.hpp"

#include <cstring>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace ctlm { inline namespace CTLM_ABI {

/// Reads a .bin file into the weights of a Llama model in any format. The config must be the model's own.
/// The file pairs elements 2i and 2i+1 of a head in its rotary positions; rows of queries and keys are reordered to
/// ctlm's layout, which pairs i and i + head_dim/2.
template <class M>
result<void> load_llama2c(const char* path, const typename M::weights& w) {
  constexpr decoder_shape s = M::shape;
  static_assert(s.norm == norm_kind::rms && s.position == position_kind::rope && s.gated && !s.bias,
                "ctlm: llama2.c files hold Llama models: use llama_config without biases");
  static_assert(s.q_dim() == s.d_model,
                "ctlm: llama2.c files hold heads of d_model / heads numbers: leave config.head_dim 0");
  const auto file = read_file(path);
  if (!file) return file.error();
  constexpr std::size_t header_bytes = 7 * sizeof(std::int32_t);
  if (file->size() < header_bytes) return failure{errc::truncated, "ctlm: this llama2.c file is cut off", file->size()};
  std::int32_t header[7];  // dim, hidden_dim, layers, heads, kv_heads, vocab (negative: untied head), context
  std::memcpy(header, file->data(), header_bytes);
  const std::size_t expected[6] = {s.d_model, s.d_ff, s.layers, s.heads, s.kv_heads, s.vocab};
  for (std::size_t i = 0; i < 6; ++i) {
    const std::int64_t found = i == 5 && header[i] < 0 ? -std::int64_t{header[i]} : header[i];
    if (found != static_cast<std::int64_t>(expected[i]))
      return failure{errc::wrong_model, "ctlm: this llama2.c file holds a model of another shape", i};
  }
  if (header[6] < 1) return failure{errc::corrupt, "ctlm: this llama2.c file is damaged: its context is not positive"};
  if ((header[5] > 0) != s.tie_embeddings)
    return failure{errc::wrong_model, "ctlm: this llama2.c file and the config disagree about tied embeddings"};

  const std::size_t file_context = static_cast<std::size_t>(header[6]);
  std::size_t numbers = file_context * s.head_dim;  // the two tables of angles, unused
  for (const tensor_info& t : M::tensors) numbers += t.size();
  if (file->size() < header_bytes + numbers * sizeof(float))
    return failure{errc::truncated, "ctlm: this llama2.c file is cut off", file->size()};
  if (file->size() > header_bytes + numbers * sizeof(float))
    return failure{errc::corrupt, "ctlm: this llama2.c file is longer than its header says", file->size()};

  std::size_t position = header_bytes;
  std::vector<float> row(larger(s.d_model, s.d_ff));
  auto next_row = [&](std::size_t n) {
    std::memcpy(row.data(), file->data() + position, n * sizeof(float));
    position += n * sizeof(float);
  };
  // Row `r` of a head in the file's order is row half-split(r) here.
  auto half_split = [&](std::size_t r) {
    const std::size_t head = r / s.head_dim, i = r % s.head_dim;
    return head * s.head_dim + (i % 2 == 0 ? i / 2 : s.head_dim / 2 + i / 2);
  };
  auto same = [](std::size_t r) { return r; };
  auto matrices = [&](tensor_id id, std::size_t layers, std::size_t first, std::size_t rows, std::size_t cols,
                      auto order) {
    for (std::size_t layer = 0; layer < layers; ++layer)
      for (std::size_t r = 0; r < rows; ++r) {
        next_row(cols);
        M::weights::format::encode(w.matrix_of(id, layer), first + order(r), row.data());
      }
  };
  auto vectors = [&](tensor_id id, std::size_t layers) {
    for (std::size_t layer = 0; layer < layers; ++layer) {
      next_row(s.d_model);
      std::memcpy(w.vector_of(id, layer), row.data(), s.d_model * sizeof(float));
    }
  };
  using id = tensor_id;
  matrices(id::token_embedding, 1, 0, s.vocab, s.d_model, same);
  vectors(id::norm1_weight, s.layers);
  matrices(id::qkv_weight, s.layers, 0, s.q_dim(), s.d_model, half_split);
  matrices(id::qkv_weight, s.layers, s.q_dim(), s.kv_dim(), s.d_model, half_split);
  matrices(id::qkv_weight, s.layers, s.q_dim() + s.kv_dim(), s.kv_dim(), s.d_model, same);
  matrices(id::out_weight, s.layers, 0, s.d_model, s.q_dim(), same);
  vectors(id::norm2_weight, s.layers);
  matrices(id::up_weight, s.layers, 0, s.d_ff, s.d_model, same);
  matrices(id::down_weight, s.layers, 0, s.d_model, s.d_ff, same);
  matrices(id::up_weight, s.layers, s.d_ff, s.d_ff, s.d_model, same);
  vectors(id::norm_weight, 1);
  position += file_context * s.head_dim * sizeof(float);
  if constexpr (!s.tie_embeddings) matrices(id::head_weight, 1, 0, s.vocab, s.d_model, same);
  return {};
}

/// The tokenizer of llama2.c: byte pairs merged by score, with bytes as fallback.
class llama2c_tokenizer {
 public:
  static constexpr token bos = 1;
  static constexpr token eos = 2;

  static result<llama2c_tokenizer> load(const char* path, std::size_t vocab) {
    if (vocab < first_byte + 256)
      return failure{errc::invalid_argument, "ctlm: a tokenizer of llama2.c has at least 259 tokens", vocab};
    const auto file = read_file(path);
    if (!file) return file.error();
    llama2c_tokenizer t;
    std::size_t at = sizeof(std::int32_t);  // the longest token's length, not needed
    for (std::size_t i = 0; i < vocab; ++i) {
      float score = 0;
      std::int32_t length = 0;
      if (file->size() < at + 8) return failure{errc::truncated, "ctlm: this tokenizer file is cut off", at};
      std::memcpy(&score, file->data() + at, 4);
      std::memcpy(&length, file->data() + at + 4, 4);
      at += 8;
      if (length < 0 || static_cast<std::size_t>(length) > file->size() - at)
        return failure{errc::truncated, "ctlm: this tokenizer file is cut off", at};
      t.pieces_.emplace_back(file->data() + at, static_cast<std::size_t>(length));
      t.scores_.push_back(score);
      at += static_cast<std::size_t>(length);
    }
    if (at != file->size()) return failure{errc::wrong_model, "ctlm: this tokenizer has another number of tokens", at};
    for (std::size_t i = 0; i < vocab; ++i) t.index_.try_emplace(t.pieces_[i], static_cast<token>(i));
    return t;
  }

  std::size_t vocab() const { return pieces_.size(); }

  /// Tokens of a text, the beginning-of-sequence token first.
  std::vector<token> encode(std::string_view text) const {
    std::vector<token> tokens{bos};
    if (!text.empty()) push_piece(tokens, " ");
    for (std::size_t i = 0; i < text.size();) {
      std::size_t n = 1;  // a UTF-8 character is taken whole if the vocabulary has it
      while (i + n < text.size() && n < 4 && (static_cast<unsigned char>(text[i + n]) & 0xC0) == 0x80) ++n;
      push_piece(tokens, std::string(text.substr(i, n)));
      i += n;
    }
    merge(tokens);
    return tokens;
  }

  /// The text that `next` adds after `previous`.
  std::string piece(token previous, token next) const {
    if (next < 0 || static_cast<std::size_t>(next) >= vocab()) return {};
    std::string p = pieces_[static_cast<std::size_t>(next)];
    if (previous == bos && !p.empty() && p[0] == ' ') p.erase(0, 1);
    unsigned byte = 0;
    if (p.size() == 6 && std::sscanf(p.c_str(), "<0x%02X>", &byte) == 1) return std::string(1, static_cast<char>(byte));
    return p;
  }
  std::string decode(span<const token> tokens) const {
    std::string text;
    token previous = bos;
    for (token t : tokens) {
      if (t != bos && t != eos) text += piece(previous, t);
      previous = t;
    }
    return text;
  }

 private:
  static constexpr token first_byte = 3;  // after <unk>, <s>, </s>

  void push_piece(std::vector<token>& tokens, const std::string& s) const {
    if (const auto found = index_.find(s); found != index_.end()) {
      tokens.push_back(found->second);
    } else {
      for (char c : s) tokens.push_back(first_byte + static_cast<unsigned char>(c));
    }
  }
  const std::string& text_of(token t) const { return pieces_[static_cast<std::size_t>(t)]; }
  void merge(std::vector<token>& tokens) const {
    merge_pairs(tokens, [&](token left, token right) {
      const auto found = index_.find(text_of(left) + text_of(right));
      if (found == index_.end()) return pair_merge{};
      return pair_merge{found->second, static_cast<double>(scores_[static_cast<std::size_t>(found->second)])};
    });
  }

  std::vector<std::string> pieces_;
  std::vector<float> scores_;
  std::unordered_map<std::string, token> index_;
};

}}  // namespace ctlm
