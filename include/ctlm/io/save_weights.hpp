// SPDX-License-Identifier: MIT
// ctlm: the weights of a model as safetensors, with the names that Hugging Face's programs look for.
#pragma once

#include "../memory/out_of_memory.hpp"
#include "../model/weights.hpp"
#include "file_tensors.hpp"
#include "merged_weights.hpp"
#include "save_safetensors.hpp"

namespace ctlm { inline namespace CTLM_ABI {

namespace save_detail {

inline tensor_to_save described(const file_tensor& t, safetensors_type type) {
  tensor_to_save described{.name = t.name.c_str(), .type = type};
  described.rank = t.rank();
  for (std::size_t i = 0; i < t.rank(); ++i) described.dimensions[i] = t.dimension(i);
  return described;
}

/// The numbers of a tensor, row after row of the file.
template <class Weights>
result<void> put_vector(const Weights& weights, const file_tensor& t, safetensors_writer& out) {
  using number = std::remove_const_t<typename Weights::real>;
  const number* const from = weights.raw_vector(t.ours->index()) + t.our_number();
  std::vector<number> numbers(from, from + t.count);
  if (t.origin->plus_one)
    for (number& x : numbers) x -= 1;
  return out.put(static_cast<const number*>(numbers.data()), numbers.size());
}
template <class Weights>
result<void> put_matrix(const Weights& weights, const file_tensor& t, safetensors_writer& out) {
  using format = typename Weights::format;
  using number = typename format::compute;
  const auto& matrix = weights.raw_matrix(t.ours->index());
  std::vector<number> row(t.cols());
  for (std::size_t r = 0; r < t.rows(); ++r) {
    format::decode(matrix, t.our_row(r), 0, t.cols(), row.data());
    if (const auto done = out.put(static_cast<const number*>(row.data()), row.size()); !done) return done;
  }
  return {};
}
template <class Weights>
result<void> put_transposed(const Weights& weights, const file_tensor& t, safetensors_writer& out) {
  using format = typename Weights::format;
  using number = typename format::compute;
  const auto& matrix = weights.raw_matrix(t.ours->index());
  std::vector<number> row(t.cols()), columns(t.cols() * t.rows());
  for (std::size_t r = 0; r < t.rows(); ++r) {
    format::decode(matrix, t.our_row(r), 0, t.cols(), row.data());
    for (std::size_t c = 0; c < t.cols(); ++c) columns[c * t.rows() + r] = row[c];
  }
  return out.put(static_cast<const number*>(columns.data()), columns.size());
}
template <class Weights>
result<void> put_tensor(const Weights& weights, const file_tensor& t, safetensors_writer& out) {
  if (!t.ours->is_matrix()) return put_vector(weights, t, out);
  return t.origin->transposed ? put_transposed(weights, t, out) : put_matrix(weights, t, out);
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
    const tensor_names names = hugging_face_names(shape, has_fused_tensors(shape));
    const char* const prefix = shape.position == position_kind::learned ? "transformer." : "";
    const auto all = file_tensors(weight_views<Shape, F>::tensors, shape, names, prefix);
    std::vector<tensor_to_save> tensors;
    for (const file_tensor& t : all) tensors.push_back(save_detail::described(t, type));
    const safetensors_note note[] = {{"format", "pt"}};
    return save_safetensors(
        path, tensors,
        [&](std::size_t i, safetensors_writer& out) { return save_detail::put_tensor(weights, all[i], out); }, note);
  });
}

/// The same of a model with factored projections: their products are multiplied out, in memory that is taken for it.
template <class Whole, class Factors, class F>
result<void> save_weights(const char* path, const weight_views<factored_shape<Whole, Factors>, F>& weights,
                          safetensors_type type = safetensors_type::f32) {
  return with_merged(weights, [&](const auto& merged) { return save_weights(path, merged, type); });
}

}}  // namespace ctlm
