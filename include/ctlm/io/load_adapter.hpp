// SPDX-License-Identifier: MIT
// ctlm: adapters from the files of PEFT: adapter_config.json and adapter_model.safetensors.
#pragma once

#include "../memory/heap_arena.hpp"
#include "adapter_files.hpp"
#include "file.hpp"
#include "safetensors.hpp"

#include <memory>
#include <unordered_set>

namespace ctlm { inline namespace CTLM_ABI {

/// An adapter and its memory.
template <class M>
class loaded_adapter {
 public:
  loaded_adapter() = default;
  /// Zeros, as large as `s` says. Throws ctlm::error where there is no memory.
  explicit loaded_adapter(const adapter_shape& s)
      : memory_(std::make_unique<heap_arena>(adapter<M>::bytes_needed(s))), numbers_(s, *memory_) {}
  /// The numbers: what sessions and merge_adapter take.
  const adapter<M>& get() const { return numbers_; }
  operator const adapter<M>&() const { return numbers_; }  ///< the same

 private:
  std::unique_ptr<heap_arena> memory_;
  adapter<M> numbers_;
};

namespace adapter_files_detail {

inline failure named(errc code, const char* what, const std::string& name, std::size_t needed = 0,
                     std::size_t had = 0) {
  return {code, what, 0, needed, had, remember(span<const char>(name))};
}

/// One pass over all tensors that an adapter of a model may have.
template <class M, class F>
result<void> for_each_tensor(F&& f) {
  for (std::size_t i = 0; i < adaptable_count; ++i)
    for (std::size_t part = 0; part < all_adapter_parts(M::shape, adaptable_tensors[i]).count; ++part)
      for (std::size_t layer = 0; layer < M::shape.layers; ++layer)
        if (const result<void> r = f(i, part, layer); !r) return r;
  return {};
}

/// Whether a tensor is there with this shape. `cols` 0: a vector.
template <tensor_source S>
result<const stored_tensor*> tensor_of(const S& file, const std::string& name, std::size_t rows, std::size_t cols,
                                       std::size_t rank_needed, bool is_rank_first) {
  const stored_tensor* const t = file.find(span<const char>(name));
  if (t == nullptr) return named(errc::wrong_model, "ctlm: this adapter has no {name}", name);
  const std::size_t dimensions = cols == 0 ? 1 : 2;
  if (t->rank != dimensions)
    return named(errc::wrong_model, "ctlm: {name} of this adapter has {had} dimensions, {needed} are needed", name,
                 dimensions, t->rank);
  const std::size_t rank_place = is_rank_first ? 0 : 1;
  for (std::size_t i = 0; i < dimensions; ++i) {
    const std::size_t needed = i == 0 ? rows : cols;
    if (t->dimensions[i] == needed) continue;
    if (cols != 0 && i == rank_place)
      return named(errc::wrong_model, "ctlm: {name} has rank {had}, but adapter_config.json says r = {needed}", name,
                   rank_needed, t->dimensions[i]);
    return named(errc::wrong_model,
                 "ctlm: {name} is for another model: it has a side of {had} numbers where this model's has {needed}",
                 name, needed, t->dimensions[i]);
  }
  return t;
}

/// The three tensors of a part of a matrix of one layer.
struct part_tensors {
  const stored_tensor* of[3]{};
};
template <class M, tensor_source S>
result<part_tensors> tensors_of_part(const S& file, const adapter_shape& s, std::size_t tensor, std::size_t part,
                                     std::size_t layer) {
  const tensor_id id = adaptable_tensors[tensor];
  const std::size_t rows = all_adapter_parts(M::shape, id).rows[part], cols = rule_of(id).cols(M::shape);
  const std::size_t sizes[3][2] = {{s.rank, cols}, {rows, s.rank}, {rows, 0}};
  part_tensors found;
  for (std::size_t k = 0; k < (s.decomposed ? 3U : 2U); ++k) {
    const auto t = tensor_of(file, name_of(M::shape, tensor, part, layer, k), sizes[k][0], sizes[k][1], s.rank, k == a);
    if (!t) return t.error();
    found.of[k] = *t;
  }
  return found;
}

/// Whether all tensors are such as the model has, and of the right shape; and which parts have some, to s.parts.
template <class M, tensor_source S>
result<void> check_tensors(const S& file, adapter_shape& s) {
  std::unordered_set<const stored_tensor*> known;
  bool present[adaptable_count][adapter_parts::most]{};
  const auto r = for_each_tensor<M>([&](std::size_t i, std::size_t part, std::size_t layer) -> result<void> {
    bool any = false;
    for (std::size_t k = 0; k < 3; ++k)
      any = any || file.find(span<const char>(name_of(M::shape, i, part, layer, k))) != nullptr;
    if (!any) return {};
    const auto found = tensors_of_part<M>(file, s, i, part, layer);
    if (!found) return found.error();
    for (const stored_tensor* t : found->of)
      if (t != nullptr) known.insert(t);
    present[i][part] = true;
    return {};
  });
  if (!r) return r;
  for (const stored_tensor& t : file.tensors())
    if (known.find(&t) == known.end())
      return named(errc::wrong_model, "ctlm: this adapter is for another model: this one has no place for {name}",
                   std::string(t.name.begin(), t.name.end()));
  if (known.empty()) return failure{errc::wrong_model, "ctlm: there are no tensors in this adapter"};
  for (std::size_t i = 0; i < adaptable_count; ++i)
    s.parts[i] = some_adapter_parts(M::shape, adaptable_tensors[i], [&](std::size_t p) { return present[i][p]; });
  return {};
}

/// Fills what `to.place_of(id, layer)` yields from tensors that check_tensors has accepted. Where the file has none for
/// a layer or a part, nothing is written.
template <class M, tensor_source S, class To>
result<void> fill(const S& file, const adapter_shape& s, const To& to) {
  return for_each_tensor<M>([&](std::size_t i, std::size_t part, std::size_t layer) -> result<void> {
    const tensor_id id = adaptable_tensors[i];
    if (file.find(span<const char>(name_of(M::shape, i, part, layer, a))) == nullptr) return {};
    const auto found = tensors_of_part<M>(file, s, i, part, layer);
    if (!found) return found.error();
    const auto place = to.place_of(id, layer);
    const std::size_t first = all_adapter_parts(M::shape, id).first[part];
    std::size_t before = 0, p = 0;
    while (p < place.parts->count && place.parts->first[p] != first) before += place.parts->rows[p++];
    found->of[a]->decode(0, found->of[a]->count(), place.a + p * s.rank * rule_of(id).cols(M::shape));
    found->of[b]->decode(0, found->of[b]->count(), place.b + before * s.rank);
    if (s.decomposed) found->of[magnitude]->decode(0, found->of[magnitude]->count(), place.magnitudes + before);
    return {};
  });
}

/// Whether an adapter's files fit what a trainer was made for: the same rank, scale and matrices.
template <class To>
result<void> check_fits(const adapter_shape& had, const To& to) {
  const adapter_shape needed = to.layout();
  if (had.rank != needed.rank)
    return failure{errc::wrong_model, "ctlm: this adapter has rank {had}, the trainer was made for rank {needed}", 0,
                   needed.rank, had.rank};
  if (had.decomposed != needed.decomposed)
    return failure{errc::wrong_model, had.decomposed ? "ctlm: this adapter is DoRA's, the trainer's is not"
                                                     : "ctlm: the trainer's adapter is DoRA's, this one is not"};
  const double difference = had.scale() - needed.scale();
  if (difference > 1e-6 * needed.scale() || difference < -1e-6 * needed.scale())
    return failure{errc::wrong_model,
                   "ctlm: this adapter's scale (lora_alpha over r, or over its root) is not the trainer's"};
  for (std::size_t i = 0; i < adaptable_count; ++i)
    for (std::size_t p = 0; p < adapter_parts::most; ++p)
      if (had.parts[i].count != needed.parts[i].count || had.parts[i].first[p] != needed.parts[i].first[p])
        return failure{errc::wrong_model,
                       "ctlm: this adapter stands beside other projections of {name} than the trainer's",
                       0,
                       0,
                       0,
                       rule_of(adaptable_tensors[i]).name};
  return {};
}

}  // namespace adapter_files_detail

/// An adapter of model M from the text of its adapter_config.json and an open adapter_model.safetensors.
template <class M, tensor_source S>
result<loaded_adapter<M>> read_adapter(span<const char> config, const S& file) {
  using namespace adapter_files_detail;
  return or_out_of_memory("ctlm: there is not enough memory for this adapter", [&]() -> result<loaded_adapter<M>> {
    auto s = read_config(config);
    if (!s) return s.error();
    if (const auto r = check_tensors<M>(file, *s); !r) return r.error();
    loaded_adapter<M> loaded(*s);
    if (const auto r = fill<M>(file, *s, loaded.get()); !r) return r.error();
    return result<loaded_adapter<M>>(static_cast<loaded_adapter<M>&&>(loaded));
  });
}

/// An adapter of model M from a folder that PEFT, or save_adapter, has written. Every tensor is checked before memory
/// is taken. Errors: errc::not_found, io_error, truncated, corrupt; errc::unsupported for adapters that are not
/// computed (adapter_config.json's key is named); errc::wrong_model for tensors that are missing, of another rank or of
/// another model; out_of_memory.
template <class M>
result<loaded_adapter<M>> load_adapter(const char* folder) {
  return or_out_of_memory("ctlm: there is not enough memory for this adapter", [&]() -> result<loaded_adapter<M>> {
    const std::string path = folder;
    const auto config = read_file((path + "/adapter_config.json").c_str(), std::size_t{1} << 20);
    if (!config) return config.error();
    const auto file = safetensors_file::open((path + "/adapter_model.safetensors").c_str());
    if (!file) return file.error();
    return read_adapter<M>(span<const char>(*config), *file);
  });
}

/// The same into a trainer with lora<>, to go on from there; its rank, scale and projections must be the adapter's.
/// Nothing is written otherwise.
template <class Trainer>
result<void> load_adapter(const char* folder, Trainer& t) {
  using namespace adapter_files_detail;
  using M = typename Trainer::model;
  return or_out_of_memory("ctlm: there is not enough memory for this adapter", [&]() -> result<void> {
    const std::string path = folder;
    const auto config = read_file((path + "/adapter_config.json").c_str(), std::size_t{1} << 20);
    if (!config) return config.error();
    const auto file = safetensors_file::open((path + "/adapter_model.safetensors").c_str());
    if (!file) return file.error();
    auto s = read_config(span<const char>(*config));
    if (!s) return s.error();
    if (const auto r = check_tensors<M>(*file, *s); !r) return r;
    if (const auto r = check_fits(*s, t.adapted()); !r) return r;
    return fill<M>(*file, *s, t.adapted());
  });
}

}}  // namespace ctlm
