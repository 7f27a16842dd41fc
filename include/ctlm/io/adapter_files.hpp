// SPDX-License-Identifier: MIT
// ctlm: adapters as PEFT writes them: the names of their tensors, and what adapter_config.json says.
#pragma once

#include "../model/adapter.hpp"
#include "config_text.hpp"
#include "heap_keys.hpp"
#include "remember.hpp"
#include "tensor_names.hpp"

#include <string>
#include <vector>

namespace ctlm { inline namespace CTLM_ABI { namespace adapter_files_detail {

/// PEFT's kinds of tensors, in the order of learned_table.
enum kind : std::size_t { a, b, magnitude };
inline constexpr const char* endings[] = {".lora_A.weight", ".lora_B.weight", ".lora_magnitude_vector"};

/// The module of a part of one of adaptable_tensors: Hugging Face's name without ".weight", '#' being the layer.
inline std::string module_of(const decoder_shape& s, std::size_t tensor, std::size_t part) {
  const tensor_names names = hugging_face_names(s, has_fused_tensors(s));
  const std::string name = names.of(adaptable_tensors[tensor]).parts[part];
  return (s.position == position_kind::learned ? "transformer." : "") + name.substr(0, name.rfind('.'));
}
/// The same without what stands before the last point: what target_modules lists.
inline std::string short_module_of(const decoder_shape& s, std::size_t tensor, std::size_t part) {
  const std::string module = module_of(s, tensor, part);
  return module.substr(module.rfind('.') + 1);
}
/// The name of a tensor in adapter_model.safetensors.
inline std::string name_of(const decoder_shape& s, std::size_t tensor, std::size_t part, std::size_t layer,
                           std::size_t kind) {
  std::string name = "base_model.model.";
  for (const char c : module_of(s, tensor, part)) name += c == '#' ? std::to_string(layer) : std::string(1, c);
  return name + endings[kind];
}

inline failure config_failure(const char* what, const char* key, std::size_t needed = 0, std::size_t had = 0) {
  return {errc::unsupported, what, 0, needed, had, key};
}

/// Whether a key says nothing: it is missing, null, false, or an empty list or object.
inline bool says_nothing(const json::value& v) {
  if (!v || v.is_null()) return true;
  if (v.kind() == json::kind::boolean) return !*v.as_bool();
  if (v.kind() == json::kind::object || v.kind() == json::kind::array) return v.written().size() == 2;
  return false;
}

/// Reads a key that is true or false; false if it is missing or null.
inline result<bool> flag_of(const json::value& config, const char* key) {
  const json::value v = config.find(key);
  if (!v || v.is_null()) return false;
  return v.as_bool();
}

/// What the text of an adapter_config.json says, but for the parts, which the tensors show. Errors: errc::corrupt;
/// errc::unsupported for what would change results and is not computed, with the key.
inline result<adapter_shape> read_config(span<const char> text) {
  const auto parsed = json::parse(text, {.depth = 16}, heap_keys());
  if (!parsed) return parsed.error();
  if (!parsed->find("peft_type").equals("LORA"))
    return config_failure("ctlm: only adapters whose {name} is LORA are read", "peft_type");
  for (const char* key : {"rank_pattern", "alpha_pattern", "modules_to_save", "lora_bias", "layer_replication",
                          "use_qalora", "alora_invocation_tokens", "trainable_token_indices", "target_parameters"})
    if (!says_nothing(parsed->find(key)))
      return config_failure("ctlm: this adapter_config.json asks for {name}, which is not computed", key);
  if (const json::value bias = parsed->find("bias"); bias && !bias.is_null() && !bias.equals("none"))
    return config_failure("ctlm: this adapter_config.json has {name} other than none", "bias");
  const auto rank = parsed->find("r").as_integer<std::uint32_t>();
  if (!rank) return rank.error();
  const auto alpha = parsed->find("lora_alpha").as_number<double>();
  if (!alpha) return alpha.error();
  const auto stabilised = flag_of(*parsed, "use_rslora"), decomposed = flag_of(*parsed, "use_dora");
  if (!stabilised) return stabilised.error();
  if (!decomposed) return decomposed.error();
  if (*rank == 0) return config_failure("ctlm: this adapter_config.json has {name} of 0", "r");
  return adapter_shape{*rank, *alpha, *stabilised, *decomposed, {}};
}

}}}  // namespace ctlm::adapter_files_detail
