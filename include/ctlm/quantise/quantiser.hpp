// SPDX-License-Identifier: MIT
// ctlm: a model to integers by what its matrices see: the full model reads some tokens, layer by layer, and rounding is
// weighted by the inputs that it finds.
#pragma once

#include "../model/conversion.hpp"
#include "layers.hpp"
#include "options.hpp"
#include "reader.hpp"
#include "round_matrix.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Rounds the weights of model Full to those of Small, which differ in their format alone. Full reads tokens,
/// `Sequence` at a time; all memory lies in an arena of bytes_needed(room). Deterministic: the same for any number of
/// threads.
template <class Full, class Small, std::size_t Sequence = smaller(std::size_t{512}, Full::shape.context)>
class quantiser {
 public:
  using real = typename Full::real;                      ///< numbers of arithmetic
  using executor_type = typename Full::executor_policy;  ///< what the constructor takes last, where it has state
  using format = stored<typename Small::weight_format>;  ///< how the result is stored
  static constexpr decoder_shape shape = Full::shape;    ///< the model's sizes
  static_assert(std::same_as<typename Full::shape_type, typename Small::shape_type>,
                "ctlm: a quantiser is made for two forms of one model, which differ in weights<> alone");
  static_assert(std::same_as<real, float>, "ctlm: a quantiser reads a model that computes in float");

  /// The arena's memory must outlive the quantiser. Raises errc::out_of_memory where the arena has less than
  /// bytes_needed(room), and errc::invalid_argument for room for less than one sequence.
  template <arena A>
  requires std::is_empty_v<executor_type>
  constexpr explicit quantiser(A& a, const quantiser_room& room = {}) { start(a, room); }
  template <arena A>
  constexpr quantiser(A& a, executor_type& exec, const quantiser_room& room = {}) : exec_(exec) {
    start(a, room);
  }
  quantiser(const quantiser&) = delete;
  quantiser& operator=(const quantiser&) = delete;

  /// Exact bytes of the arena.
  static constexpr std::size_t bytes_needed(const quantiser_room& room = {}) {
    return measure([&](auto& a) { quantiser().place(a, room); });
  }

  /// small = full, rounded. `progress(layer, layers)` is called before each layer and after the last. Returns what
  /// could not be kept. Raises errc::invalid_argument for tokens outside the vocabulary, a text shorter than one
  /// sequence, and for gptq without its memory.
  template <class From, class To, class Progress>
  constexpr conversion run(const weight_views<typename Full::shape_type, From>& full,
                           const weight_views<typename Full::shape_type, To>& small, const quantise_options& o,
                           Progress&& progress) {
    check(o.method != rounding::gptq || feedback_.factors != nullptr, errc::invalid_argument,
          "ctlm: this quantiser was made without the memory that gptq needs");
    report_ = {};
    reader_.use(*exec_.get());
    if (o.text.empty())
      reader_.draw(o.seed);
    else
      reader_.take(o.text);
    reader_.begin(full);
    const bool follows = o.method == rounding::gptq && o.towards_exact != 0;
    if (follows) copy(reader_.stream(), follower_);
    for (std::size_t layer = 0; layer < shape.layers; ++layer) {
      progress(layer, shape.layers);
      for (auto& s : inputs_) s.clear();
      for (auto& s : experts_) s.clear();
      if (follows)
        observe_both(full, layer);
      else
        reader_.read_layer(full, seen(full, nullptr, true), layer);
      round_layer(full, small, layer, o);
      if (follows)
        for_each_sequence([&](std::size_t first) {
          reader_.read_sequence(full, replaced_layer<views<From>>{full, rounded_}, layer, follower_ + first * d);
        });
    }
    progress(shape.layers, shape.layers);
    round_common(full, small, o);
    return report_;
  }
  template <class From, class To>
  constexpr conversion run(const weight_views<typename Full::shape_type, From>& full,
                           const weight_views<typename Full::shape_type, To>& small, const quantise_options& o = {}) {
    return run(full, small, o, [](std::size_t, std::size_t) {});
  }

 private:
  static constexpr typename Full::backend_policy backend{};
  using reader_type = layer_reader<Full, Sequence>;
  static constexpr std::size_t widest = reader_type::widest, d = shape.d_model;
  static constexpr std::size_t chunk = 256;  // rows of a matrix that move together
  static constexpr std::size_t columns[layer_inputs] = {d, shape.q_dim(), d, shape.d_ff};
  static constexpr std::size_t feed_forwards = larger(1, shape.experts);  // of a layer
  static constexpr std::size_t outputs[layer_inputs] = {shape.qkv_dim(), d, feed_forwards* shape.up_dim(),
                                                        feed_forwards* d};
  static constexpr std::size_t shared_inputs = shared_inputs_of(shape);
  template <class From>
  using views = weight_views<typename Full::shape_type, From>;
  template <class From>
  using observed = observed_layer<views<From>, real>;

  /// The most groups that a row has in any of the formats.
  template <class F>
  static constexpr std::size_t most_groups() {
    std::size_t most = 0;
    if constexpr (mixed_format<F>)
      mixed_detail::each<typename F::formats, mixed_detail::views<true>>::for_each(
          [&]<class G>() { most = larger(most, most_groups<G>()); });
    else if constexpr (quantised_format<F>)
      most = F::groups(widest);
    return most;
  }

  constexpr quantiser() = default;

  template <class A>
  constexpr void start(A& a, const quantiser_room& room) {
    check(room.tokens >= Sequence,
          failure{errc::invalid_argument,
                  "ctlm: a quantiser reads sequences of {needed} tokens, and is to have room for {had}", 0, Sequence,
                  room.tokens});
    if constexpr (requires { a.remaining(); }) {
      const std::size_t needed = bytes_needed(room);
      check(a.remaining() >= needed,
            failure{errc::out_of_memory,
                    "ctlm: the arena is too small for the {name}: {needed} bytes are needed, {had} are free", 0, needed,
                    a.remaining(), "quantiser"});
    }
    place(a, room);
  }

  template <class A>
  constexpr void place(A& a, const quantiser_room& room) {
    constexpr std::size_t workers = executor_type::max_workers;
    const bool products = room.method == rounding::gptq;
    reader_.place(a, room.tokens);
    importance_ = a.template allocate<real>(widest);
    for (std::size_t i = 0; i < shared_inputs; ++i) inputs_[i] = input_statistics<real>::place(a, columns[i], products);
    experts_[0] = expert_statistics<real, shape.experts>::place(a, d, products);
    experts_[1] = expert_statistics<real, shape.experts>::place(a, shape.d_ff, products);
    if (products) place_follower(a, room.tokens);
    stride_ = gemm_workspace<real>(backend, input_statistics<real>::stripe, widest, Sequence);
    if (products) workspace_ = a.template allocate<real>(workers * stride_);
    for (auto& s : stripes_) s = rounded_stripe::place(a, widest, most_groups<format>());
    overlay(
        a, [&](auto& reading) { reader_.place_scratch(reading); },
        [&](auto& rounding) {
          if (!products) return;
          exact_rows_ = rounding.template allocate<real>(chunk * widest);
          moves_ = rounding.template allocate<real>(chunk * widest);
          move_stride_ = gemm_workspace<real>(backend, chunk, widest, widest);
          move_panels_ = rounding.template allocate<real>(workers * move_stride_);
          feedback_ = rounding_feedback<real>::place(rounding, widest);
          factorisation_ = rounding_feedback<real>::scratch_type::place(rounding, backend, widest, workers);
        });
  }

  /// What follows the exact model with rounded weights.
  template <class A>
  constexpr void place_follower(A& a, std::size_t tokens) {
    follower_ = a.template allocate<real>(tokens / Sequence * Sequence * d);
    passing_ = a.template allocate<real>(Sequence * d);
    for (std::size_t i = 0; i < layer_inputs; ++i) {
      if (i < shared_inputs) exact_[i] = a.template allocate<real>(Sequence * columns[i]);
      rounded_[i] = a.template allocate<float>(outputs[i] * columns[i]);
    }
    picks_ = kept_picks<real>::place_for(a, shape, Sequence);
  }

  template <class F>
  constexpr void for_each_sequence(F&& f) const {
    for (std::size_t first = 0; first < reader_.stream().size() / d; first += Sequence) f(first);
  }
  static constexpr void copy(span<const real> from, real* to) {
    for (std::size_t i = 0; i < from.size(); ++i) to[i] = from[i];
  }

  /// The layer's weights, whose inputs are added up: `exact` are those of the exact model, or nullptr.
  template <class From>
  constexpr observed<From> seen(const views<From>& full, real* const* exact, bool goes_on) {
    return {full,
            inputs_,
            workspace_,
            stride_,
            exact,
            goes_on,
            {experts_, &reader_.routed(), exact == nullptr ? nullptr : &picks_}};
  }

  /// All tokens through the exact layer, twice: as the exact model has them, and as one with rounded layers before.
  template <class From>
  constexpr void observe_both(const views<From>& full, std::size_t layer) {
    for_each_sequence([&](std::size_t first) {
      const recorded_layer<views<From>, real> kept{full, exact_, &reader_.routed(), &picks_};
      reader_.read_sequence(full, kept, layer, reader_.stream().data() + first * d);
      if constexpr (shape.experts > 0) picks_.note(shape, Sequence, reader_.routed());
      copy({follower_ + first * d, Sequence * d}, passing_);
      reader_.read_sequence(full, seen(full, exact_, false), layer, passing_);
    });
  }

  template <class From, class To>
  constexpr void round_layer(const From& full, const To& small, std::size_t layer, const quantise_options& o) {
    for_each_matrix<tensor_id::qkv_weight, tensor_id::out_weight, tensor_id::up_weight, tensor_id::down_weight>(
        [&]<tensor_id id>() {
          constexpr std::size_t i = input_of(id);
          if constexpr (shape.experts > 0 && i >= 2)
            round_experts<id>(full, small, layer, o);
          else
            round(full.template matrix_of<id>(layer), small.template matrix_of<id>(layer), &inputs_[i], o, rounded_[i]);
        });
  }

  /// One matrix of each expert. Products of all columns need twice as many rows as there are columns to be known well.
  template <tensor_id id, class From, class To>
  constexpr void round_experts(const From& full, const To& small, std::size_t layer, const quantise_options& o) {
    constexpr std::size_t i = input_of(id), numbers = outputs[i] / feed_forwards * columns[i];
    auto& inputs = experts_[i - 2];
    inputs.complete(backend, *exec_.get(), o.method == rounding::gptq ? 2 * columns[i] : enough_rows);
    for (std::size_t e = 0; e < shape.experts; ++e)
      round(full.template expert_of<id>(layer, e), small.template expert_of<id>(layer, e), &inputs.each[e], o,
            rounded_[i] == nullptr ? nullptr : rounded_[i] + e * numbers);
  }

  template <tensor_id... ids, class F>
  static constexpr void for_each_matrix(F&& f) {
    (f.template operator()<ids>(), ...);
  }

  /// The matrices that the model has once, and all gains and biases.
  template <class From, class To>
  constexpr void round_common(const From& full, const To& small, const quantise_options& o) {
    for (const tensor_info& t : To::tensors)
      if (!t.is_matrix())
        for (std::size_t j = 0; j < t.size(); ++j) small.raw_vector(t.index())[j] = full.raw_vector(t.index())[j];
    inputs_[0].clear();
    const bool follows = o.method == rounding::gptq && o.towards_exact != 0;
    for_each_sequence([&](std::size_t first) {
      const real* const rows = reader_.final_rows(full, reader_.stream().data() + first * d);
      if (follows) {
        copy({rows, Sequence * d}, exact_[0]);
        reader_.final_rows(full, follower_ + first * d);
      }
      inputs_[0].add(backend, *exec_.get(), Sequence, rows, workspace_, stride_);
      if (follows) inputs_[0].add_moved(backend, *exec_.get(), Sequence, rows, exact_[0], workspace_, stride_);
    });
    constexpr tensor_id head = shape.tie_embeddings ? tensor_id::token_embedding : tensor_id::head_weight;
    for (const tensor_info& t : To::tensors)
      if (t.is_matrix() && !t.is_of_layer())
        round(full.matrix_of(t.id), small.matrix_of(t.id), t.id == head ? &inputs_[0] : nullptr, o, nullptr);
  }

  /// One matrix. Without inputs, or with some that are not finite, by its own numbers alone. What its codes stand for
  /// goes to `numbers`, if there are any.
  template <class From, class To>
  constexpr void round(const From& from, const To& to, const input_statistics<real>* inputs, const quantise_options& o,
                       float* numbers) {
    using target = typename To::format;
    if constexpr (mixed_format<target>) {
      to.visit([&](const auto& one) { round(from, one, inputs, o, numbers); });
    } else {
      round_one(from, to, quantised_format<target> ? inputs : nullptr, o, numbers);
    }
  }
  template <class From, class To>
  constexpr void round_one(const From& from, const To& to, const input_statistics<real>* inputs,
                           const quantise_options& o, float* numbers) {
    using target = typename To::format;
    const std::size_t n = to.cols;
    const real* weights = nullptr;
    bool fed_back = false;
    if (inputs != nullptr && inputs->mean_squares(importance_)) {
      weights = importance_;
      fed_back = o.method == rounding::gptq &&
                 feedback_.compute(backend, *exec_.get(), *inputs, o.damping, o.by_size, factorisation_);
    }
    const bool moves = fed_back && o.towards_exact != 0;
    if (moves) feedback_.divide(backend, *exec_.get(), n, inputs->moved, factorisation_);
    conversion reports[executor_type::max_workers]{};
    for (std::size_t begin = 0; begin < to.rows; begin += chunk) {
      const std::size_t rows = smaller(chunk, to.rows - begin);
      if (moves) find_moves(from, begin, rows, *inputs);
      parallel_for(*exec_.get(), rows, stripe_rows, [&](std::size_t at, std::size_t count, std::size_t worker) {
        const rounded_stripe& s = stripes_[worker];
        const std::size_t first = begin + at;
        for (std::size_t r = 0; r < count; ++r) {
          From::format::decode(from, first + r, 0, n, s.rows + r * n);
          if (moves) move_row(n, moves_ + (at + r) * n, static_cast<float>(o.towards_exact), s.rows + r * n);
          if constexpr (quantised_format<target>)
            target::encode(to, first + r, s.rows + r * n, weights);
          else
            target::encode(to, first + r, s.rows + r * n);
        }
        if constexpr (quantised_format<target>)
          if (fed_back) round_with_feedback<typename target::numbers>(to, first, count, feedback_, s);
        for (std::size_t r = 0; r < count; ++r) inspect_row<target>(to, first + r, s.rows + r * n, reports[worker]);
        if (numbers != nullptr)
          for (std::size_t r = 0; r < count; ++r) target::decode(to, first + r, 0, n, numbers + (first + r) * n);
      });
    }
    for (const conversion& r : reports) report_.add(r);
  }

  /// moves_ = W M (H + damping)^-1 of some rows of a matrix W: with all of it, the matrix comes as near as one can to
  /// making of what the rounded model has there what it makes of what the exact model has (GPTAQ: Li, Yin, Lee, Xiao,
  /// Panda 2025, all columns at once). `inputs` hold M (H + damping)^-1 in the place of M.
  template <class From>
  constexpr void find_moves(const From& from, std::size_t begin, std::size_t rows,
                            const input_statistics<real>& inputs) {
    const std::size_t n = from.cols;
    parallel_for(*exec_.get(), rows, stripe_rows, [&](std::size_t first, std::size_t count, std::size_t) {
      for (std::size_t r = first; r < first + count; ++r)
        From::format::decode(from, begin + r, 0, n, exact_rows_ + r * n);
    });
    matmul(backend, *exec_.get(), rows, n, n, row_major(static_cast<const real*>(exact_rows_), n),
           row_major(static_cast<const real*>(inputs.moved), n), moves_, n, false, move_panels_, move_stride_);
  }

  [[no_unique_address]] executor_slot<executor_type> exec_{};
  reader_type reader_{};
  conversion report_{};
  real* importance_ = nullptr;  // [widest] mean squares of a matrix's inputs
  input_statistics<real> inputs_[layer_inputs]{};
  expert_statistics<real, shape.experts> experts_[2]{};  // of up and down, where the last two inputs_ see nothing
  kept_picks<real> picks_{};                             // inputs of the exact model's experts
  real* follower_ = nullptr;                             // [tokens][d_model] what flows through the rounded layers
  real* passing_ = nullptr;                              // [Sequence][d_model] a copy of some of it
  real* exact_[layer_inputs]{};                          // [Sequence][columns] inputs of the exact model
  float* rounded_[layer_inputs]{};                       // [outputs][columns] what the codes of a layer stand for
  real* workspace_ = nullptr;                            // of sums of products
  std::size_t stride_ = 0;
  real* exact_rows_ = nullptr;   // [chunk][columns] rows of a matrix
  real* moves_ = nullptr;        // [chunk][columns] and how far they may move
  real* move_panels_ = nullptr;  // of products
  std::size_t move_stride_ = 0;
  rounded_stripe stripes_[executor_type::max_workers]{};
  rounding_feedback<real> feedback_{};
  typename rounding_feedback<real>::scratch_type factorisation_{};
};

}}  // namespace ctlm
