// SPDX-License-Identifier: MIT
// ctlm: a budget instead of a format: which format each matrix gets, so that the model loses least within so many
// bytes, and the type that says so.
#pragma once

#include "../io/format_spelling.hpp"
#include "../quantise/candidates.hpp"
#include "least_cost.hpp"

#include <cstdio>
#include <string>
#include <string_view>

namespace ctlm { inline namespace CTLM_ABI {

/// A format for each matrix of a model, chosen among `names`.
struct format_plan {
  /// The matrices of one tensor in one format.
  struct line {
    const char* tensor = "";          ///< as ctlm::tensors has it: `qkv`
    std::vector<std::size_t> layers;  ///< which; empty for a matrix that the model has once
    std::size_t format = 0;           ///< its place in `names`
    std::size_t bytes = 0;            ///< of memory, padding included
    double cost = 0;                  ///< by estimate, in nats a token
  };
  std::vector<std::string> names;  ///< of the candidates, as C++ spells them
  std::vector<line> lines;         ///< in the order of the tensors, then of the candidates
  std::size_t vector_bytes = 0;    ///< of gains, biases and routers
  std::size_t weight_bytes = 0;    ///< of everything: exactly weight_bytes of the type
  double cost = 0;                 ///< of everything, by estimate: how far predictions are from the exact ones

  /// What stands in weights<...>: `ctlm::int4<64, ctlm::asymmetric>, ctlm::keep<...>`.
  std::string spelt() const;
  /// The same as ./dev takes it: `int4<64, asymmetric>, keep<...>`.
  std::string option() const;
  /// A line of words for each of `lines`.
  std::string table() const;
};

namespace plan_detail {

/// A tensor's name in ctlm::tensors.
inline const char* selector_of(tensor_id id) {
  const auto last = [](const char* name) { return name + sizeof("ctlm::tensors::") - 1; };
  switch (id) {
    case tensor_id::token_embedding:
      return last(tensors::embedding::name);
    case tensor_id::position_embedding:
      return last(tensors::positions::name);
    case tensor_id::head_weight:
      return last(tensors::head::name);
    case tensor_id::qkv_weight:
      return last(tensors::qkv::name);
    case tensor_id::out_weight:
      return last(tensors::out::name);
    case tensor_id::up_weight:
      return last(tensors::up::name);
    default:
      return last(tensors::down::name);
  }
}

/// Of one tensor: which format most of its layers have, and which lines are exceptions.
struct tensor_lines {
  std::vector<const format_plan::line*> lines;

  const format_plan::line& largest(std::size_t preferred) const {
    const format_plan::line* most = lines.front();
    for (const auto* l : lines) {
      const std::size_t n = l->layers.size(), best = most->layers.size();
      if (n > best || (n == best && l->format == preferred)) most = l;
    }
    return *most;
  }
};

inline std::vector<tensor_lines> by_tensor(const std::vector<format_plan::line>& lines) {
  std::vector<tensor_lines> tensors;
  for (const auto& l : lines) {
    if (tensors.empty() || std::string_view(tensors.back().lines.back()->tensor) != l.tensor) tensors.emplace_back();
    tensors.back().lines.push_back(&l);
  }
  return tensors;
}

inline std::string number_list(const std::vector<std::size_t>& numbers) {
  std::string text;
  for (const std::size_t n : numbers) text.append(text.empty() ? "" : ", ").append(std::to_string(n));
  return text;
}

/// Numbers with their runs drawn together: 0-3, 7.
inline std::string run_list(const std::vector<std::size_t>& numbers) {
  std::string text;
  for (std::size_t i = 0, end; i < numbers.size(); i = end) {
    for (end = i + 1; end < numbers.size() && numbers[end] == numbers[end - 1] + 1;) ++end;
    text.append(text.empty() ? "" : ", ").append(std::to_string(numbers[i]));
    if (end > i + 1) text.append("-").append(std::to_string(numbers[end - 1]));
  }
  return text;
}

inline std::string without_namespace(std::string text) {
  const std::string prefix = "ctlm::";
  for (std::size_t at; (at = text.find(prefix)) != text.npos;) text.erase(at, prefix.size());
  return text;
}

/// The format that most matrices have: of those that most have, the first.
inline std::size_t most_frequent(const std::vector<format_plan::line>& lines, std::size_t formats) {
  std::vector<std::size_t> matrices(formats, 0);
  for (const auto& l : lines) matrices[l.format] += larger(1, l.layers.size());
  return static_cast<std::size_t>(std::max_element(matrices.begin(), matrices.end()) - matrices.begin());
}

}  // namespace plan_detail

// The first keep<> that has a matrix counts. So single layers that differ from most of their tensor come first, then
// tensors as a whole.
inline std::string format_plan::spelt() const {
  using namespace plan_detail;
  const std::size_t usual = most_frequent(lines, names.size());
  std::vector<std::string> first(names.size()), then(names.size());
  for (const tensor_lines& t : by_tensor(lines)) {
    const line& whole = t.largest(usual);
    const std::string name = std::string("ctlm::tensors::") + whole.tensor;
    for (const line* l : t.lines) {
      if (l == &whole) continue;
      first[l->format].append(", ctlm::tensors::both<").append(name);
      first[l->format].append(", ctlm::tensors::layers<").append(number_list(l->layers)).append(">>");
    }
    if (whole.format != usual) (t.lines.size() == 1 ? first : then)[whole.format].append(", ").append(name);
  }
  std::string text = names[usual];
  for (const auto* group : {&first, &then})
    for (std::size_t f = 0; f < names.size(); ++f)
      if (!(*group)[f].empty()) text.append(", ctlm::keep<").append(names[f]).append((*group)[f]).append(">");
  return text;
}

inline std::string format_plan::option() const { return plan_detail::without_namespace(spelt()); }

inline std::string format_plan::table() const {
  std::string text;
  char row[160];
  std::snprintf(row, sizeof row, "%-10s %-24s %12s %11s  %s\n", "matrices", "format", "bytes", "divergence", "layers");
  text += row;
  for (const line& l : lines) {
    std::snprintf(row, sizeof row, "%-10s %-24s %12zu %11.5f", l.tensor,
                  plan_detail::without_namespace(names[l.format]).c_str(), l.bytes, l.cost);
    text.append(row).append(l.layers.empty() ? "" : "  ").append(plan_detail::run_list(l.layers)).append("\n");
  }
  std::snprintf(row, sizeof row, "%-10s %-24s %12zu\n%-10s %-24s %12zu %11.5f\n", "gains etc.", "f32", vector_bytes,
                "all", "", weight_bytes, cost);
  return text.append(row);
}

/// Spends at most `bytes` on the weights of model M: for each matrix one of the candidates, at most `most_formats`
/// different ones, so that the sum of costs [matrices][candidates] is least (sensitivity::costs() has them). More bytes
/// never lead to a larger sum. The same arguments lead to the same plan.
///
/// Errors: invalid_argument for fewer bytes than the weights need in the smallest candidate, with both numbers, for
/// costs of another number, or with some that are negative or not finite.
template <class M, class Candidates = default_candidates>
result<format_plan> plan_formats(span<const double> costs, std::size_t bytes, std::size_t most_formats = 4) {
  using list = matrices_of<typename M::shape_type>;
  constexpr std::size_t formats = Candidates::size;
  if (costs.size() != list::count * formats)
    return failure{errc::invalid_argument,
                   "ctlm: a plan needs {needed} costs, one for each matrix and format, not {had}", 0,
                   list::count * formats, costs.size()};
  cost_table table{list::count, formats, {costs.begin(), costs.end()}, {}};
  format_plan plan;
  for (const tensor_info& t : list::tensors)
    if (!t.is_matrix()) plan.vector_bytes += padded_bytes<float>(t.size());
  for (const tensor_info& t : list::tensors)
    for (std::size_t layer = 0; t.is_matrix() && layer < t.layers; ++layer)
      Candidates::for_each([&]<class F>(std::size_t) { table.bytes.push_back(stacked_bytes<F>(t, 1)); });
  for (std::size_t f = 0; f < formats; ++f) table.bytes[f] += plan.vector_bytes;  // what is there in any case
  const auto chosen = least_cost(table, bytes, most_formats);
  if (!chosen) return chosen.error();

  Candidates::for_each([&]<class F>(std::size_t) { plan.names.push_back(format_spelling<F>::spelt()); });
  plan.cost = chosen->cost;
  plan.weight_bytes = plan.vector_bytes;
  std::size_t number = 0;
  for (const tensor_info& t : list::tensors) {
    if (!t.is_matrix()) continue;
    Candidates::for_each([&]<class F>(std::size_t f) {
      format_plan::line l{plan_detail::selector_of(t.id), {}, f, 0, 0};
      std::size_t layers = 0;
      for (std::size_t layer = 0; layer < t.layers; ++layer) {
        if (chosen->of[number + layer] != f) continue;
        ++layers;
        if (t.is_of_layer()) l.layers.push_back(layer);
        l.cost += costs[(number + layer) * formats + f];
      }
      if (layers == 0) return;
      l.bytes = stacked_bytes<F>(t, layers);
      plan.weight_bytes += l.bytes;
      plan.lines.push_back(std::move(l));
    });
    number += t.layers;
  }
  return plan;
}

}}  // namespace ctlm
