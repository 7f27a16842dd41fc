// SPDX-License-Identifier: MIT
// ctlm: sessions that compute with an adapter beside the weights, and may take another: a model with adapters<N>.
// Several sessions over one base may have an adapter each. A program that uses them includes this file by name.
#pragma once

#include "adapted_projection.hpp"
#include "adapter.hpp"
#include "causal_lm.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The weights that a session of model M reads: a base, and an adapter or none.
template <class M>
class session_weights {
  using base_type = typename M::const_weights;
  using real = typename M::real;

 public:
  base_type base{};                           ///< which stays as it is
  const ctlm::adapter<M>* adapter = nullptr;  ///< what is added to it, or nullptr

  /// A matrix of the model.
  constexpr auto matrix_of(tensor_id id, std::size_t layer = 0) const { return base.matrix_of(id, layer); }
  /// The same with its adapter, where it may have one.
  template <tensor_id id>
  constexpr auto matrix_of(std::size_t layer = 0) const {
    if constexpr (adaptable_index(id) < adaptable_count)
      return adapted_matrix<typename base_type::view, real>{
          base.matrix_of(id, layer), adapter == nullptr ? low_rank_pair<real>{} : adapter->pair_of(id, layer)};
    else
      return base.matrix_of(id, layer);
  }
  /// A gain or a bias.
  constexpr const real* vector_of(tensor_id id, std::size_t layer = 0) const { return base.vector_of(id, layer); }
  /// The output projection.
  constexpr auto head() const { return base.head(); }
};

/// Where a session of a model with adapters<N> finds its weights.
template <class M>
requires(M::adapter_rank > 0 && !M::memory_policy::streams) class weight_source<M> {
 public:
  using handle = const typename M::const_weights;  ///< what a session's constructor takes

  constexpr weight_source() = default;
  /// Keeps views of the weights.
  constexpr explicit weight_source(handle& w) { weights_.base = w; }
  /// All weights.
  constexpr const session_weights<M>& common() const { return weights_; }
  /// The same.
  constexpr const session_weights<M>& layer(std::size_t) const { return weights_; }
  /// Nothing happens.
  constexpr void done(std::size_t) const {}
  /// Takes an adapter, or none. Raises errc::invalid_argument if its rank is too high.
  constexpr void use(const adapter<M>* a) {
    static_assert(M::shape.experts == 0, "ctlm: adapters<N> is not for models with experts");
    check(a == nullptr || a->layout().rank <= M::adapter_rank,
          failure{
              errc::invalid_argument,
              "ctlm: this adapter has rank {needed}, and the model's sessions take ranks up to {had}: adapters<{had}>",
              0, a == nullptr ? 0 : a->layout().rank, M::adapter_rank});
    weights_.adapter = a;
  }

 private:
  session_weights<M> weights_{};
};

/// Scratch of linear layers, and of adapters beside them.
template <class M>
struct adapted_linear_workspace
    : linear_workspace<typename M::backend_policy, typename M::weights::format, typename M::compute_format> {
  low_rank_scratch<typename M::real> low_rank{};  ///< of the adapters

  /// As linear_workspace places it; session_context places the adapters'.
  template <class A>
  static constexpr adapted_linear_workspace place(A& a, std::size_t rows, std::size_t outputs, std::size_t inputs,
                                                  std::size_t workers) {
    return {
        linear_workspace<typename M::backend_policy, typename M::weights::format, typename M::compute_format>::place(
            a, rows, outputs, inputs, workers),
        {}};
  }
};

/// The context of a session of a model with adapters<N>.
template <class M>
requires(M::adapter_rank > 0) struct session_context<M> {
  /// The context.
  struct type {
    [[no_unique_address]] typename M::backend_policy backend{};                          ///< which kernels
    typename M::executor_policy* exec = nullptr;                                         ///< who runs them
    adapted_linear_workspace<M> linear{};                                                ///< scratch of linear layers
    attention_workspace<typename M::real> attention[M::executor_policy::max_workers]{};  ///< scratch of each worker
  };
  /// Asks an arena for scratch of adapters of any kind up to the rank.
  template <class A>
  static constexpr void place(type& c, A& a, std::size_t rows) {
    constexpr decoder_shape s = M::shape;
    constexpr std::size_t widest = larger(larger(s.qkv_dim(), s.up_dim()), larger(s.d_model, s.d_ff));
    auto& low = c.linear.low_rank;
    low.place(a, rows, adapter_parts::most * M::adapter_rank, 0, widest, false);
    const std::size_t most = larger(larger(widest, s.q_dim()), rows);
    low.panel_stride = gemm_workspace<typename M::real>(typename M::backend_policy{}, most, most, most);
    low.panels = a.template allocate<typename M::real>(M::executor_policy::max_workers * low.panel_stride);
  }
};

}}  // namespace ctlm
