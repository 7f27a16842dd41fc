// SPDX-License-Identifier: MIT
// ctlm: where a session finds its weights: all of them at hand, or one layer after the other.
#pragma once

#include "kernel_context.hpp"

namespace ctlm { inline namespace CTLM_ABI {

template <class M>
class offloaded_weights;

/// Which kernels a session of model M runs, and their scratch. model/adapted_session.hpp has that of adapters<N>.
template <class M>
struct session_context {
  /// The context.
  using type = kernel_context<M>;
  /// Asks an arena for what adapters need: nothing.
  template <class A>
  static constexpr void place(type&, A&, std::size_t) {}
};

/// Where a session finds its weights: here, all of them are in memory. The specialisation below is for models with
/// memory<offloaded<bytes>>, whose layers arrive from a file one after the other.
template <class M>
class weight_source {
 public:
  using handle = const typename M::const_weights;  ///< what a session's constructor takes

  constexpr weight_source() = default;
  /// Keeps views of the weights.
  constexpr explicit weight_source(handle& w) : views_(w) {}
  /// The tensors that are not a layer's.
  constexpr handle& common() const { return views_; }
  /// The weights of a layer, which stay until done().
  constexpr handle& layer(std::size_t) const { return views_; }
  /// Says that a layer's weights are not needed any more in this pass.
  constexpr void done(std::size_t) const {}

 private:
  typename M::const_weights views_{};
};

/// ...or one layer after the other, as they arrive from a file.
template <class M>
requires M::memory_policy::streams class weight_source<M> {
 public:
  using handle = offloaded_weights<M>;

  constexpr weight_source() = default;
  explicit weight_source(handle& w) : stream_(&w) {}
  const auto& common() const { return stream_->common(); }
  const auto& layer(std::size_t l) const { return stream_->layer(l); }
  void done(std::size_t l) const { stream_->done(l); }

 private:
  handle* stream_ = nullptr;
};

}}  // namespace ctlm
