// SPDX-License-Identifier: MIT
// ctlm: the weights of a model with factored projections, from those of the same model with whole matrices: each is cut
// to the rank at which the sum of squares of what is lost is least, or nearly so. Not part of <ctlm/ctlm.hpp>.
#pragma once

#include "../factor/factorise.hpp"
#include "causal_lm.hpp"

namespace ctlm { inline namespace CTLM_ABI {

namespace factorise_detail {

/// The largest of the matrices that a model of this shape has as products.
constexpr factor_limits limits_of(const decoder_shape& s) {
  factor_limits most;
  for (const tensor_id id : factorable_tensors)
    if (rank_of(s, id) > 0) {
      most.rows = larger(most.rows, rule_of(id).rows(s));
      most.cols = larger(most.cols, rule_of(id).cols(s));
      most.rank = larger(most.rank, rank_of(s, id));
    }
  return most;
}

/// What the factorisation of one matrix after the other needs.
template <class M>
struct scratch {
  using real = typename M::real;
  static constexpr factor_limits most = limits_of(M::shape);

  factor_workspace<real> work{};
  real* whole = nullptr;  // [rows][cols] numbers of the matrix
  factors<real> found{};

  template <class A>
  constexpr void place(A& a) {
    work.place(a, typename M::backend_policy{}, M::executor_policy::max_workers, most);
    whole = a.template allocate<real>(most.rows * most.cols);
    found.u = a.template allocate<real>(most.rows * most.rank);
    found.s = a.template allocate<real>(most.rank);
    found.v = a.template allocate<real>(most.rank * most.cols);
  }
};

/// From U diag(s) V with columns and rows of length 1 to factors of like size: roots of the singular values go to both
/// sides, s and d become 1.
template <class To, class T>
constexpr void write(const factors<T>& from, std::size_t found, const To& to) {
  using format = typename std::remove_cvref_t<decltype(to.u)>::format;
  const std::size_t rank = to.u.cols;
  for (std::size_t r = 0; r < rank; ++r) {
    const T root = r < found ? math::sqrt(from.s[r]) : T(0);
    for (std::size_t i = 0; i < to.u.rows; ++i) from.u[i * rank + r] = r < found ? from.u[i * rank + r] * root : T(0);
    for (std::size_t j = 0; j < to.v.cols; ++j)
      from.v[r * to.v.cols + j] = r < found ? from.v[r * to.v.cols + j] * root : T(0);
    to.s[r] = 1;
    format::encode(to.v, r, from.v + r * to.v.cols);
  }
  for (std::size_t i = 0; i < to.u.rows; ++i) {
    format::encode(to.u, i, from.u + i * rank);
    to.d[i] = 1;
  }
}

/// All layers of one projection.
template <class M, tensor_id id, class From, class To, class E>
constexpr result<void> each_layer(const From& from, const To& to, scratch<M>& s, E& exec, factor_options o) {
  if constexpr (rank_of(To::shape, id) > 0) {
    o.rank = rank_of(To::shape, id);
    for (std::size_t l = 0; l < To::shape.layers; ++l) {
      const auto whole = from.matrix_of(id, l);
      for (std::size_t r = 0; r < whole.rows; ++r)
        From::format::decode(whole, r, 0, whole.cols, s.whole + r * whole.cols);
      const auto found = factorise(typename M::backend_policy{}, exec, whole.rows, whole.cols,
                                   static_cast<const typename M::real*>(s.whole), whole.cols, s.found, s.work, o);
      if (!found) {
        failure f = found.error();
        f.name = rule_of(id).name;
        return f;
      }
      write(s.found, found->rank, to.template matrix_of<id>(l));
    }
  }
  return {};
}

}  // namespace factorise_detail

/// Bytes of scratch that factorise_weights takes of an arena for model M, whose projections are factored.
template <class M>
constexpr std::size_t factorise_bytes() {
  return measure([](auto& a) { factorise_detail::scratch<M>{}.place(a); });
}

/// to = from, where M has factored<> projections and `from` are weights, in any format, of the same model without. The
/// same bits for any number of threads. Errors: those of factorise, with the name of the tensor; raises
/// errc::out_of_memory where the arena has no room for factorise_bytes<M>().
template <class M, class From, class A, executor E>
constexpr result<void> factorise_weights(const weight_views<typename M::whole_shape, From>& from,
                                         const typename M::weights& to, A& arena, E& exec,
                                         const factor_options& o = {.power_steps = 2}) {
  static_assert(M::shape.is_factored(), "ctlm: factorise_weights needs a model with factored<>");
  using source = typename weight_views<typename M::whole_shape, From>::format;
  using target = typename M::weights::format;
  using real = typename M::real;
  static_assert(std::same_as<typename source::compute, real>, "ctlm: these two formats compute in different numbers");
  require_room<factorise_bytes<M>()>(arena, "factorisation of weights");
  factorise_detail::scratch<M> s;
  s.place(arena);
  for (const tensor_info& t : M::tensors) {
    const std::size_t i = t.index();
    if (i >= whole_tensor_count) continue;
    if (!t.is_matrix()) {
      for (std::size_t j = 0; j < t.size(); ++j) to.raw_vector(i)[j] = from.raw_vector(i)[j];
      continue;
    }
    real row[longest_row(M::tensors)]{};
    for (std::size_t r = 0; r < t.layers * t.rows; ++r) {
      source::decode(from.raw_matrix(i), r, 0, t.cols, row);
      target::encode(to.raw_matrix(i), r, row);
    }
  }
  using namespace factorise_detail;
  using id = tensor_id;
  if (const auto r = each_layer<M, id::qkv_weight>(from, to, s, exec, o); !r) return r;
  if (const auto r = each_layer<M, id::out_weight>(from, to, s, exec, o); !r) return r;
  if (const auto r = each_layer<M, id::up_weight>(from, to, s, exec, o); !r) return r;
  return each_layer<M, id::down_weight>(from, to, s, exec, o);
}
/// The same by one thread.
template <class M, class From, class A>
constexpr result<void> factorise_weights(const weight_views<typename M::whole_shape, From>& from,
                                         const typename M::weights& to, A& arena,
                                         const factor_options& o = {.power_steps = 2}) {
  serial one;
  return factorise_weights<M>(from, to, arena, one, o);
}

}}  // namespace ctlm
