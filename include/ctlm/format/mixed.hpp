// SPDX-License-Identifier: MIT
// ctlm: several formats in one model: a format for most matrices, and others for those that keep<> names.
//
// Of each matrix that a model has once for every layer, the layers of one format are stacked, and such stacks follow
// each other in memory, in the order of the formats. Formats are known to the compiler; which of them a layer has is a
// comparison when the layer's matrix is used.
#pragma once

#include "interleaved.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// In the place of a layer's number: a matrix that belongs to no layer.
inline constexpr std::size_t no_layer = static_cast<std::size_t>(-1);

/// Of a model's weights<F, keep<...>...>: matrices that are stored in another format than F, those that any of the
/// selectors has (model/selectors.hpp): `keep<int8<32>, tensors::embedding, tensors::layers<0, 1>>`. The first keep<>
/// that has a matrix counts.
template <format F, class... Where>
struct keep {
  static_assert(sizeof...(Where) > 0, "ctlm: keep<F, ...> needs to know which matrices: keep<F, tensors::embedding>");
  using kept_format = F;  ///< of these matrices
  /// Whether tensor number `tensor` of layer `layer`, or no_layer, is one of them.
  static constexpr bool has(std::size_t tensor, std::size_t layer) { return (Where::has(tensor, layer) || ...); }
};

namespace mixed_detail {

template <class... Fs>
struct list {
  static constexpr std::size_t size = sizeof...(Fs);
  /// The place of F in the list.
  template <class F>
  static constexpr std::size_t index_of() {
    std::size_t i = 0, found = size;
    ((found = std::same_as<F, Fs> && found == size ? i : found, ++i), ...);
    return found;
  }
};

/// A list without what is in it already.
template <class Done, class... Rest>
struct unique {
  using type = Done;
};
template <class... Done, class F, class... Rest>
struct unique<list<Done...>, F, Rest...>
    : unique<std::conditional_t<(std::same_as<F, Done> || ...), list<Done...>, list<Done..., F>>, Rest...> {};

template <class Key, class T>
struct entry {
  T value{};
};
/// A Value::type<F> for each format F of a list.
template <class List, class Value>
struct each;
template <class... Fs, class Value>
struct each<list<Fs...>, Value> : entry<Fs, typename Value::template type<Fs>>... {
  template <class F>
  constexpr auto& of() {
    return static_cast<entry<F, typename Value::template type<F>>&>(*this).value;
  }
  template <class F>
  constexpr const auto& of() const {
    return static_cast<const entry<F, typename Value::template type<F>>&>(*this).value;
  }
  /// f.operator()<F>() for each format.
  template <class Visit>
  static constexpr void for_each(Visit&& f) {
    (f.template operator()<Fs>(), ...);
  }
  /// The same for format number `kind`.
  template <class Visit>
  static constexpr void for_kind(std::size_t kind, Visit&& f) {
    std::size_t i = 0;
    ((i++ == kind ? f.template operator()<Fs>() : void()), ...);
  }
};

template <bool read_only>
struct views {
  template <class F>
  using type = typename F::template view<read_only>;
};

}  // namespace mixed_detail

/// The format of weights<Default, Keeps...>.
template <format Default, class... Keeps>
struct mixed_formats {
  using compute = float;
  static_assert(std::same_as<typename Default::compute, float> &&
                    (std::same_as<typename Keeps::kept_format::compute, float> && ...),
                "ctlm: keep<> is for formats that compute in float: not for f64");
  static constexpr std::size_t bits = Default::bits;
  static constexpr const char* name = "mixed";
  using default_format = Default;  ///< of matrices that no keep<> has
  using kept = mixed_detail::list<Keeps...>;

  /// How matrices may be stored, each once; the first is the default.
  using formats = typename mixed_detail::unique<mixed_detail::list<>, stored<Default>,
                                                stored<typename Keeps::kept_format>...>::type;

  /// Which of the formats a matrix has.
  static constexpr std::size_t kind_of(std::size_t tensor, std::size_t layer) {
    std::size_t kind = 0;
    bool found = false;
    auto look = [&](bool has, std::size_t its) {
      if (has && !found) kind = its;
      found = found || has;
    };
    (look(Keeps::has(tensor, layer), formats::template index_of<stored<typename Keeps::kept_format>>()), ...);
    return kind;
  }
  /// How many of `n` layers from `first` on have a tensor in this format.
  static constexpr std::size_t layers_of(std::size_t kind, std::size_t tensor, std::size_t first, std::size_t n) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < n; ++i) count += kind_of(tensor, first + i) == kind;
    return count;
  }

  /// A stack of a tensor's layers, or a part of one layer.
  template <bool read_only>
  struct view {
    using format = mixed_formats;
    using stacks_type = mixed_detail::each<formats, mixed_detail::views<read_only>>;
    stacks_type stacks{};          // the layers in each format
    std::size_t tensor = 0;        // its number
    std::size_t layer = no_layer;  // the first one here
    std::size_t layers = 0;
    std::size_t rows = 0;
    std::size_t cols = 0;

    constexpr operator view<true>() const requires(!read_only) {
      view<true> v{{}, tensor, layer, layers, rows, cols};
      stacks_type::for_each([&]<class F>() { v.stacks.template of<F>() = stacks.template of<F>(); });
      return v;
    }
    /// Whole layers of the stack, or rows of its one layer.
    constexpr view slice(std::size_t first, std::size_t count) const {
      view v = *this;
      v.rows = count;
      const std::size_t of_layer = layer_rows();
      const std::size_t skipped = layers == 1 ? 0 : first / of_layer;
      v.layers = layers == 1 ? 1 : count / of_layer;
      v.layer = layer + skipped;
      stacks_type::for_each([&]<class F>() {
        constexpr std::size_t kind = formats::template index_of<F>();
        const std::size_t before = layers_of(kind, tensor, layer, skipped) * of_layer;
        const std::size_t taken = layers_of(kind, tensor, v.layer, v.layers);
        auto& stack = v.stacks.template of<F>();
        if (taken == 0)
          stack = {};
        else
          stack = layers == 1 ? stack.slice(first, count) : stack.slice(before, taken * of_layer);
      });
      return v;
    }
    constexpr std::size_t layer_rows() const { return larger(1, rows / larger(1, layers)); }
    /// f(view of its own format) for what lies in one layer.
    template <class Visit>
    constexpr void visit(Visit&& f) const {
      stacks_type::for_kind(kind_of(tensor, layer), [&]<class F>() { f(stacks.template of<F>()); });
    }
  };

  /// f(view in the row's format, its number there).
  template <class View, class Visit>
  static constexpr void with_row(const View& m, std::size_t row, Visit&& f) {
    const std::size_t of_layer = m.layer_rows(), before = row / of_layer;
    const std::size_t kind = kind_of(m.tensor, m.layer + before);
    const std::size_t its = layers_of(kind, m.tensor, m.layer, before) * of_layer + row % of_layer;
    View::stacks_type::for_kind(kind, [&]<class F>() { f(m.stacks.template of<F>(), its); });
  }
  static constexpr void encode(const view<false>& m, std::size_t row, const float* src) {
    with_row(m, row,
             [&](const auto& one, std::size_t r) { std::remove_cvref_t<decltype(one)>::format::encode(one, r, src); });
  }
  static constexpr void decode(const view<true>& m, std::size_t row, std::size_t first, std::size_t n, float* dst) {
    with_row(m, row, [&](const auto& one, std::size_t r) {
      std::remove_cvref_t<decltype(one)>::format::decode(one, r, first, n, dst);
    });
  }
  /// f(pointer, bytes) for every stretch of memory that a view points to.
  template <class View, class Visit>
  static constexpr void for_each_part(View& m, Visit&& f) {
    View::stacks_type::for_each([&]<class F>() {
      auto& stack = m.stacks.template of<F>();
      if (stack.rows > 0) F::for_each_part(stack, f);
    });
  }

  /// Asks an arena for `layers` layers of a tensor, of `rows` rows each, in matrices of `piece_rows`.
  template <class A>
  static constexpr auto place_tensor(A& a, std::size_t tensor, std::size_t layer, std::size_t layers, std::size_t rows,
                                     std::size_t cols, std::size_t piece_rows) {
    using plain_stack = decltype(f32_like::place(a, rows, cols));
    view<std::same_as<plain_stack, typename f32_like::template view<true>>> m;
    m.tensor = tensor;
    m.layer = layer;
    m.layers = layers;
    m.rows = layers * rows;
    m.cols = cols;
    m.stacks.for_each([&]<class F>() {
      const std::size_t n = layers_of(formats::template index_of<F>(), tensor, layer, layers) * rows;
      if (n == 0) return;
      if constexpr (quantised_format<F>)
        m.stacks.template of<F>() = F::place(a, n, cols, piece_rows);
      else
        m.stacks.template of<F>() = F::place(a, n, cols);
    });
    return m;
  }
  /// One matrix of a kind of its own, in the format of tensor 0.
  template <class A>
  static constexpr auto place(A& a, std::size_t rows, std::size_t cols) {
    return place_tensor(a, 0, no_layer, 1, rows, cols, rows);
  }

 private:
  using f32_like = stored<Default>;
};

template <format Default, class... Keeps>
struct stored_weights<mixed_formats<Default, Keeps...>> {
  using type = mixed_formats<Default, Keeps...>;
};

/// The format of weights<F, Keeps...>: F itself where nothing is kept in another one.
template <class F, class... Keeps>
struct weight_format_of {
  using type = mixed_formats<F, Keeps...>;
};
template <class F>
struct weight_format_of<F> {
  using type = F;
};

}}  // namespace ctlm
