// SPDX-License-Identifier: MIT
// ctlm: what an optimizer remembers of whole matrices, as what it would remember of their factors.
#pragma once

#include "../model/factorise_weights.hpp"
#include "../policy/optimizer/optimizer.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// How many numbers of an optimizer's state are carried over: all of each weight; none of a state that is of its own
/// kind, which begins again.
template <optimizer_policy O>
inline constexpr std::size_t carried_moments = [] {
  if constexpr (stack_optimizer<O>)
    return std::size_t{0};
  else
    return std::size_t{O::moments};
}();

/// Whether an optimizer says what all of those are.
template <optimizer_policy O>
inline constexpr bool says_moment_kinds = [] {
  constexpr std::size_t n = carried_moments<O>;
  if constexpr (requires { O::moment_kinds[0]; })
    return sizeof O::moment_kinds == n * sizeof(moment_kind);
  else
    return n == 0;
}();

/// What number i is.
template <optimizer_policy O>
constexpr moment_kind kind_of_moment([[maybe_unused]] std::size_t i) {
  if constexpr (requires { O::moment_kinds[0]; })
    return O::moment_kinds[i];
  else
    return moment_kind::other;
}

namespace carry_detail {

/// Of W = U V, with s and d of ones: a mean of W's gradients, g, to means of those of the factors.
template <bool squares, class Backend, class E, class W, class G, class To>
constexpr void carry(Backend backend, E& exec, const W& w, const G& g, const To& to) {
  using T = std::remove_cvref_t<decltype(*to.s)>;
  const std::size_t n = w.u.rows, k = w.v.cols, rank = w.rank;
  parallel_for(exec, n, larger(1, 65536 / (k * rank)), [&](std::size_t first, std::size_t count, std::size_t) {
    for (std::size_t j = first; j < first + count; ++j)
      for (std::size_t r = 0; r < rank; ++r)
        to.u.data[j * rank + r] = sum(
            backend, k,
            [](const auto& x, const auto& v) {
              if constexpr (squares)
                return x * (v * v);
              else
                return x * v;
            },
            static_cast<const T*>(g.data) + j * k, static_cast<const T*>(w.v.data) + r * k);
  });
  parallel_for(exec, rank, 1, [&](std::size_t first, std::size_t count, std::size_t) {
    for (std::size_t r = first; r < first + count; ++r) {
      T* const row = to.v.data + r * k;
      for (std::size_t i = 0; i < k; ++i) row[i] = 0;
      for (std::size_t j = 0; j < n; ++j) {
        const T u = w.u.data[j * rank + r], factor = squares ? u * u : u;
        elementwise(
            backend, k, [=](auto& out, const auto& x) { out += x * factor; }, row,
            static_cast<const T*>(g.data) + j * k);
      }
    }
  });
  // In registers as well: whether a compiler merges the products of a loop with its sum, and so the last bit, may
  // depend on what it is inlined into.
  constexpr auto weighted = [](const auto& u, const auto& x) {
    if constexpr (squares)
      return u * u * x;
    else
      return u * x;
  };
  for (std::size_t r = 0; r < rank; ++r) to.s[r] = 0;
  for (std::size_t j = 0; j < n; ++j) {
    const T *const u = w.u.data + j * rank, *const x = to.u.data + j * rank;
    elementwise(
        backend, rank, [=](auto& total, const auto& a, const auto& b) { total += weighted(a, b); }, to.s, u, x);
    to.d[j] = sum(backend, rank, weighted, u, x);
  }
}

template <class T>
constexpr void at_least_square(std::size_t n, const T* mean, T* square) {
  for (std::size_t i = 0; i < n; ++i) square[i] = math::max(square[i], mean[i] * mean[i]);
}

/// All layers of one projection.
template <tensor_id id, class M, class E>
constexpr void carry_projection(E& exec, moment_kind kind, const typename M::weights& w,
                                const typename M::whole_model::weights& from, const typename M::weights& to,
                                const typename M::weights* mean) {
  if constexpr (rank_of(M::shape, id) > 0)
    for (std::size_t l = 0; l < M::shape.layers; ++l) {
      constexpr typename M::backend_policy backend{};
      const auto factors = w.template matrix_of<id>(l);
      const auto g = from.matrix_of(id, l);
      const auto out = to.template matrix_of<id>(l);
      if (kind == moment_kind::mean) {
        carry<false>(backend, exec, factors, g, out);
        continue;
      }
      carry<true>(backend, exec, factors, g, out);
      if (mean == nullptr) continue;
      const auto m = mean->template matrix_of<id>(l);
      at_least_square(out.u.rows * out.rank, m.u.data, out.u.data);
      at_least_square(out.rank * out.v.cols, m.v.data, out.v.data);
      at_least_square(out.rank, m.s, out.s);
      at_least_square(out.u.rows, m.d, out.d);
    }
}

}  // namespace carry_detail

/// All weights of one of the optimizer's numbers; `mean` is the mean of the gradients, where there is one.
template <class M, class E>
constexpr void carry_moment(E& exec, moment_kind kind, const typename M::weights& w,
                            const typename M::whole_model::weights& from, const typename M::weights& to,
                            const typename M::weights* mean) {
  for (const tensor_info& t : M::tensors) {
    if (t.index() >= whole_tensor_count) continue;
    const auto source = from.numbers(M::whole_model::tensors.of(t.id)), target = to.numbers(t);
    for (std::size_t i = 0; i < t.size(); ++i) target[i] = source[i];
  }
  if (kind == moment_kind::other) return;
  using id = tensor_id;
  carry_detail::carry_projection<id::qkv_weight, M>(exec, kind, w, from, to, mean);
  carry_detail::carry_projection<id::out_weight, M>(exec, kind, w, from, to, mean);
  carry_detail::carry_projection<id::up_weight, M>(exec, kind, w, from, to, mean);
  carry_detail::carry_projection<id::down_weight, M>(exec, kind, w, from, to, mean);
}

}}  // namespace ctlm
