// SPDX-License-Identifier: MIT
// ctlm: the weights of a model from any file of tensors: what is there is compared with what the model has, and then
// converted row by row, by all threads of an executor.
#pragma once

#include "../core/executor.hpp"
#include "../memory/out_of_memory.hpp"
#include "../model/quantise.hpp"
#include "remember.hpp"
#include "stored_tensor.hpp"
#include "tensor_names.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace ctlm { inline namespace CTLM_ABI {

/// Everything that is wrong with the tensors of a file, a line each; for people.
struct tensor_report {
  std::string text;         ///< "model.norm.weight is missing", ...
  std::size_t missing = 0;  ///< tensors that the model has and the file has not
  std::size_t extra = 0;    ///< tensors of the file that the model has no place for
  std::size_t shapes = 0;   ///< tensors of another shape
  std::string first;        ///< the name in the first line

  /// How many lines there are.
  std::size_t count() const { return missing + extra + shapes; }
  /// A line: a tensor, and what is wrong with it.
  void add(std::string_view name, const std::string& what) {
    if (count() == 0) first = name;
    text.append(name).append(" ").append(what).append("\n");
  }
};

namespace load_detail {

inline std::string name_of_layer(const char* pattern, std::size_t layer, const char* prefix) {
  std::string name = prefix;
  for (const char* p = pattern; *p != '\0'; ++p) *p == '#' ? name += std::to_string(layer) : name += *p;
  return name;
}
inline std::string spelt(const stored_tensor& t) {
  std::string s = "[";
  for (std::size_t i = 0; i < t.rank; ++i) s.append(i == 0 ? "" : ", ").append(std::to_string(t.dimensions[i]));
  return s.append("]");
}

/// One tensor of the file, and the rows of ours that it becomes.
struct piece {
  const stored_tensor* from = nullptr;
  const tensor_info* to = nullptr;
  const tensor_origin* origin = nullptr;
  std::size_t first_row = 0;    // among all layers' rows
  std::size_t rows = 0;         // a vector is a row
  std::size_t paired_head = 0;  // numbers of a head whose rows are paired in the file; 0: they are not
  std::size_t first_col = 0;    // of a vector that is made of several
  std::size_t cols = 0;
};

/// Does the tensor have this shape, or, of a vector, this length?
inline bool has_shape(const stored_tensor& t, bool matrix, std::size_t rows, std::size_t cols) {
  if (!matrix) return t.count() == cols && (t.rank == 1 || (t.rank == 2 && t.dimensions[0] == 1));
  return t.rank == 2 && t.dimensions[0] == rows && t.dimensions[1] == cols;
}

/// The words for one that does not.
inline std::string misfit(const stored_tensor& t, bool matrix, std::size_t rows, std::size_t cols) {
  std::string words = "has the shape ";
  words.append(spelt(t)).append(", and the model needs [");
  if (matrix) words.append(std::to_string(rows)).append(", ");
  return words.append(std::to_string(cols)).append("]");
}

/// Names that files have although nothing is computed with them.
inline bool is_ignored(std::string_view name, bool tied) {
  auto ends = [&](std::string_view end) {
    return name.size() >= end.size() && name.substr(name.size() - end.size()) == end;
  };
  return (tied && ends("lm_head.weight")) || ends(".rotary_emb.inv_freq") || ends(".attn.bias") ||
         ends(".attn.masked_bias") || name == "rope_freqs.weight";
}

/// Finds the pieces of all tensors; what does not fit goes to the report.
template <class Source>
std::vector<piece> find_pieces(const Source& source, const tensor_table& table, const decoder_shape& shape,
                               const tensor_names& names, const char* prefix, tensor_report& report) {
  std::vector<piece> pieces;
  std::vector<const stored_tensor*> known;
  for (const tensor_info& t : table) {
    const tensor_origin& origin = names.of(t.id);
    for (std::size_t layer = 0; layer < t.layers; ++layer) {
      std::size_t done = 0;
      for (std::size_t part = 0; part < origin.count(); ++part) {
        const std::size_t all = t.is_matrix() ? t.rows : t.cols;
        const std::size_t n = origin.rows[part] == nullptr ? all : origin.rows[part](shape);
        const bool is_head = t.id == tensor_id::head_weight;
        const std::string name = name_of_layer(origin.parts[part], layer, is_head ? "" : prefix);
        const stored_tensor* from = source.find(span<const char>(name));
        std::size_t rows = t.is_matrix() ? n : 1, cols = t.is_matrix() ? t.cols : n;
        if (from != nullptr) known.push_back(from);
        if (from == nullptr) {
          report.add(name, "is missing");
          ++report.missing;
        } else if (!has_shape(*from, t.is_matrix(), origin.transposed ? cols : rows, origin.transposed ? rows : cols)) {
          report.add(name,
                     misfit(*from, t.is_matrix(), origin.transposed ? cols : rows, origin.transposed ? rows : cols));
          ++report.shapes;
        } else {
          pieces.push_back({from, &t, &origin, t.is_matrix() ? layer * t.rows + done : layer, rows,
                            origin.paired[part] ? shape.head_dim : 0, t.is_matrix() ? 0 : done, cols});
        }
        done += n;
      }
    }
  }
  std::sort(known.begin(), known.end());
  for (const stored_tensor& t : source.tensors()) {
    const std::string_view name{t.name.data(), t.name.size()};
    if (std::binary_search(known.begin(), known.end(), &t) || is_ignored(name, shape.tie_embeddings)) continue;
    report.add(name, "is not of this model");
    ++report.extra;
  }
  return pieces;
}

/// The numbers of a tensor, transposed.
inline std::vector<float> transposed(const stored_tensor& t) {
  const std::size_t rows = t.dimensions[0], cols = t.dimensions[1];
  std::vector<float> numbers(rows * cols), row(cols);
  for (std::size_t r = 0; r < rows; ++r) {
    t.decode(r * cols, cols, row.data());
    for (std::size_t c = 0; c < cols; ++c) numbers[c * rows + r] = row[c];
  }
  return numbers;
}

/// The row of the file that becomes row r of a piece.
inline std::size_t row_in_file(const piece& p, std::size_t r) {
  if (p.paired_head == 0) return r;
  const std::size_t half = p.paired_head / 2, i = r % p.paired_head;
  return r - i + i % half * 2 + i / half;
}

/// Converts one piece of a matrix.
template <class Weights, class E>
void load_rows(const Weights& weights, const piece& p, E& exec) {
  using stored_format = typename Weights::format;
  using real = typename stored_format::compute;
  const auto& matrix = weights.raw_matrix(p.to->index());
  std::vector<float> turned;
  if (p.origin->transposed) turned = transposed(*p.from);
  parallel_for(exec, p.rows, larger(1, 65536 / p.cols), [&](std::size_t first, std::size_t count, std::size_t) {
    std::vector<float> row(p.cols);
    std::vector<real> wide(std::is_same_v<real, float> ? 0 : p.cols);
    for (std::size_t r = first; r < first + count; ++r) {
      const float* numbers = row.data();
      if (p.origin->transposed)
        numbers = turned.data() + r * p.cols;
      else
        p.from->decode(row_in_file(p, r) * p.cols, p.cols, row.data());
      if constexpr (std::is_same_v<real, float>) {
        stored_format::encode(matrix, p.first_row + r, numbers);
      } else {
        for (std::size_t i = 0; i < p.cols; ++i) wide[i] = static_cast<real>(numbers[i]);
        stored_format::encode(matrix, p.first_row + r, static_cast<const real*>(wide.data()));
      }
    }
  });
}

template <class Weights>
void load_vector(const Weights& weights, const piece& p) {
  std::vector<float> numbers(p.cols);
  p.from->decode(0, p.cols, numbers.data());
  auto* to = weights.raw_vector(p.to->index()) + p.first_row * p.to->cols + p.first_col;
  for (std::size_t i = 0; i < p.cols; ++i)
    to[i] = static_cast<std::remove_reference_t<decltype(*to)>>(numbers[i]) + (p.origin->plus_one ? 1 : 0);
}

}  // namespace load_detail

/// Fills the weights from an open file. Nothing is written unless the file has all tensors of the model, each of the
/// right shape, and no others (errc::wrong_model; `report`, if given, then has a line for everything that is wrong, and
/// nothing of an earlier file). A file's format need not be the weights'. `prefix` stands before all names but the
/// head's.
template <class Shape, format F, tensor_source Source, executor E>
result<void> load_tensors(const Source& source, const tensor_names& names, const char* prefix,
                          const weight_views<Shape, F>& weights, E& exec, tensor_report* report = nullptr) {
  return or_out_of_memory("ctlm: there is no memory for a row of the file", [&]() -> result<void> {
    tensor_report own;
    tensor_report& r = report == nullptr ? own : *report;
    r = {};
    const auto pieces =
        load_detail::find_pieces(source, weight_views<Shape, F>::tensors, Shape::value, names, prefix, r);
    if (r.count() > 0)
      return failure{errc::wrong_model,
                     "ctlm: {had} tensors of the file do not fit the model (it has {needed}); the first is {name}",
                     0,
                     weight_views<Shape, F>::tensors.size(),
                     r.count(),
                     remember(span<const char>(r.first))};
    for (const auto& p : pieces)
      if (p.to->is_matrix())
        load_detail::load_rows(weights, p, exec);
      else
        load_detail::load_vector(weights, p);
    return {};
  });
}

}}  // namespace ctlm
