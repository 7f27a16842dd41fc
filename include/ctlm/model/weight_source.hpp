// SPDX-License-Identifier: MIT
// ctlm: where a session finds its weights: all of them at hand, or one layer after the other.
#pragma once

#include "weights.hpp"

namespace ctlm { inline namespace CTLM_ABI {

template <class M>
class offloaded_weights;

/// Where a session finds its weights: all of them at hand...
template <class M>
class weight_source {
 public:
  using handle = const typename M::const_weights;

  constexpr weight_source() = default;
  constexpr explicit weight_source(handle& w) : views_(w) {}
  /// The tensors that are not a layer's.
  constexpr handle& common() const { return views_; }
  constexpr handle& layer(std::size_t) const { return views_; }
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
