// SPDX-License-Identifier: MIT
// ctlm: embeddings multiplied by sqrt(d_model) (Gemma). Models without pay nothing.
#pragma once

#include "../kernels/ops.hpp"
#include "../spec/decoder.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Rows of embeddings, or of their gradients, by the factor that the model gives them.
template <class M, class Context, class T>
constexpr void scale_embeddings([[maybe_unused]] Context& c, [[maybe_unused]] std::size_t rows, [[maybe_unused]] T* x) {
  if constexpr (M::shape.scaled_embeddings)
    scale_rows(c.backend, *c.exec, rows * M::shape.d_model, math::sqrt(static_cast<T>(M::shape.d_model)), x);
}

}}  // namespace ctlm
