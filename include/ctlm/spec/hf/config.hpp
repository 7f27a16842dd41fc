// SPDX-License-Identifier: MIT
// ctlm: config.json of a Hugging Face folder, read by the compiler: `static constexpr auto config =
// ctlm::hf::config(R"json({...})json");` in a model's tag. What changes results and is not supported does not compile.
#pragma once

#include "families.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace hf {

/// Does not compile for a config that cannot be computed with.
template <bool Supported>
struct supported_config {
  static_assert(
      Supported,
      "ctlm: config.json says something that changes results and that ctlm does not support (or lacks a key): "
      "hf::not_supported<key, value> names it");
  static constexpr bool ok = true;
};

#if CTLM_PRINTS_NUMBERS
/// The letters of a text, one by one: Clang would print a text<48> as numbers.
template <char...>
struct spelled {};
/// A text as spelled<>.
template <text<48> Text, char... Letters>
constexpr auto spell() {
  if constexpr (sizeof...(Letters) == Text.size())
    return spelled<Letters...>{};
  else
    return spell<Text, Letters..., Text.letters[sizeof...(Letters)]>();
}
/// Instantiated with the letters of a key of a config.json and of its value: the compiler then names both.
template <class Key, class Value>
struct not_supported : supported_config<std::is_same_v<Key, spelled<>>> {};
/// Does not compile for a problem, which is what a key has.
template <text<48> Key, text<48> Value>
constexpr bool is_supported() {
  return not_supported<decltype(spell<Key>()), decltype(spell<Value>())>::ok;
}
#else
/// Instantiated with a key of a config.json and its value: the compiler then names both.
template <text<48> Key, text<48> Value>
struct not_supported : supported_config<Key.size() == 0> {};
/// Does not compile for a problem, which is what a key has.
template <text<48> Key, text<48> Value>
constexpr bool is_supported() {
  return not_supported<Key, Value>::ok;
}
#endif

/// The config of a model that a config.json describes.
struct any_config {
  decoder_shape decoder{};                               ///< what it comes down to
  activation_kind activation = activation_kind::swiglu;  ///< of the feed-forward layers
  hf::problem problem{};                                 ///< what cannot be computed with: then nothing compiles
  rope_divisors divisors{};                              ///< of LongRoPE, for the decoder's context

  /// What error messages call it.
  static constexpr const char* name = "hf::any_config";
  /// f(name, value) for every field of the shape, in order.
  template <class F>
  constexpr void for_each_field(F&& f) const {
    decoder_shape::for_each_field([&](const char* field, auto member) { f(field, decoder.*member); });
  }
  /// The shape; `gated` is that of the activation.
  constexpr decoder_shape shape(bool gated) const {
    decoder_shape s = decoder;
    s.gated = gated;
    return s;
  }
  /// Does not compile for a config that cannot be computed with.
  template <class Tag>
  static constexpr bool supported() {
    return is_supported<Tag::config.problem.key, Tag::config.problem.value>();
  }
};

/// Reads a config.json. Its `model_type` decides what is looked at: gpt2, llama, mistral, qwen2, qwen3, smollm3, phi3,
/// gemma, gemma2, gemma3_text, mixtral, qwen3_moe (all layers with experts). `context`: positions that sessions get
/// room for; 0: max_position_embeddings. It decides which of LongRoPE's two lists counts.
constexpr any_config config(const char* text, std::size_t context = 0) {
  any_config c;
  const auto parsed = json::parse(text);
  if (!parsed) {
    c.problem = {problem::no_json, hf::text<48>("config.json, byte"), hf::text<48>::of_number(parsed.error().where)};
    return c;
  }
  reader r{*parsed};
  read_family(r, c.decoder, c.activation);
  if (context > 0 && c.decoder.position == position_kind::learned && context != c.decoder.context)
    r.refuse("context", "learned positions");
  if (context > 0) c.decoder.context = context;
  read_divisors(r, c.decoder, c.divisors);
  c.problem = r.found;
  return c;
}

}}}  // namespace ctlm::hf
