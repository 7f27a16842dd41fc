// SPDX-License-Identifier: MIT
// ctlm: a model as a GGUF file, so that llama.cpp computes with what was trained or loaded here.
#pragma once

#include "../model/causal_lm.hpp"
#include "file_tensors.hpp"
#include "gguf_family.hpp"
#include "gguf_tokenizer.hpp"
#include "merged_weights.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// How save_gguf writes a model.
struct gguf_options {
  /// How matrices are stored: F32, F16, BF16, Q8_0, Q4_0 or Q4_1. Those whose rows are no whole blocks of it are
  /// stored as F16, gains, biases and learned positions as F32.
  gguf_encoding encoding = gguf_encoding::f32;
  const char* name = nullptr;                 ///< general.name: what the model is called
  const gguf_tokenizer* tokenizer = nullptr;  ///< how text becomes tokens; without it, the file is for token ids alone
  const gguf_metadata* like = nullptr;        ///< of a file, whose tokenizer and chat template are taken as they are
};

namespace save_detail {

inline result<void> check_encoding(gguf_encoding e) {
  const auto* const entry = gguf_detail::find_encoding(static_cast<std::uint32_t>(e));
  if (entry != nullptr && entry->encode != nullptr) return {};
  return failure{errc::invalid_argument,
                 "ctlm: a model cannot be written in GGUF encoding {had}: F32, F16, BF16, Q8_0, Q4_0 and Q4_1 are", 0,
                 0, static_cast<std::size_t>(e)};
}

inline gguf_encoding encoding_of(const file_tensor& t, gguf_encoding wanted) {
  if (!t.ours->is_matrix()) return gguf_encoding::f32;
  const bool blocks = numbers_of(wanted).numbers > 1;
  if (blocks && t.ours->id == tensor_id::position_embedding) return gguf_encoding::f32;
  return t.file_cols() % numbers_of(wanted).numbers == 0 ? wanted : gguf_encoding::f16;
}

/// llama.cpp's number for files whose matrices are mostly of this encoding.
constexpr std::uint32_t file_type(gguf_encoding e) {
  switch (e) {
    case gguf_encoding::f16:
      return 1;
    case gguf_encoding::q4_0:
      return 2;
    case gguf_encoding::q4_1:
      return 3;
    case gguf_encoding::q8_0:
      return 7;
    case gguf_encoding::bf16:
      return 32;
    default:
      return 0;
  }
}

/// Takes the tokenizer of another file as it is there.
inline result<void> put_tokenizer_of(gguf_writer& out, const gguf_metadata& file, std::size_t vocab) {
  bool found = false;
  for (const gguf_value& v : file.values()) {
    const std::string_view key(v.key().data(), v.key().size());
    if (!key.starts_with("tokenizer.")) continue;
    out.set(v);
    found = found || key == "tokenizer.ggml.model";
    if (key != "tokenizer.ggml.tokens") continue;
    const auto tokens = v.as_array();
    if (!tokens) return tokens.error();
    if (tokens->size() != vocab)
      return failure{
          errc::wrong_model,
          "ctlm: the tokenizer of the other GGUF file has {had} tokens, and the model's vocabulary is {needed}", 0,
          vocab, tokens->size()};
  }
  if (found) return {};
  return failure{errc::wrong_model, "ctlm: the other GGUF file has no tokenizer (tokenizer.ggml.model)"};
}

/// All metadata; `name` as in gguf_options.
inline result<void> put_metadata(gguf_writer& out, const gguf_family& family, const decoder_shape& s,
                                 const gguf_options& o) {
  out.set("general.architecture", family.name);
  out.set("general.type", "model");
  if (o.name != nullptr) out.set("general.name", o.name);
  out.set("general.file_type", file_type(o.encoding));
  if (numbers_of(o.encoding).numbers > 1) out.set("general.quantization_version", std::uint32_t{2});
  gguf_detail::put_shape(out, family.name, s);
  if (o.tokenizer != nullptr) {
    if (const auto r = gguf_detail::check_tokenizer(*o.tokenizer, s.vocab); !r) return r;
    gguf_detail::put_tokenizer(out, *o.tokenizer, s.vocab);
  } else if (o.like != nullptr) {
    return put_tokenizer_of(out, *o.like, s.vocab);
  } else {
    out.set("tokenizer.ggml.model", "none");
  }
  return {};
}

/// What the file divides the frequencies of rotary angles by: Llama 3's scaling, or LongRoPE, whose two lists are the
/// same there, since the config has the one for its context. Empty: nothing.
template <class M>
std::vector<float> plan_divisors(gguf_writer& out) {
  std::vector<float> divisors;
  if constexpr (M::shape.rope_scaling == rope_kind::llama3) {
    divisors = gguf_detail::frequency_divisors(M::shape);
    out.add_tensor("rope_freqs.weight", {divisors.size()}, gguf_encoding::f32);
  } else if constexpr (M::shape.rope_scaling == rope_kind::longrope) {
    constexpr auto& ours = M::tag::config.divisors;
    divisors.assign(ours.values, ours.values + ours.count);
    for (const bool of_long : {true, false})
      out.add_tensor(gguf_detail::divisors_name(of_long), {divisors.size()}, gguf_encoding::f32);
  }
  return divisors;
}

/// Row r of a tensor of the file.
template <class Weights>
void put_row(const Weights& weights, const file_tensor& t, std::size_t r, float* to) {
  using format = typename Weights::format;
  using number = typename format::compute;
  const bool paired = t.origin->paired[t.part];
  const std::size_t dim = Weights::shape.head_dim;
  if (!t.ours->is_matrix()) {
    const number* const from = weights.raw_vector(t.ours->index()) + t.our_number() + r * t.cols();
    for (std::size_t i = 0; i < t.cols(); ++i)
      to[i] = static_cast<float>(from[paired ? tensor_origin::unpaired_row(dim, i) : i]);
    return;
  }
  const std::size_t row = t.our_row(paired ? tensor_origin::unpaired_row(dim, r) : r);
  const auto& matrix = weights.raw_matrix(t.ours->index());
  if constexpr (std::is_same_v<number, float>) {
    format::decode(matrix, row, 0, t.cols(), to);
  } else {
    std::vector<number> wide(t.cols());
    format::decode(matrix, row, 0, t.cols(), wide.data());
    for (std::size_t i = 0; i < wide.size(); ++i) to[i] = static_cast<float>(wide[i]);
  }
}

}  // namespace save_detail

/// Writes a model as a GGUF file that llama.cpp runs: all that it has to know, the weights in any format, and the
/// tokenizer. Factored projections are multiplied out. The file is replaced at once, or stays; the same model gives the
/// same bytes.
///
///     ctlm::save_gguf<lm>("mine.gguf", mine, {.encoding = ctlm::gguf_encoding::q8_0, .tokenizer = &words}).value();
///
/// Errors: errc::unsupported, where llama.cpp would compute something else, with what that is; errc::wrong_model, for a
/// tokenizer of another size; invalid_argument, for an encoding that is only read; those of replace_file.
template <class M, class F>
result<void> save_gguf(const char* path, const weight_views<typename M::shape_type, F>& weights,
                       const gguf_options& options = {}) {
  if constexpr (M::shape.is_factored())
    return with_merged(weights,
                       [&](const auto& merged) { return save_gguf<typename M::whole_model>(path, merged, options); });
  constexpr decoder_shape s = M::shape;
  constexpr gguf_family family = gguf_family_of(s, M::activation_policy::name);
  constexpr bool own_norm = !std::is_same_v<typename M::norm, typename M::default_norm>;
  if (own_norm || family.problem != nullptr)
    return failure{errc::unsupported,
                   "ctlm: llama.cpp would compute something else than this model, which differs in {name}",
                   0,
                   0,
                   0,
                   own_norm ? "its norm" : family.problem};
  return or_out_of_memory("ctlm: there is no memory for a GGUF file's tokenizer and names", [&]() -> result<void> {
    if (const auto r = save_detail::check_encoding(options.encoding); !r) return r;
    gguf_writer out;
    if (const auto r = save_detail::put_metadata(out, family, s, options); !r) return r;
    const tensor_names names = gguf_names(s, family.paired, family.fused);
    const auto all = file_tensors(weight_views<typename M::shape_type, F>::tensors, s, names, "");
    for (const file_tensor& t : all) {
      std::size_t dimensions[3];
      for (std::size_t i = 0; i < t.rank(); ++i) dimensions[i] = t.dimension(i);
      out.add_tensor(t.name, span<const std::size_t>(dimensions, t.rank()),
                     save_detail::encoding_of(t, options.encoding));
    }
    const std::vector<float> divisors = save_detail::plan_divisors<M>(out);
    return out.write(path, [&](std::size_t tensor, std::size_t row, float* to) {
      if (tensor < all.size()) return save_detail::put_row(weights, all[tensor], row, to);
      std::copy(divisors.begin(), divisors.end(), to);
    });
  });
}

}}  // namespace ctlm
