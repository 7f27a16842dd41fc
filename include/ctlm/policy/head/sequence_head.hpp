// SPDX-License-Identifier: MIT
// ctlm: what a head with weights of its own is: it turns the vector of a sequence into a few numbers, and says what is
// wrong with them. And what these weights are.
#pragma once

#include "../../core/result.hpp"
#include "head.hpp"
#include "pooling.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// One tensor of a head.
struct head_tensor {
  const char* name = "";   ///< in files: of the whole, "score.weight"
  std::size_t rows = 1;    ///< 1 for a bias
  std::size_t cols = 0;    ///< numbers in a row
  bool is_matrix = false;  ///< begins with random numbers and decays; otherwise it begins with zeros and does not

  /// Numbers in it.
  constexpr std::size_t size() const { return rows * cols; }
};
/// All tensors of a head: at most 8.
struct head_tensors {
  static constexpr std::size_t most = 8;  ///< how many there can be
  head_tensor all[most]{};                ///< the tensors; those without numbers are none

  /// How many there are.
  constexpr std::size_t size() const {
    std::size_t n = 0;
    while (n < most && all[n].size() > 0) ++n;
    return n;
  }
  /// Tensor number i.
  constexpr const head_tensor& operator[](std::size_t i) const { return all[i]; }
};

/// The numbers of a head's tensors, or their gradients: views of memory that belongs to somebody else.
template <class T>
struct head_numbers {
  T* data[head_tensors::most]{};  ///< of each tensor, [rows][cols]

  /// Those of tensor number i.
  constexpr T* operator[](std::size_t i) const { return data[i]; }
  constexpr operator head_numbers<const T>() const requires(!std::is_const_v<T>) {
    head_numbers<const T> read;
    for (std::size_t i = 0; i < head_tensors::most; ++i) read.data[i] = data[i];
    return read;
  }
};

/// H::name; H::outputs, how many numbers a sequence becomes; H::pooling, how its rows become a vector;
/// H::target<T>, what is wanted of a sequence, H::targets of them for each, where T are the numbers of arithmetic;
/// H::tensors(d), the head's own weights, for vectors of d numbers. And, for one sequence at a time:
/// - H::forward(backend, weights, d, vector, out): out[outputs] of vector[d];
/// - H::backward(backend, weights, weight_gradients, d, vector, dout, dvector): adds to the gradients of the weights,
///   and writes dvector[d];
/// - H::loss(backend, out, targets, scale): returns the loss, and turns out into scale * its derivatives by them;
/// - H::takes_part(targets): false: this sequence has neither loss nor gradients;
/// - H::problem_of(targets, sequence): what is wrong with them as targets of sequence number `sequence`;
/// - H::is_right(out, targets), which is optional: what accuracy counts.
template <class H>
concept sequence_head = head_policy<H> && has_own_weights<H> && pooling_policy<typename H::pooling> &&
    requires(const float* x, float* y, head_numbers<const float> w, head_numbers<float> g,
             const typename H::template target<float>* targets) {
  typename H::template target<double>;
  { H::outputs } -> std::convertible_to<std::size_t>;
  { H::targets } -> std::convertible_to<std::size_t>;
  { H::tensors(std::size_t{}) } -> std::same_as<head_tensors>;
  H::forward(portable{}, w, std::size_t{}, x, y);
  H::backward(portable{}, w, g, std::size_t{}, x, x, y);
  { H::loss(portable{}, y, targets, 1.0f) } -> std::same_as<float>;
  { H::takes_part(targets) } -> std::same_as<bool>;
  { H::problem_of(targets, std::size_t{}) } -> std::same_as<failure>;
};

}}  // namespace ctlm
