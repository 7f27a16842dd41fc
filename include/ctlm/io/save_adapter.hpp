// SPDX-License-Identifier: MIT
// ctlm: adapters as a folder that PEFT loads: adapter_config.json and adapter_model.safetensors.
#pragma once

#include "adapter_files.hpp"
#include "save_safetensors.hpp"

#include <sys/stat.h>

namespace ctlm { inline namespace CTLM_ABI {

namespace adapter_files_detail {

/// One tensor to be saved, and where its numbers are.
template <class T>
struct saved_tensor {
  std::string name;
  std::size_t rows, cols;  ///< cols 0: a vector
  const T* numbers;
};

/// All tensors of an adapter; `shape` is the model's.
template <class From>
auto saved_tensors(const decoder_shape& shape, const From& from) {
  using T = std::remove_cvref_t<decltype(*from.place_of(tensor_id::qkv_weight, 0).a)>;
  std::vector<saved_tensor<T>> tensors;
  const adapter_shape s = from.layout();
  for (std::size_t layer = 0; layer < shape.layers; ++layer)
    for (std::size_t i = 0; i < adaptable_count; ++i) {
      const tensor_id id = adaptable_tensors[i];
      const adapter_place<T> place = from.place_of(id, layer);
      if (place.a == nullptr) continue;
      const adapter_parts all = all_adapter_parts(shape, id);
      const std::size_t cols = rule_of(id).cols(shape);
      std::size_t before = 0;
      for (std::size_t p = 0; p < place.parts->count; before += place.parts->rows[p++]) {
        std::size_t part = 0;
        while (all.first[part] != place.parts->first[p]) ++part;
        const std::size_t rows = place.parts->rows[p];
        tensors.push_back({name_of(shape, i, part, layer, a), s.rank, cols, place.a + p * s.rank * cols});
        tensors.push_back({name_of(shape, i, part, layer, b), rows, s.rank, place.b + before * s.rank});
        if (s.decomposed)
          tensors.push_back({name_of(shape, i, part, layer, magnitude), rows, 0, place.magnitudes + before});
      }
    }
  return tensors;
}

/// The text of adapter_config.json. `layers`: in which the adapter is, if not in all.
inline std::string config_of(const decoder_shape& shape, const adapter_shape& s, const std::string& layers,
                             const char* base) {
  config_text o;
  o.string("peft_type", "LORA");
  o.string("task_type", "CAUSAL_LM");
  if (base == nullptr)
    o.key("base_model_name_or_path", "null");
  else
    o.string("base_model_name_or_path", base);
  o.integer("r", s.rank);
  const auto whole = static_cast<std::size_t>(s.alpha);
  if (static_cast<double>(whole) == s.alpha)
    o.integer("lora_alpha", whole);
  else
    o.number("lora_alpha", s.alpha);
  o.number("lora_dropout", 0.0);
  o.flag("use_rslora", s.rank_stabilised);
  o.flag("use_dora", s.decomposed);
  o.string("bias", "none");
  o.flag("fan_in_fan_out", shape.position == position_kind::learned);
  o.flag("inference_mode", true);
  std::string modules = "[";
  for (std::size_t i = 0; i < adaptable_count; ++i)
    for (std::size_t p = 0; p < s.parts[i].count; ++p) {
      const adapter_parts all = all_adapter_parts(shape, adaptable_tensors[i]);
      std::size_t part = 0;
      while (all.first[part] != s.parts[i].first[p]) ++part;
      // GPT-2 has two modules called c_proj: what stands before tells them apart.
      std::string name = short_module_of(shape, i, part);
      if (shape.position == position_kind::learned) {
        const std::string whole_name = module_of(shape, i, part);
        name = whole_name.substr(whole_name.find("#.") + 2);
      }
      modules.append(modules.size() > 1 ? ", \"" : "\"").append(name).append("\"");
    }
  o.key("target_modules", modules + "]");
  o.key("layers_to_transform", layers.empty() ? "null" : layers);
  return o.finished();
}

/// The layers that have an adapter, as a list, or nothing if all have.
template <class From>
std::string layers_of(const decoder_shape& shape, const From& from) {
  std::string list = "[";
  std::size_t n = 0;
  for (std::size_t l = 0; l < shape.layers; ++l)
    for (tensor_id id : adaptable_tensors)
      if (from.place_of(id, l).a != nullptr) {
        list.append(n++ > 0 ? ", " : "").append(std::to_string(l));
        break;
      }
  return n == shape.layers ? std::string() : list + "]";
}

}  // namespace adapter_files_detail

/// Writes `folder`/adapter_model.safetensors and `folder`/adapter_config.json, as PEFT's save_pretrained does; the
/// folder is made if it is not there. `from` is a trainer's adapted(), or an adapter; `base` the name of the model that
/// it belongs to, for PEFT's users, or nullptr. Each file is replaced at once, or stays. Errors: those of
/// save_safetensors.
template <class M, class From>
result<void> save_adapter(const char* folder, const From& from, const char* base = nullptr) {
  using namespace adapter_files_detail;
  return or_out_of_memory("ctlm: there is no memory to save this adapter", [&]() -> result<void> {
    const auto tensors = saved_tensors(M::shape, from);
    std::vector<tensor_to_save> all;
    constexpr auto type = sizeof(typename M::real) == 8 ? safetensors_type::f64 : safetensors_type::f32;
    for (const auto& t : tensors)
      all.push_back({t.name.c_str(), type, t.cols == 0 ? std::size_t{1} : std::size_t{2}, {t.rows, t.cols}});
    const std::string path = folder;
    ::mkdir(folder, 0777);  // if that fails, so does what follows, and says why
    const safetensors_note notes[] = {{"format", "pt"}};
    const auto saved = save_safetensors((path + "/adapter_model.safetensors").c_str(), span<const tensor_to_save>(all),
                                        [&](std::size_t i, safetensors_writer& out) {
                                          const auto& t = tensors[i];
                                          return out.put(t.numbers, t.rows * larger(1, t.cols));
                                        },
                                        notes);
    if (!saved) return saved;
    const std::string config = config_of(M::shape, from.layout(), layers_of(M::shape, from), base);
    return replace_file((path + "/adapter_config.json").c_str(), config);
  });
}

}}  // namespace ctlm
