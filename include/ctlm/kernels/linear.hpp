// SPDX-License-Identifier: MIT
// ctlm: y = x W^T + bias for weights in any format; W is stored [outputs][inputs].
#pragma once

#include "../format/compute.hpp"
#include "matmul.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Scratch of linear(), as large as the largest linear layer of a model needs it.
template <class Backend, format F, compute_policy C>
struct linear_workspace {
  using real = typename F::compute;

  real* panels = nullptr;  // [workers][panel_stride] workspace of the matrix product
  std::size_t panel_stride = 0;
  real* decoded = nullptr;  // [workers][decoded_rows][max_inputs] rows of W, where the format has to be decoded
  std::size_t decoded_stride = 0;
  std::size_t decoded_rows = 1;  // rows of W decoded at once
  quantised_rows activations{};  // [max_rows] quantised activations

  static constexpr bool integer = std::same_as<C, dynamic_int8>;
  static constexpr std::size_t few_rows = 4;  // with fewer rows of x, rows of W are decoded one by one

  template <class A>
  static constexpr linear_workspace place(A& a, std::size_t max_rows, std::size_t max_outputs, std::size_t max_inputs,
                                          std::size_t workers) {
    linear_workspace ws;
    if constexpr (!integer) {
      const std::size_t columns = plain_format<F> ? max_outputs : gemm_panel<real>(Backend{});
      ws.panel_stride = gemm_workspace<real>(Backend{}, max_rows, columns, max_inputs);
      ws.panels = a.template allocate<real>(workers * ws.panel_stride);
    }
    if constexpr (integer) {
      ws.activations.codes = a.template allocate<std::int8_t>(max_rows * round_up(max_inputs, code_chunk));
      ws.activations.scales = a.template allocate<float>(max_rows * input_groups<F>(max_inputs));
      ws.activations.sums = a.template allocate<std::int32_t>(max_rows * input_groups<F>(max_inputs));
    } else if constexpr (!plain_format<F>) {
      ws.decoded_rows = max_rows < few_rows ? 1 : gemm_panel<real>(Backend{});
      ws.decoded_stride = ws.decoded_rows * max_inputs;
      ws.decoded = a.template allocate<real>(workers * ws.decoded_stride);
    }
    return ws;
  }
};

/// What a linear layer adds to its product; any part may be missing. `residual` [m][n] may be y itself.
template <class T>
struct linear_terms {
  const T* bias = nullptr;
  const T* residual = nullptr;

  /// y += bias + residual, in rows [row, row + rows) and columns [column, column + columns) of y [m][n]. Where residual
  /// is y itself, the product has added to it already.
  template <class Backend>
  constexpr void add(Backend backend, std::size_t n, std::size_t row, std::size_t rows, std::size_t column,
                     std::size_t columns, T* y) const {
    const T* const apart = residual == y ? nullptr : residual;
    if (bias == nullptr && apart == nullptr) return;
    auto sum = [](auto& out, const auto& x) { out += x; };
    for (std::size_t i = row; i < row + rows; ++i) {
      T* const out = y + i * n + column;
      if (bias != nullptr) elementwise(backend, columns, sum, out, bias + column);
      if (apart != nullptr) elementwise(backend, columns, sum, out, apart + i * n + column);
    }
  }
};

/// Writes or adds the results of one stripe and one token. All rows of a stripe, the common case, have a loop of their
/// own: the compiler knows its length.
constexpr void put_row(std::size_t rows, const float* values, float* y, bool accumulate) {
  auto put = [&](std::size_t count) {
    if (accumulate)
      for (std::size_t r = 0; r < count; ++r) y[r] += values[r];
    else
      for (std::size_t r = 0; r < count; ++r) y[r] = values[r];
  };
  rows == stripe_rows ? put(stripe_rows) : put(rows);
}

/// Rows of W that one task takes: enough to be worth waking a thread for. Where there are not enough for two tasks, one
/// takes them all.
constexpr std::size_t rows_per_task(std::size_t rows, std::size_t inputs, std::size_t m) {
  const std::size_t least = larger(8, round_up(parallel_threshold / 4 / larger(1, inputs * m), 8));
  return rows < 2 * least ? larger(1, rows) : least;
}

// linear(backend, exec, m, x, w, terms, y, workspace): y[m][n] = x[m][k] W^T + terms, for a view w of a matrix W[n][k]
// in any format. Another kind of matrix (an adapted one, say) is another overload.

/// Formats that products read in place.
template <class Backend, executor E, matrix_view W, class T, class Workspace>
requires plain_format<typename W::format>
constexpr void linear(Backend backend, E& exec, std::size_t m, const T* x, const W& w, const linear_terms<T>& terms,
                      T* y, Workspace& ws) {
  const std::size_t n = w.rows, k = w.cols;
  matmul(backend, exec, m, n, k, row_major(x, k), row_major(w.data, k).transposed(), y, n, terms.residual == y,
         ws.panels, ws.panel_stride, [&](std::size_t row, std::size_t rows, std::size_t column, std::size_t columns) {
           terms.add(backend, n, row, rows, column, columns, y);
         });
}

/// Integer weights times activations quantised as they come, sixteen rows of W at a time.
template <class Backend, executor E, matrix_view W, format Any>
requires quantised_format<typename W::format>
constexpr void linear(Backend backend, E& exec, std::size_t m, const float* x, const W& w,
                      const linear_terms<float>& terms, float* y, linear_workspace<Backend, Any, dynamic_int8>& ws) {
  using F = typename W::format;
  constexpr std::size_t tile = stripe_tokens(Backend{});
  const bool accumulate = terms.residual == y;
  const std::size_t n = w.rows, k = w.cols;
  quantised_rows& q = ws.activations;
  q.code_stride = round_up(k, code_chunk);
  q.groups = input_groups<F>(k);
  parallel_for(exec, m, larger(1, 16384 / k), [&](std::size_t first, std::size_t count, std::size_t) {
    for (std::size_t i = first; i < first + count; ++i) quantise_row(backend, F{}, k, x + i * k, q.row(i));
  });
  const std::size_t grain = ceil_div(rows_per_task(n, k, m), stripe_rows);
  parallel_for(exec, ceil_div(n, stripe_rows), grain, [&](std::size_t first, std::size_t count, std::size_t) {
    for (std::size_t stripe = first; stripe < first + count; ++stripe) {
      const std::size_t row = stripe * stripe_rows, rows = smaller(stripe_rows, n - row);
      for (std::size_t i = 0; i < m; i += tile) {
        float out[tile * stripe_rows];
        const std::size_t tokens = smaller(tile, m - i);
        quantised_stripe(backend, F{}, w, stripe, tokens, q.row(i), out);
        for (std::size_t t = 0; t < tokens; ++t)
          put_row(rows, out + t * stripe_rows, y + (i + t) * n + row, accumulate);
      }
      terms.add(backend, n, 0, m, row, rows, y);
    }
  });
}

/// Integer weights times activations as they are: rows of W are decoded first, some at a time.
template <class Backend, executor E, matrix_view W, format Any>
requires quantised_format<typename W::format>
constexpr void linear(Backend backend, E& exec, std::size_t m, const float* x, const W& w,
                      const linear_terms<float>& terms, float* y, linear_workspace<Backend, Any, decoded>& ws) {
  using F = typename W::format;
  const bool accumulate = terms.residual == y;
  const std::size_t n = w.rows, k = w.cols;
  const std::size_t most = m < ws.few_rows ? 1 : ws.decoded_rows;
  const std::size_t grain = round_up(rows_per_task(n, k, m), most);
  parallel_for(exec, n, grain, [&](std::size_t first, std::size_t count, std::size_t worker) {
    float* rows = ws.decoded + worker * ws.decoded_stride;
    float* panel = ws.panels + worker * ws.panel_stride;
    for (std::size_t j = first; j < first + count; j += most) {
      const std::size_t size = smaller(most, first + count - j);
      decode_rows(backend, F{}, w, j, size, rows);
      if (most > 1) {
        gemm(backend, m, size, k, row_major(x, k), row_major<float>(rows, k).transposed(), y + j, n, accumulate, panel);
      } else {
        dot_products(backend, m, 1, k, x, k, rows, k, y + j, n, accumulate);
      }
    }
    terms.add(backend, n, 0, m, first, count, y);
  });
}

/// dx[m][k] = dy[m][n] W (or += where accumulate). W may be stored in 16 bits.
template <class Backend, executor E, class T, matrix_view W, class Workspace>
requires plain_format<typename W::format>
constexpr void linear_backward_input(Backend backend, E& exec, std::size_t m, const T* dy, const W& w, T* dx,
                                     bool accumulate, Workspace& ws) {
  matmul(backend, exec, m, w.cols, w.rows, row_major(dy, w.rows), row_major(w.data, w.cols), dx, w.cols, accumulate,
         ws.panels, ws.panel_stride);
}
/// dW[n][k] = dy^T x (or += where accumulate), and dbias[n] += column sums of dy if it is not nullptr. x may be stored
/// in 16 bits.
template <class Backend, executor E, class T, class Input, matrix_view G, class Workspace>
requires native_format<typename G::format>
constexpr void linear_backward_weight(Backend backend, E& exec, std::size_t m, const T* dy, const Input* x, const G& dw,
                                      bool accumulate, T* dbias, Workspace& ws) {
  const std::size_t n = dw.rows, k = dw.cols;
  matmul(backend, exec, n, k, m, row_major(dy, n).transposed(), row_major(x, k), dw.data, k, accumulate, ws.panels,
         ws.panel_stride);
  if (dbias == nullptr) return;
  parallel_for(exec, n, 256, [&](std::size_t first, std::size_t count, std::size_t) {
    for (std::size_t i = 0; i < m; ++i)
      elementwise(
          backend, count, [](auto& sum, const auto& d) { sum += d; }, dbias + first, dy + i * n + first);
  });
}

}}  // namespace ctlm
