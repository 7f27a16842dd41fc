// SPDX-License-Identifier: MIT
// ctlm: experts that stay on the disk until a token takes them. Those used last are in memory, as many as there is room
// for; when another one is needed, it is read in the place of the one that was not used for the longest time.
#pragma once

#include "offloaded_file.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// One matrix of each of some experts, of all layers.
template <class M, tensor_id Id>
class expert_pool {
  using views = typename M::const_weights;
  using F = typename views::format;
  static constexpr std::size_t all = M::shape.layers * M::shape.experts;

 public:
  using view = typename views::view;  ///< of a matrix

  /// Bytes of one expert's matrix in memory, with room for the whole pages around it (windows), or as the file has it:
  /// of the layer where they are most.
  static constexpr std::size_t bytes_of_one(bool windows) {
    tensor_info one = M::tensors.of(Id);
    one.rows = one.piece_rows();
    one.pieces = 1;
    std::size_t most = 0;
    for (std::size_t layer = 0; layer < one.layers; ++layer) {
      std::size_t total = 0;
      measuring_arena nothing;
      auto m = views::place_matrix(nothing, one, 1, layer);
      F::for_each_part(
          m, [&](auto*, std::size_t bytes) { total += windows ? offload_detail::window_bytes(bytes) : bytes; });
      most = larger(most, total);
    }
    return most;
  }
  /// Asks an arena for the lists of `slots` experts. Their matrices will lie at `memory`, slots * bytes_of_one(true).
  template <class A>
  constexpr void place(A& a, std::size_t slots, std::byte* memory) {
    slots_ = slots;
    memory_ = memory;
    slot_of_ = a.template allocate<std::uint32_t>(all);
    owner_ = a.template allocate<std::uint32_t>(slots);
    used_ = a.template allocate<std::uint64_t>(slots);
  }
  /// Forgets all of them: the file is another one.
  void clear() {
    for (std::size_t i = 0; i < all; ++i) slot_of_[i] = 0;
    for (std::size_t i = 0; i < slots_; ++i) owner_[i] = 0, used_[i] = 0;
  }

  /// The matrix of an expert, which is read if it is not in memory. It stays until the next call. Raises what reading
  /// fails with.
  view of(const offloaded_file<M>& file, std::size_t layer, std::size_t expert) {
    const std::size_t number = layer * M::shape.experts + expert;
    view m = file.layout().template expert_of<Id>(layer, expert);
    const bool absent = slot_of_[number] == 0;
    const std::size_t slot = absent ? least_used() : slot_of_[number] - 1;
    if (absent) leave(slot);
    std::byte* to = memory_ + slot * bytes_of_one(true);
    result<void> r;
    F::for_each_part(m, [&](auto*& p, std::size_t bytes) {
      if (absent && r) r = file.read(p, bytes, to, M::tensors.of(Id).name);
      to = offloaded_file<M>::locate(p, bytes, to);
    });
    if (!r) raise(r.error());
    slot_of_[number] = static_cast<std::uint32_t>(slot + 1);
    owner_[slot] = static_cast<std::uint32_t>(number + 1);
    used_[slot] = ++time_;
    return m;
  }

 private:
  std::size_t least_used() const {
    std::size_t slot = 0;
    for (std::size_t i = 1; i < slots_; ++i)
      if (used_[i] < used_[slot]) slot = i;
    return slot;
  }
  void leave(std::size_t slot) {
    if (owner_[slot] > 0) slot_of_[owner_[slot] - 1] = 0;
    owner_[slot] = 0;
  }

  std::size_t slots_ = 0;
  std::byte* memory_ = nullptr;
  std::uint32_t* slot_of_ = nullptr;  // [layers * experts] where an expert is, counted from 1; 0: nowhere
  std::uint32_t* owner_ = nullptr;    // [slots] whose matrix it is, counted from 1; 0: nobody's
  std::uint64_t* used_ = nullptr;     // [slots] when it was asked for last
  std::uint64_t time_ = 0;
};

/// The experts of a model with offloaded weights; of one without experts, nothing.
template <class M>
class offloaded_experts {
 public:
  static constexpr bool any = M::shape.experts > 0;  ///< whether the model has experts
  using layer_views = typename M::const_weights;     ///< a layer's weights, which have no experts

  /// Bytes of one expert in memory, and in the file.
  static constexpr std::size_t bytes_of_one(bool /*windows*/) { return 0; }
  /// Bytes of `slots` experts and of the lists of them.
  static constexpr std::size_t bytes_needed(std::size_t /*slots*/) { return 0; }
  /// Takes its memory from an arena.
  template <class A>
  constexpr void place(A&, std::size_t, std::byte*) {}
  /// Forgets all experts.
  void clear() {}
  /// Tells a layer's views where experts are.
  void attach(const offloaded_file<M>&, layer_views&) {}
};

template <class M>
requires(M::shape.experts > 0) class offloaded_experts<M> {
  using up_pool = expert_pool<M, tensor_id::up_weight>;
  using down_pool = expert_pool<M, tensor_id::down_weight>;

 public:
  static constexpr bool any = true;

  /// A layer's weights, whose experts are read when they are asked for.
  class layer_views : public M::const_weights {
   public:
    /// The matrix of an expert, valid until that of another is asked for. Raises what reading fails with.
    template <tensor_id id>
    auto expert_of(std::size_t layer, std::size_t expert) const {
      if constexpr (id == tensor_id::up_weight)
        return experts_->up_.of(*file_, layer, expert);
      else
        return experts_->down_.of(*file_, layer, expert);
    }

   private:
    friend offloaded_experts;
    offloaded_experts* experts_ = nullptr;
    const offloaded_file<M>* file_ = nullptr;
  };

  static constexpr std::size_t bytes_of_one(bool windows) {
    return up_pool::bytes_of_one(windows) + down_pool::bytes_of_one(windows);
  }
  static constexpr std::size_t bytes_needed(std::size_t slots) {
    return slots * bytes_of_one(true) +
           measure([&](auto& a) { offloaded_experts().place(a, slots, static_cast<std::byte*>(nullptr)); });
  }
  /// Takes the lists from an arena; the matrices will lie at `memory`, slots * bytes_of_one(true), whole pages.
  template <class A>
  constexpr void place(A& a, std::size_t slots, std::byte* memory) {
    up_.place(a, slots, memory);
    down_.place(a, slots, memory == nullptr ? memory : memory + slots * up_pool::bytes_of_one(true));
  }
  void clear() {
    up_.clear();
    down_.clear();
  }
  void attach(const offloaded_file<M>& file, layer_views& v) {
    v.experts_ = this;
    v.file_ = &file;
  }

 private:
  up_pool up_{};
  down_pool down_{};
};

}}  // namespace ctlm
