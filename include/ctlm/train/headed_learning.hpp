// SPDX-License-Identifier: MIT
// ctlm: training with a head that has weights of its own: they learn beside those of the model, or beside what of it
// learns. Their gradients and their optimizer state follow the model's, in one table.
#pragma once

#include "../model/head_weights.hpp"
#include "chunked_head.hpp"
#include "sequence_targets.hpp"
#include "what_learns.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The tensors that learn: those of Views, without the vocabulary's matrix, which then leads nowhere, and the head's.
template <std::size_t Most>
class headed_table {
 public:
  /// Of Views, and of a head.
  template <class Views>
  static constexpr headed_table of(const head_tensors& head) {
    headed_table table;
    for (std::size_t i = 0; i < Views::tensors.size(); ++i)
      if (const tensor_info& t = Views::tensors[i]; t.id != tensor_id::head_weight) {
        table.origin_[table.count_] = i;
        table.entries_[table.count_++] = t;
      }
    table.first_ = table.count_;
    for (std::size_t i = 0; i < head.size(); ++i)
      table.entries_[table.count_++] = {head[i].name,
                                        tensor_id::head_weight,
                                        head[i].is_matrix ? tensor_role::projection : tensor_role::bias,
                                        tensor_scope::model,
                                        1,
                                        head[i].rows,
                                        head[i].cols,
                                        1};
    return table;
  }
  constexpr const tensor_info* begin() const { return entries_; }
  constexpr const tensor_info* end() const { return entries_ + count_; }
  constexpr std::size_t size() const { return count_; }
  /// Entry number i.
  constexpr const tensor_info& operator[](std::size_t i) const { return entries_[i]; }
  /// The number of the entry that `t` refers to; size() if it is of another table.
  constexpr std::size_t place_of(const tensor_info& t) const {
    std::size_t i = 0;
    while (i < count_ && &entries_[i] != &t) ++i;
    return i;
  }
  /// The number of the head's first entry.
  constexpr std::size_t first_of_head() const { return first_; }
  /// The number that an entry before it has among those of Views.
  constexpr std::size_t origin(std::size_t i) const { return origin_[i]; }

 private:
  tensor_info entries_[Most]{};
  std::size_t origin_[Most]{};
  std::size_t count_ = 0, first_ = 0;
};

/// Those of Views and of head H over vectors of D numbers: one table in the program.
template <class Views, class H, std::size_t D>
inline constexpr auto headed_tensors =
    headed_table<Views::tensors.size() + head_tensors::most>::template of<Views>(H::tensors(D));

/// Views of what learns of a model, and after it of the head's weights; or of the gradients of both. The vocabulary's
/// matrix, which leads nowhere, is one of the weights all the same; with Vocabulary false, it has no memory.
template <class Views, class M, class H, bool Vocabulary = true>
class headed_views : public Views {
 public:
  using real = typename M::real;                                                          ///< numbers of arithmetic
  using head_type = head_weights<M, H>;                                                   ///< the head's
  static constexpr const auto& all_tensors = headed_tensors<Views, H, M::shape.d_model>;  ///< what learns

  /// Asks an arena for all numbers.
  template <class A>
  constexpr void place(A& a) {
    place_views<Vocabulary>(a);
    own_.place(a);
  }
  /// The same for gradients, of which the vocabulary's matrix has none.
  template <class A>
  constexpr void place_gradients(A& a) {
    place_views<false>(a);
    own_.place(a);
  }
  /// Exact bytes of them, padding included.
  static constexpr std::size_t bytes_needed() {
    return measure([](auto& a) { headed_views().place(a); });
  }
  /// All of them, padding included.
  span<std::byte> bytes() const {
    constexpr std::size_t needed = bytes_needed(), own = head_type::bytes_needed();
    return {own_.bytes().data() - (needed - own), needed};
  }
  /// The numbers of a tensor, of this table or of that of Views; all its layers.
  constexpr span<real> numbers(const tensor_info& t) const {
    const std::size_t i = all_tensors.place_of(t);
    if (i == all_tensors.size()) return Views::numbers(t);
    return i < all_tensors.first_of_head() ? Views::numbers(Views::tensors[all_tensors.origin(i)])
                                           : own_[i - all_tensors.first_of_head()];
  }
  /// The head's.
  constexpr const head_type& own_head() const { return own_; }

 private:
  template <bool All, class A>
  constexpr void place_views(A& a) {
    if constexpr (!All && requires(Views & v) { v.template place<false>(a); })
      Views::template place<false>(a);
    else
      Views::place(a);
  }

  head_type own_{};
};
template <class Views, class M, class H, bool Vocabulary>
inline constexpr bool learns_in_part<headed_views<Views, M, H, Vocabulary>> = learns_in_part<Views>;

/// In the place of a model, for the update.
template <class Views, class M, class H>
struct headed_model {
  using real = typename M::real;                                        ///< numbers of arithmetic
  using weights = headed_views<Views, M, H>;                            ///< what learns
  using state = headed_views<Views, M, H, false>;                       ///< a number for each weight that learns
  using shape_type = typename M::shape_type;                            ///< the model's
  using backend_policy = typename M::backend_policy;                    ///< the model's
  using executor_policy = typename M::executor_policy;                  ///< the model's
  static constexpr decoder_shape shape = M::shape;                      ///< the model's
  static constexpr const auto& tensors = weights::all_tensors;          ///< what learns
  static constexpr std::size_t weight_bytes = weights::bytes_needed();  ///< of it
};

namespace headed_detail {

/// What train_only<> chose, without the vocabulary's matrix.
template <class Chosen>
struct without_vocabulary {
  using adapter = typename Chosen::adapter;
  static constexpr bool learns(std::size_t tensor, std::size_t layer) {
    return tensor != static_cast<std::size_t>(tensor_id::head_weight) && Chosen::learns(tensor, layer);
  }
};
template <class Chosen>
struct chosen_of {
  using type = without_vocabulary<Chosen>;
};
template <>
struct chosen_of<void> {
  using type = void;
};
/// The slots of the same trainer without its head.
template <class Slots>
struct headless : Slots {
  static constexpr bool own_head = false;
  using head = vocabulary_head;
  using chosen = typename chosen_of<typename Slots::chosen>::type;
};

}  // namespace headed_detail

/// What learns without the head, and the head.
template <class M, class Batch, class Slots>
requires(Slots::own_head) struct what_learns<M, Batch, Slots> : what_learns<M, Batch, headed_detail::headless<Slots>> {
  using base = what_learns<M, Batch, headed_detail::headless<Slots>>;  ///< without the head
  using head = typename Slots::head;                                   ///< the head
  static_assert(
      sequence_head<head>,
      "ctlm: this head has a pooling, but is no sequence_head: policy/head/sequence_head.hpp says what it needs");
  using model = headed_model<typename base::weights, M, head>;  ///< whose tensors the optimizer sees
  using weights = typename model::weights;                      ///< what learns

  /// The weights before the first step.
  template <class Context, class InUse, class... Base>
  static constexpr void begin(Context& c, const weights& w, InUse& used, std::uint64_t seed, const Base&... given) {
    base::begin(c, w, used, seed, given...);
    w.own_head().begin(mix(seed, 0x4EAD));
  }
};

template <class M, class Batch, class Head>
requires has_own_weights<Head>
struct head_pass_of<M, Batch, Head> {
  using type = sequence_pass<M, Head>;
};

}}  // namespace ctlm
