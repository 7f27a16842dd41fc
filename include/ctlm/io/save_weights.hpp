// SPDX-License-Identifier: MIT
// ctlm: the weights of a model as safetensors, with the names that Hugging Face's programs look for.
#pragma once

#include "load_tensors.hpp"
#include "save_safetensors.hpp"

namespace ctlm { inline namespace CTLM_ABI {

namespace save_detail {

/// One tensor of the file: the piece of ours that it is made of.
struct outgoing {
  std::string name;
  const tensor_info* from = nullptr;
  const tensor_origin* origin = nullptr;
  std::size_t layer = 0;
  std::size_t first = 0;  // its first row, or, of a vector, number
  std::size_t count = 0;
};

inline std::vector<outgoing> outgoing_tensors(const tensor_table& table, const decoder_shape& shape,
                                              const tensor_names& names, const char* prefix) {
  std::vector<outgoing> all;
  for (const tensor_info& t : table) {
    const tensor_origin& origin = names.of(t.id);
    const char* const before = t.id == tensor_id::head_weight ? "" : prefix;
    for (std::size_t layer = 0; layer < t.layers; ++layer)
      for (std::size_t part = 0, first = 0; part < origin.count(); ++part) {
        const std::size_t whole = t.is_matrix() ? t.rows : t.cols;
        const std::size_t count = origin.rows[part] == nullptr ? whole : origin.rows[part](shape);
        all.push_back(
            {load_detail::name_of_layer(origin.parts[part], layer, before), &t, &origin, layer, first, count});
        first += count;
      }
  }
  return all;
}

inline tensor_to_save described(const outgoing& o, safetensors_type type) {
  tensor_to_save t{.name = o.name.c_str(), .type = type};
  t.rank = o.from->is_matrix() ? 2 : 1;
  t.dimensions[0] = o.count;
  if (o.from->is_matrix()) t.dimensions[1] = o.from->cols;
  if (o.origin->transposed) std::swap(t.dimensions[0], t.dimensions[1]);
  return t;
}

/// The numbers of a tensor, row after row of the file.
template <class Weights>
result<void> put_tensor(const Weights& weights, const outgoing& o, safetensors_writer& out) {
  using format = typename Weights::format;
  using number = typename format::compute;
  const tensor_info& t = *o.from;
  if (!t.is_matrix()) {
    const auto* const from = weights.raw_vector(t.index()) + o.layer * t.cols + o.first;
    std::vector<number> numbers(from, from + o.count);
    if (o.origin->plus_one)
      for (number& x : numbers) x -= 1;
    return out.put(static_cast<const number*>(numbers.data()), numbers.size());
  }
  const auto& matrix = weights.raw_matrix(t.index());
  const std::size_t first = o.layer * t.rows + o.first;
  std::vector<number> rows(t.cols * (o.origin->transposed ? o.count : 1));
  for (std::size_t r = 0; r < o.count; ++r) {
    number* const row = rows.data() + (o.origin->transposed ? r * t.cols : 0);
    format::decode(matrix, first + r, 0, t.cols, row);
    if (!o.origin->transposed)
      if (const auto done = out.put(static_cast<const number*>(row), t.cols); !done) return done;
  }
  if (!o.origin->transposed) return {};
  std::vector<number> column(o.count);
  for (std::size_t c = 0; c < t.cols; ++c) {
    for (std::size_t r = 0; r < o.count; ++r) column[r] = rows[r * t.cols + c];
    if (const auto done = out.put(static_cast<const number*>(column.data()), o.count); !done) return done;
  }
  return {};
}

}  // namespace save_detail

/// Writes the weights of a model, in any format, as one .safetensors file of `type`: with names and layout that
/// `transformers` and load_safetensors expect. The file is replaced at once, or stays; the same weights give the same
/// bytes. Errors: those of save_safetensors.
template <class Shape, class F>
result<void> save_weights(const char* path, const weight_views<Shape, F>& weights,
                          safetensors_type type = safetensors_type::f32) {
  return or_out_of_memory("ctlm: there is no memory for the names of the tensors", [&]() -> result<void> {
    constexpr decoder_shape shape = Shape::value;
    const tensor_names names = hugging_face_names(shape, false);
    const char* const prefix = shape.position == position_kind::learned ? "transformer." : "";
    const auto all = save_detail::outgoing_tensors(weight_views<Shape, F>::tensors, shape, names, prefix);
    std::vector<tensor_to_save> tensors;
    for (const auto& o : all) tensors.push_back(save_detail::described(o, type));
    const safetensors_note note[] = {{"format", "pt"}};
    return save_safetensors(
        path, tensors,
        [&](std::size_t i, safetensors_writer& out) { return save_detail::put_tensor(weights, all[i], out); }, note);
  });
}

}}  // namespace ctlm
