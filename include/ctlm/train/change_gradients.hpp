// SPDX-License-Identifier: MIT
// ctlm: what a clip<> policy does to all gradients of a model.
#pragma once

#include "../model/kernel_context.hpp"
#include "../policy/clip/clip.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Applies the policy to every tensor of every layer of M, each a task. `norm` is that of all gradients.
template <class M, clip_policy Clip, class Context>
constexpr void change_gradients(Context& c, const typename M::weights& gradients, double norm,
                                const typename Clip::options& o) {
  std::size_t tasks = 0;
  for (const tensor_info& t : M::tensors) tasks += t.layers;
  parallel_for(*c.exec, tasks, 1, [&](std::size_t task, std::size_t, std::size_t) {
    for (const tensor_info& t : M::tensors) {
      const std::size_t n = t.rows * t.cols;
      if (task < t.layers) return Clip::apply(c.backend, n, gradients.numbers(t).data() + task * n, norm, o);
      task -= t.layers;
    }
  });
}

}}  // namespace ctlm
