// SPDX-License-Identifier: MIT
// ctlm: the end of a training step: the gradients' norm, clipping, and the optimizer's pass over the weights.
#pragma once

#include "../model/kernel_context.hpp"
#include "../policy/optimizer/optimizer.hpp"
#include "groups.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Of what type a number of state for each weight of M is: as the weights, unless M says otherwise.
template <class M>
struct state_views {
  using type = typename M::weights;  ///< the type
};
template <class M>
requires requires { typename M::state; }
struct state_views<M> {
  using type = typename M::state;
};

/// Owns the optimizer's state. Work is cut into chunks of fixed size, so that the threads' number changes no bit.
template <class M, optimizer_policy Optimizer>
class weight_update {
  using real = typename M::real;
  using weights_type = typename M::weights;
  using state_type = typename state_views<M>::type;
  static constexpr std::size_t chunk = 16384;         // weights per task
  static constexpr std::size_t stretch = 64 * chunk;  // weights whose state is in memory at once

 public:
  /// Bytes of the optimizer's state.
  static constexpr std::size_t state_bytes = Optimizer::moments * state_type::bytes_needed();

  /// Asks state_arena for the optimizer's state and `a` for scratch.
  template <class A, class S>
  constexpr void place(A& a, S& state_arena) {
    for (std::size_t i = 0; i < Optimizer::moments; ++i) moments_[i].place(state_arena);
    partials_ = a.template allocate<double>(partial_sums());
  }
  /// The state's arena is told what will not be needed for a while.
  constexpr void release_to(release_hook hook) { release_ = hook; }

  /// Zeros for those gradients that are only ever added to; the others begin with the first micro-batch's.
  template <class Context>
  static constexpr void clear(Context& c, const weights_type& g) {
    for (const tensor_info& t : M::tensors) {
      const bool is_head = M::shape.tie_embeddings && t.id == tensor_id::token_embedding;
      if (t.is_matrix() && (t.role != tensor_role::embedding || is_head)) continue;
      real* const numbers = g.numbers(t).data();
      parallel_for(*c.exec, t.size(), chunk,
                   [&](std::size_t first, std::size_t n, std::size_t) { ctlm::clear(n, numbers + first); });
    }
  }

  /// The Euclidean norm of all gradients. Chunks are summed in parallel, then their sums in order.
  template <class Context>
  constexpr double norm(Context& c, const weights_type& gradients) {
    std::size_t base = 0;
    for (const tensor_info& t : M::tensors) {
      const real* g = gradients.numbers(t).data();
      parallel_for(*c.exec, t.size(), chunk, [&](std::size_t first, std::size_t n, std::size_t) {
        for (std::size_t i = 0; i < n; i += chunk) {
          const real s = sum(
              c.backend, smaller(chunk, n - i), [](const auto& v) { return v * v; }, g + first + i);
          partials_[base + (first + i) / chunk] = static_cast<double>(s);
        }
      });
      base += ceil_div(t.size(), chunk);
    }
    double total = 0;
    for (std::size_t i = 0; i < base; ++i) total += partials_[i];
    return math::sqrt(total);
  }

  /// One pass of the optimizer over all weights, or over all but matrices; matrices and routers decay, vectors do not.
  template <bool matrices, class Context>
  constexpr void apply(Context& c, const weights_type& weights, const weights_type& gradients,
                       const typename Optimizer::options& o, update u) {
    for (const tensor_info& t : M::tensors) {
      if (!matrices && t.is_matrix()) continue;
      u.decay = t.decays();
      for (std::size_t from = 0; from < t.size(); from += stretch) {
        const std::size_t count = smaller(stretch, t.size() - from);
        parallel_for(*c.exec, count, chunk, [&](std::size_t first, std::size_t n, std::size_t) {
          real* moments[Optimizer::moments + 1]{};
          for (std::size_t i = 0; i < Optimizer::moments; ++i)
            moments[i] = moments_[i].numbers(t).data() + from + first;
          Optimizer::apply(c.backend, n, weights.numbers(t).data() + from + first,
                           static_cast<const real*>(gradients.numbers(t).data()) + from + first, moments, o, u);
        });
        if (release_)
          for (std::size_t i = 0; i < Optimizer::moments; ++i)
            release_(moments_[i].numbers(t).data() + from, count * sizeof(real));
      }
    }
  }

  /// The same with groups of weights, which learn as their options say: a layer at a time.
  template <bool matrices, class Groups, class Context>
  constexpr void apply(Context& c, const weights_type& weights, const weights_type& gradients,
                       const typename Optimizer::options& o, update u, const typename Groups::options& groups) {
    for (const tensor_info& t : M::tensors) {
      if (!matrices && t.is_matrix()) continue;
      u.decay = t.decays();
      const std::size_t size = t.rows * t.cols;
      for (std::size_t layer = 0; layer < t.layers; ++layer) {
        const auto own = in_group<Groups, Optimizer, M::shape.is_factored()>(t, layer, o, u, groups);
        parallel_for(*c.exec, size, chunk, [&](std::size_t begin, std::size_t n, std::size_t) {
          const std::size_t first = layer * size + begin;
          real* moments[Optimizer::moments + 1]{};
          for (std::size_t i = 0; i < Optimizer::moments; ++i) moments[i] = moments_[i].numbers(t).data() + first;
          Optimizer::apply(c.backend, n, weights.numbers(t).data() + first,
                           static_cast<const real*>(gradients.numbers(t).data()) + first, moments, own.options,
                           own.step);
        });
        if (release_)
          for (std::size_t i = 0; i < Optimizer::moments; ++i)
            release_(moments_[i].numbers(t).data() + layer * size, size * sizeof(real));
      }
    }
  }

  /// f(name, data, bytes) for the state that a resumed run needs.
  template <class F>
  void for_each_state(F&& f) {
    constexpr const char* names[] = {"moment1", "moment2", "moment3"};
    for (std::size_t i = 0; i < Optimizer::moments; ++i)
      f(names[i], static_cast<void*>(moments_[i].bytes().data()), moments_[i].bytes().size());
  }

 private:
  static constexpr std::size_t partial_sums() {
    std::size_t n = 0;
    for (const tensor_info& t : M::tensors) n += ceil_div(t.size(), chunk);
    return n;
  }

  state_type moments_[larger(1, Optimizer::moments)]{};
  double* partials_ = nullptr;  // [partial_sums] squares of the gradients, a chunk each
  release_hook release_{};
};

}}  // namespace ctlm
