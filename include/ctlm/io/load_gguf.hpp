// SPDX-License-Identifier: MIT
// ctlm: the weights of a model from a GGUF file, whose metadata is compared with the model first.
#pragma once

#include "gguf.hpp"
#include "gguf_family.hpp"
#include "load_tensors.hpp"

namespace ctlm { inline namespace CTLM_ABI {

namespace load_detail {

/// Compares numbers of the metadata with the model's.
class gguf_comparison {
 public:
  gguf_comparison(const gguf_metadata& metadata, span<const char> architecture)
      : metadata_(metadata), architecture_(architecture.begin(), architecture.end()) {}

  /// A whole number; a file may leave it out.
  void integer(const char* key, std::size_t needed) {
    const gguf_value* const v = find(key);
    if (v == nullptr || problem_.code != errc::ok) return;
    const auto had = v->as_integer();
    if (!had) return static_cast<void>(problem_ = had.error());
    if (static_cast<std::size_t>(*had) != needed)
      problem_ = {errc::wrong_model,
                  "ctlm: this GGUF file is of another model: {name} is {had} there and {needed} here",
                  0,
                  needed,
                  static_cast<std::size_t>(*had),
                  remember(v->key())};
  }
  /// A number, to single precision.
  void number(const char* key, double needed) {
    const gguf_value* const v = find(key);
    if (v == nullptr || problem_.code != errc::ok) return;
    const auto had = v->as_number();
    if (!had) return static_cast<void>(problem_ = had.error());
    if (static_cast<float>(*had) != static_cast<float>(needed))
      problem_ = {errc::wrong_model,
                  "ctlm: this GGUF file is of another model: {name} has another value there than in the config",
                  0,
                  0,
                  0,
                  remember(v->key())};
  }
  const failure& problem() const { return problem_; }

 private:
  const gguf_value* find(const char* key) const {
    const std::string full = architecture_ + "." + key;
    return metadata_.find(span<const char>(full));
  }

  const gguf_metadata& metadata_;
  std::string architecture_;
  failure problem_{};
};

inline failure compare_metadata(const gguf_metadata& metadata, span<const char> architecture, const decoder_shape& s) {
  gguf_comparison c(metadata, architecture);
  c.integer("block_count", s.layers);
  c.integer("embedding_length", s.d_model);
  if (s.experts > 0) {
    c.integer("expert_feed_forward_length", s.d_ff);
    c.integer("expert_count", s.experts);
    c.integer("expert_used_count", s.experts_per_token);
  } else {
    c.integer("feed_forward_length", s.d_ff);
  }
  c.integer("attention.head_count", s.heads);
  c.integer("attention.head_count_kv", s.kv_heads);
  c.integer("attention.key_length", s.head_dim);
  if (s.window > 0) c.integer("attention.sliding_window", s.window);
  if (s.norm == norm_kind::rms)
    c.number("attention.layer_norm_rms_epsilon", static_cast<double>(s.norm_eps));
  else
    c.number("attention.layer_norm_epsilon", static_cast<double>(s.norm_eps));
  if (s.position == position_kind::rope) c.number("rope.freq_base", s.rope_theta);
  if (s.position == position_kind::rope) c.integer("rope.dimension_count", s.rotated());
  c.number("attn_logit_softcapping", static_cast<double>(s.attention_cap));
  c.number("final_logit_softcapping", static_cast<double>(s.logit_cap));
  return c.problem();
}

/// Whether a tensor of the file has these numbers, to single precision of what they are computed from.
inline bool has_divisors(const stored_tensor& t, const std::vector<float>& ours) {
  if (t.count() != ours.size()) return false;
  std::vector<float> theirs(ours.size());
  t.decode(0, theirs.size(), theirs.data());
  bool same = true;
  for (std::size_t i = 0; i < ours.size(); ++i)
    same = same && theirs[i] - ours[i] < 1e-4f * ours[i] && ours[i] - theirs[i] < 1e-4f * ours[i];
  return same;
}

/// Files scale rotary angles by tensors, Llama 3's way or LongRoPE's: the model must do the same. A file may have none.
template <class M>
result<void> compare_divisors(const gguf_file& file) {
  constexpr decoder_shape s = M::shape;
  std::vector<float> ours(s.rotated() / 2, 1.0f);
  const char* other = "";  // the list of LongRoPE that is not for the model's context
  if constexpr (s.rope_scaling == rope_kind::llama3) ours = gguf_detail::frequency_divisors(s);
  if constexpr (s.rope_scaling == rope_kind::longrope) {
    constexpr auto& divisors = M::tag::config.divisors;
    ours.assign(divisors.values, divisors.values + divisors.count);
    other = gguf_detail::divisors_name(s.context <= s.rope_context);
  }
  for (const char* name : {"rope_freqs.weight", gguf_detail::divisors_name(false), gguf_detail::divisors_name(true)}) {
    const stored_tensor* const theirs = file.find(name);
    if (theirs == nullptr || gguf_detail::same_text(name, other) || has_divisors(*theirs, ours)) continue;
    return failure{errc::wrong_model,
                   "ctlm: this GGUF file is of another model: it scales its rotary angles by {name}, and the config in "
                   "another way or not at all",
                   0,
                   0,
                   0,
                   name};
  }
  return {};
}

/// Architectures whose queries and keys have the two numbers of a pair side by side.
inline bool has_paired_rows(span<const char> architecture) {
  const std::string_view name{architecture.data(), architecture.size()};
  return name == "llama" || name == "smollm3";
}

}  // namespace load_detail

/// Fills the weights of model M, in any format, from a GGUF file. Its metadata must say the model's sizes, epsilon and
/// base of rotary angles, as far as it says any, and its angles must be scaled as the model's are. Nothing is written
/// unless the file has exactly the model's tensors; `report`, if given, says everything that is wrong. Errors: those of
/// gguf_file::open; errc::wrong_model; out_of_memory.
template <class M, executor E>
result<void> load_gguf(const char* path, const typename M::weights& weights, E& exec, tensor_report* report = nullptr) {
  const auto file = gguf_file::open(path);
  if (!file) return file.error();
  const gguf_value* const value = file->metadata().find("general.architecture");
  if (value == nullptr)
    return failure{errc::wrong_model, "ctlm: this GGUF file does not say its architecture (general.architecture)"};
  const auto architecture = value->as_string();
  if (!architecture) return architecture.error();
  if (const failure f = load_detail::compare_metadata(file->metadata(), *architecture, M::shape); f.code != errc::ok)
    return f;
  const auto angles = or_out_of_memory("ctlm: there is no memory to compare a GGUF file's rotary angles",
                                       [&] { return load_detail::compare_divisors<M>(*file); });
  if (!angles) return angles.error();
  const bool fused = file->find("blk.0.attn_qkv.weight") != nullptr;
  const bool apart = file->find("blk.0.ffn_gate.0.weight") != nullptr;
  return load_tensors(*file, gguf_names(M::shape, load_detail::has_paired_rows(*architecture), fused, apart), "",
                      weights, exec, report);
}
/// The same by the caller's thread alone.
template <class M>
result<void> load_gguf(const char* path, const typename M::weights& weights, tensor_report* report = nullptr) {
  serial alone;
  return load_gguf<M>(path, weights, alone, report);
}

}}  // namespace ctlm
