// SPDX-License-Identifier: MIT
// ctlm: the weights of a model from any file of tensors: what is there is compared with what the model has, and then
// converted row by row, by all threads of an executor.
#pragma once

#include "../core/executor.hpp"
#include "../memory/out_of_memory.hpp"
#include "../model/quantise.hpp"
#include "file_tensors.hpp"
#include "remember.hpp"
#include "stored_tensor.hpp"

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

inline std::string spelt(const stored_tensor& t) {
  std::string s = "[";
  for (std::size_t i = 0; i < t.rank; ++i) s.append(i == 0 ? "" : ", ").append(std::to_string(t.dimensions[i]));
  return s.append("]");
}

/// A tensor of the file, and where it goes.
struct piece {
  const stored_tensor* from = nullptr;
  file_tensor to;
};

/// Does the tensor have this shape, or, of a vector, this length?
inline bool fits(const stored_tensor& t, const file_tensor& needed) {
  if (needed.rank() == 1) return t.count() == needed.count && (t.rank == 1 || (t.rank == 2 && t.dimensions[0] == 1));
  bool same = t.rank == needed.rank();
  for (std::size_t i = 0; same && i < t.rank; ++i) same = t.dimensions[i] == needed.dimension(i);
  return same;
}

/// The words for one that does not.
inline std::string misfit(const stored_tensor& t, const file_tensor& needed) {
  std::string words = "has the shape ";
  words.append(spelt(t)).append(", and the model needs [");
  for (std::size_t i = 0; i < needed.rank(); ++i)
    words.append(i == 0 ? "" : ", ").append(std::to_string(needed.dimension(i)));
  return words.append("]");
}

/// Names that files have although nothing is computed with them.
inline bool is_ignored(std::string_view name, bool tied) {
  auto ends = [&](std::string_view end) {
    return name.size() >= end.size() && name.substr(name.size() - end.size()) == end;
  };
  return (tied && ends("lm_head.weight")) || ends(".rotary_emb.inv_freq") || ends(".attn.bias") ||
         ends(".attn.masked_bias") || name == "rope_freqs.weight" || name == "rope_factors_long.weight" ||
         name == "rope_factors_short.weight";
}

/// Finds all tensors of the model; what does not fit goes to the report.
template <class Source>
std::vector<piece> find_pieces(const Source& source, std::vector<file_tensor> needed, bool tied,
                               tensor_report& report) {
  std::vector<piece> pieces;
  std::vector<const stored_tensor*> known;
  for (file_tensor& t : needed) {
    const stored_tensor* const from = source.find(span<const char>(t.name));
    if (from == nullptr) {
      report.add(t.name, "is missing");
      ++report.missing;
      continue;
    }
    known.push_back(from);
    if (fits(*from, t)) {
      pieces.push_back({from, static_cast<file_tensor&&>(t)});
    } else {
      report.add(t.name, misfit(*from, t));
      ++report.shapes;
    }
  }
  std::sort(known.begin(), known.end());
  for (const stored_tensor& t : source.tensors()) {
    const std::string_view name{t.name.data(), t.name.size()};
    if (std::binary_search(known.begin(), known.end(), &t) || is_ignored(name, tied)) continue;
    report.add(name, "is not of this model");
    ++report.extra;
  }
  return pieces;
}

/// Numbers of the file as format F takes them. Those of double precision are rounded once, to what F stores.
template <class F>
void decode_for(const stored_tensor& t, std::size_t first, std::size_t n, typename F::compute* to) {
  constexpr bool rounds_again = plain_format<F> && !native_format<F> && std::is_same_v<typename F::compute, float>;
  if constexpr (rounds_again)
    if (t.encoding->decode_wide != nullptr) {
      std::vector<double> wide(n);
      t.decode(first, n, wide.data());
      for (std::size_t i = 0; i < n; ++i) to[i] = round_to_odd(wide[i]);
      return;
    }
  t.decode(first, n, to);
}

/// The numbers of a tensor, transposed.
template <class F>
std::vector<typename F::compute> transposed(const stored_tensor& t) {
  const std::size_t rows = t.dimensions[0], cols = t.dimensions[1];
  std::vector<typename F::compute> numbers(rows * cols), row(cols);
  for (std::size_t r = 0; r < rows; ++r) {
    decode_for<F>(t, r * cols, cols, row.data());
    for (std::size_t c = 0; c < cols; ++c) numbers[c * rows + r] = row[c];
  }
  return numbers;
}

/// Converts one tensor of a matrix.
template <class Weights, class E>
void load_rows(const Weights& weights, const piece& p, E& exec) {
  using stored_format = typename Weights::format;
  using real = typename stored_format::compute;
  const file_tensor& t = p.to;
  const std::size_t cols = t.cols();
  const bool paired = t.origin->paired[t.part];
  const auto& matrix = weights.raw_matrix(t.ours->index());
  std::vector<real> turned;
  if (t.origin->transposed) turned = transposed<stored_format>(*p.from);
  parallel_for(exec, t.rows(), larger(1, 65536 / cols), [&](std::size_t first, std::size_t count, std::size_t) {
    std::vector<real> row(cols);
    for (std::size_t r = first; r < first + count; ++r) {
      const real* numbers = row.data();
      if (t.origin->transposed)
        numbers = turned.data() + r * cols;
      else
        decode_for<stored_format>(*p.from, (paired ? tensor_origin::paired_row(Weights::shape.head_dim, r) : r) * cols,
                                  cols, row.data());
      stored_format::encode(matrix, t.our_row(r), numbers);
    }
  });
}

/// Gains less 1 become gains before they are rounded.
template <class Weights>
void load_vector(const Weights& weights, const piece& p) {
  using real = typename Weights::real;
  const file_tensor& t = p.to;
  std::vector<double> numbers(t.count);
  p.from->decode(0, t.count, numbers.data());
  real* const to = weights.raw_vector(t.ours->index()) + t.our_number();
  const bool paired = t.origin->paired[t.part];
  for (std::size_t i = 0; i < t.count; ++i) {
    const double x = numbers[paired ? tensor_origin::paired_row(Weights::shape.head_dim, i) : i];
    to[i] = static_cast<real>(x + (t.origin->plus_one ? 1 : 0));
  }
}

}  // namespace load_detail

/// Fills the weights from an open file. Nothing is written unless the file has all tensors of the model, each of the
/// right shape, and no others (errc::wrong_model; `report`, if given, then has a line for everything that is wrong, and
/// nothing of an earlier file). A file's format need not be the weights'. `prefix` stands before all names but the
/// head's.
template <class Shape, format F, tensor_source Source, executor E>
result<void> load_tensors(const Source& source, const tensor_names& names, const char* prefix,
                          const weight_views<Shape, F>& weights, E& exec, tensor_report* report = nullptr) {
  if constexpr (Shape::value.is_factored())
    return failure{errc::unsupported,
                   "ctlm: files have whole matrices: load them into weights of the model without factored<>, of which "
                   "factorise_weights makes these"};
  return or_out_of_memory("ctlm: there is no memory for a row of the file", [&]() -> result<void> {
    tensor_report own;
    tensor_report& r = report == nullptr ? own : *report;
    r = {};
    const auto pieces =
        load_detail::find_pieces(source, file_tensors(weight_views<Shape, F>::tensors, Shape::value, names, prefix),
                                 Shape::value.tie_embeddings, r);
    if (r.count() > 0)
      return failure{errc::wrong_model,
                     "ctlm: {had} tensors of the file do not fit the model (it has {needed}); the first is {name}",
                     0,
                     weight_views<Shape, F>::tensors.size(),
                     r.count(),
                     remember(span<const char>(r.first))};
    for (const auto& p : pieces) {
      if (p.to.ours->is_matrix())
        load_detail::load_rows(weights, p, exec);
      else
        load_detail::load_vector(weights, p);
      if constexpr (requires { source.release(*p.from); }) source.release(*p.from);
    }
    return {};
  });
}

}}  // namespace ctlm
