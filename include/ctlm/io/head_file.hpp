// SPDX-License-Identifier: MIT
// ctlm: the weights of a head of its own (classification, regression) as a file of safetensors. A program that keeps
// heads includes this file by name.
#pragma once

#include "../model/head_weights.hpp"
#include "remember.hpp"
#include "safetensors.hpp"
#include "save_safetensors.hpp"

namespace ctlm { inline namespace CTLM_ABI {

namespace head_file_detail {

/// A vector has one dimension in files.
constexpr std::size_t dimensions_of(const head_tensor& t) { return t.is_matrix || t.rows > 1 ? 2 : 1; }

inline failure named(const char* what, span<const char> name, std::size_t needed = 0, std::size_t had = 0) {
  return {errc::wrong_model, what, 0, needed, had, remember(name)};
}

/// The tensor that is to be tensor number i of a head.
inline result<const stored_tensor*> tensor_of(const safetensors_file& file, const head_tensor& t) {
  const span<const char> name(t.name, std::string_view(t.name).size());
  const stored_tensor* const found = file.find(name);
  if (found == nullptr) return named("ctlm: there is no {name} in this file, which the head needs", name);
  const std::size_t dimensions = dimensions_of(t);
  if (found->rank != dimensions)
    return named("ctlm: {name} of this file has {had} dimensions, the head's has {needed}", name, dimensions,
                 found->rank);
  if (dimensions == 2 && found->dimensions[0] != t.rows)
    return named("ctlm: {name} of this file is for {had} outputs, the head has {needed}", name, t.rows,
                 found->dimensions[0]);
  if (found->dimensions[dimensions - 1] != t.cols)
    return named("ctlm: {name} of this file has rows of {had} numbers, the head's have {needed}", name, t.cols,
                 found->dimensions[dimensions - 1]);
  return found;
}

/// Whether what the file says of its head, if it says something, is so.
template <class H>
result<void> check_notes(const safetensors_file& file) {
  const json::value kind = file.metadata().find("head"), pooling = file.metadata().find("pooling");
  if (kind && !kind.equals(H::name))
    return failure{errc::wrong_model, "ctlm: the head of this file is of another kind than {name}", 0, 0, 0, H::name};
  if (pooling && !pooling.equals(H::pooling::name))
    return failure{errc::wrong_model,
                   "ctlm: the head of this file makes a vector of a sequence in another way than this one, whose is "
                   "{name}",
                   0,
                   0,
                   0,
                   H::pooling::name};
  return {};
}

}  // namespace head_file_detail

/// Writes a head's weights to `path`, a file of safetensors: a trainer's head(), or one that was loaded. The file has
/// the tensors that H::tensors names, score.weight [outputs][d_model] and score.bias [outputs] of those that are here,
/// and says which head it is and how it pools. Errors: those of save_safetensors.
template <sequence_head H, std::size_t D, class T>
result<void> save_head(const char* path, const basic_head_weights<H, D, T>& head) {
  constexpr head_tensors tensors = H::tensors(D);
  constexpr auto type = sizeof(T) == 8 ? safetensors_type::f64 : safetensors_type::f32;
  tensor_to_save all[head_tensors::most];
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const head_tensor& t = tensors[i];
    const std::size_t dimensions = head_file_detail::dimensions_of(t);
    all[i] = {t.name, type, dimensions, {dimensions == 2 ? t.rows : t.cols, t.cols}};
  }
  const safetensors_note notes[] = {{"format", "pt"}, {"head", H::name}, {"pooling", H::pooling::name}};
  return save_safetensors(
      path, span<const tensor_to_save>(all, tensors.size()),
      [&](std::size_t i, safetensors_writer& out) { return out.put(head[i].data(), head[i].size()); }, notes);
}

/// Fills a head with the numbers of an open file, of any type that safetensors has. Everything is checked before a
/// number is written. Errors: errc::wrong_model for a tensor that is missing, of another shape or that the head does
/// not have, and for another kind of head or of pooling, where the file says which it has.
template <sequence_head H, std::size_t D, class T>
result<void> read_head(const safetensors_file& file, const basic_head_weights<H, D, T>& head) {
  using namespace head_file_detail;
  return or_out_of_memory("ctlm: there is not enough memory to read this head", [&]() -> result<void> {
    constexpr head_tensors tensors = H::tensors(D);
    if (const auto r = check_notes<H>(file); !r) return r;
    const stored_tensor* found[head_tensors::most]{};
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      const auto t = tensor_of(file, tensors[i]);
      if (!t) return t.error();
      found[i] = *t;
    }
    for (const stored_tensor& t : file.tensors()) {
      bool known = false;
      for (std::size_t i = 0; i < tensors.size(); ++i) known = known || found[i] == &t;
      if (!known) return named("ctlm: this head has no place for {name} of this file", t.name);
    }
    for (std::size_t i = 0; i < tensors.size(); ++i) found[i]->decode(0, head[i].size(), head[i].data());
    return {};
  });
}

/// The same of the file at `path`: into memory of the caller's, or, before the first step, into a trainer's head().
/// Errors: those of safetensors_file::open too.
template <sequence_head H, std::size_t D, class T>
result<void> load_head(const char* path, const basic_head_weights<H, D, T>& head) {
  const auto file = safetensors_file::open(path);
  if (!file) return file.error();
  return read_head(*file, head);
}

}}  // namespace ctlm
