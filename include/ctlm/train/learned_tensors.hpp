// SPDX-License-Identifier: MIT
// ctlm: the tensors that learn where not all do: whole tensors of some layers, and the thin matrices of adapters. Their
// numbers, gradients and optimizer state are laid out by one table, as those of a model are by its own.
#pragma once

#include "../kernels/chosen.hpp"
#include "../model/adapter_layout.hpp"
#include "../model/causal_lm.hpp"
#include "train_only.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The tensors that learn of a model with Layers layers: entries of the same kind as a tensor_table has.
template <std::size_t Layers>
class learned_table {
  static constexpr std::uint16_t frozen = 0xFFFF;

 public:
  /// An adapter's entries follow each other in this order.
  enum entry_kind : std::size_t {
    a,          ///< [layers][parts * rank][inputs]
    b,          ///< [layers][rows of all parts][rank]
    magnitude,  ///< [layers][rows of all parts]; of DoRA alone
    kinds       ///< how many there are
  };

  /// Those that Chosen, a chosen_tensors, has.
  template <class Chosen>
  static constexpr learned_table of(const decoder_shape& s) {
    learned_table table;
    for (auto& slots : table.slots_)
      for (auto& slot : slots) slot = frozen;
    for (const tensor_info& t : tensor_table(s)) {
      table.template add_whole<Chosen>(t);
      if (adaptable_index(t.id) < adaptable_count) table.template add_adapter<typename Chosen::adapter>(s, t);
    }
    return table;
  }

  constexpr const tensor_info* begin() const { return entries_; }
  constexpr const tensor_info* end() const { return entries_ + count_; }
  constexpr std::size_t size() const { return count_; }
  /// The place of one of these entries, which `t` refers to, among them.
  constexpr std::size_t place_of(const tensor_info& t) const { return static_cast<std::size_t>(&t - entries_); }
  /// Entry number i.
  constexpr const tensor_info& operator[](std::size_t i) const { return entries_[i]; }

  /// Whether a tensor learns itself, in some layer.
  constexpr bool learns(tensor_id id) const { return whole_[index(id)]; }
  /// Whether a tensor has an adapter, in some layer.
  constexpr bool adapts(tensor_id id) const { return adapted_[index(id)]; }
  /// Whether a tensor learns, or its adapter, in this layer; layer 0 for those that exist once.
  constexpr bool has(tensor_id id, std::size_t layer) const { return slots_[index(id)][layer] != frozen; }
  /// The place of a layer among those in which the tensor learns.
  constexpr std::size_t slot(tensor_id id, std::size_t layer) const { return slots_[index(id)][layer]; }
  /// The first entry of a tensor.
  constexpr std::size_t entry(tensor_id id) const { return first_[index(id)]; }
  /// The parts that an adapter of this tensor has.
  constexpr const adapter_parts& parts(tensor_id id) const { return parts_[adaptable_index(id)]; }
  /// The first layer in which something learns; Layers if nothing of a layer does. -1 is for embeddings.
  constexpr std::size_t first_layer() const {
    for (std::size_t l = 0; l < Layers; ++l)
      for (std::size_t i = 0; i < whole_tensor_count; ++i)
        if (declared_tensors[i].scope == tensor_scope::layer && slots_[i][l] != frozen) return l;
    return Layers;
  }
  /// Whether a tensor before the layers learns: an embedding.
  constexpr bool learns_embeddings() const {
    return learns(tensor_id::token_embedding) || learns(tensor_id::position_embedding);
  }
  /// Numbers in all of them.
  constexpr std::size_t parameters() const {
    std::size_t n = 0;
    for (const tensor_info& t : *this) n += t.size();
    return n;
  }
  /// The most that `f(tensor_id)` is of tensors with an adapter, 0 if there are none.
  template <class F>
  constexpr std::size_t most(F f) const {
    std::size_t n = 0;
    for (tensor_id id : adaptable_tensors)
      if (adapts(id)) n = larger(n, f(id));
    return n;
  }

 private:
  static constexpr std::size_t index(tensor_id id) { return static_cast<std::size_t>(id); }

  /// Numbers the layers of a tensor in which chosen(layer); returns how many they are.
  template <class Choose>
  constexpr std::size_t number(const tensor_info& t, Choose choose) {
    std::size_t n = 0;
    for (std::size_t l = 0; l < t.layers; ++l)
      if (choose(t.is_of_layer() ? l : no_layer)) slots_[t.index()][l] = static_cast<std::uint16_t>(n++);
    return n;
  }
  template <class Chosen>
  constexpr void add_whole(const tensor_info& t) {
    const std::size_t n = number(t, [&](std::size_t l) { return Chosen::learns(t.index(), l); });
    if (n == 0) return;
    whole_[t.index()] = true;
    first_[t.index()] = count_;
    entries_[count_] = t;
    entries_[count_++].layers = n;
  }
  template <class Lora>
  constexpr void add_adapter(const decoder_shape& s, const tensor_info& t) {
    if (whole_[t.index()] || Lora::rank == 0) return;
    auto adapts_part = [&](std::size_t part, std::size_t l) { return Lora::adapts(t.index(), part, l); };
    const adapter_parts p = some_adapter_parts(s, t.id, [&](std::size_t part) {
      bool any = false;
      for (std::size_t l = 0; l < t.layers; ++l) any = any || adapts_part(part, l);
      return any;
    });
    const std::size_t n = number(t, [&](std::size_t l) {
      bool any = false;
      for (std::size_t part = 0; part < adapter_parts::most; ++part) any = any || adapts_part(part, l);
      return any;
    });
    if (n == 0 || p.count == 0) return;
    adapted_[t.index()] = true;
    first_[t.index()] = count_;
    parts_[adaptable_index(t.id)] = p;
    constexpr tensor_role matrix = tensor_role::projection;
    const names_of& names = all_names[adaptable_index(t.id)];
    entries_[count_++] = {names.a, t.id, matrix, t.scope, n, p.count * Lora::rank, t.cols, p.count};
    entries_[count_++] = {names.b, t.id, matrix, t.scope, n, p.all_rows(), Lora::rank, 1};
    if (Lora::config.weight_decomposed)
      entries_[count_++] = {names.magnitude, t.id, tensor_role::gain, t.scope, n, 1, p.all_rows(), 1};
  }

  struct names_of {
    const char *a, *b, *magnitude;
  };
  static constexpr names_of all_names[adaptable_count] = {{"qkv.lora_a", "qkv.lora_b", "qkv.magnitude"},
                                                          {"out.lora_a", "out.lora_b", "out.magnitude"},
                                                          {"up.lora_a", "up.lora_b", "up.magnitude"},
                                                          {"down.lora_a", "down.lora_b", "down.magnitude"}};

  tensor_info entries_[whole_tensor_count + adaptable_count * (kinds - 1)]{};
  std::size_t count_ = 0;
  std::size_t first_[whole_tensor_count]{};
  bool whole_[whole_tensor_count]{}, adapted_[whole_tensor_count]{};
  std::uint16_t slots_[whole_tensor_count][larger(1, Layers)]{};
  adapter_parts parts_[adaptable_count]{};
};

/// The tensors that learn of models of one shape: one table in the program.
template <class Shape, class Chosen>
inline constexpr auto learned_of = learned_table<Shape::value.layers>::template of<Chosen>(Shape::value);

/// The numbers of the tensors that learn, or their gradients: views of one stretch of an arena. As gradients, they are
/// what the backward pass takes: matrix_of and vector_of yield places that may be none.
template <class M, class Chosen>
class learned_views {
 public:
  using real = typename M::real;                                                      ///< numbers of arithmetic
  using format = native_format_of<real>;                                              ///< that holds them
  static constexpr decoder_shape shape = M::shape;                                    ///< the model's sizes
  static constexpr const auto& tensors = learned_of<typename M::shape_type, Chosen>;  ///< what learns
  using table = std::remove_cvref_t<decltype(tensors)>;                               ///< its type

  /// Asks an arena for all numbers.
  template <class A>
  constexpr void place(A& a) {
    for (std::size_t i = 0; i < tensors.size(); ++i) numbers_[i] = a.template allocate<real>(tensors[i].size());
  }
  /// Exact bytes of them, padding included.
  static constexpr std::size_t bytes_needed() {
    return measure([](auto& a) { learned_views().place(a); });
  }
  /// All of them, padding included.
  span<std::byte> bytes() const {
    constexpr std::size_t needed = bytes_needed();
    return {reinterpret_cast<std::byte*>(numbers_[0]), needed};
  }
  /// The numbers of one of `tensors`, all its layers.
  constexpr span<real> numbers(const tensor_info& t) const { return {numbers_[tensors.place_of(t)], t.size()}; }

  /// Where the numbers of a layer are: of a tensor that learns itself, or of its adapter's entry `kind`. nullptr if
  /// they do not learn in this layer.
  constexpr real* place_of(tensor_id id, std::size_t layer, std::size_t kind = 0) const {
    if (!tensors.has(id, layer)) return nullptr;
    const std::size_t e = tensors.entry(id) + kind;
    return numbers_[e] + tensors.slot(id, layer) * tensors[e].rows * tensors[e].cols;
  }

  /// Where the gradients of a matrix, or of its adapter, go.
  template <tensor_id id>
  constexpr auto matrix_of(std::size_t layer = 0) const {
    if constexpr (tensors.adapts(id)) {
      return gradients_of_adapter<id>(layer);
    } else {
      return chosen_matrix_of(id, layer);
    }
  }
  /// The same of a matrix of the model itself.
  constexpr chosen_matrix<format> chosen_matrix_of(tensor_id id, std::size_t layer = 0) const {
    const tensor_rule& r = rule_of(id);
    return {{tensors.learns(id) ? place_of(id, layer) : nullptr, r.rows(shape), r.cols(shape)}};
  }
  /// Where those of a gain, a bias or a router go.
  constexpr chosen_numbers<real> vector_of(tensor_id id, std::size_t layer = 0) const { return {place_of(id, layer)}; }
  /// Where those of the output projection go.
  constexpr chosen_matrix<format> head() const {
    return chosen_matrix_of(shape.tie_embeddings ? tensor_id::token_embedding : tensor_id::head_weight);
  }

 private:
  template <tensor_id id>
  constexpr low_rank_gradients<real> gradients_of_adapter(std::size_t layer) const {
    return {place_of(id, layer, table::a), place_of(id, layer, table::b),
            Chosen::adapter::config.weight_decomposed ? place_of(id, layer, table::magnitude) : nullptr};
  }

  real* numbers_[larger(1, tensors.size())]{};
};

template <class M, class Chosen>
inline constexpr bool learns_in_part<learned_views<M, Chosen>> = true;

/// In the place of a model, for what works with all tensors that learn: the update.
template <class M, class Chosen>
struct learned_model {
  using real = typename M::real;                                        ///< numbers of arithmetic
  using weights = learned_views<M, Chosen>;                             ///< what learns
  using shape_type = typename M::shape_type;                            ///< the model's
  static constexpr decoder_shape shape = M::shape;                      ///< the model's
  static constexpr const auto& tensors = weights::tensors;              ///< what learns
  static constexpr std::size_t weight_bytes = weights::bytes_needed();  ///< of it
  static_assert(tensors.size() > 0, "ctlm: train_only<...> names nothing that this model has");
};

}}  // namespace ctlm
