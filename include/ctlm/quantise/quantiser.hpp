// SPDX-License-Identifier: MIT
// ctlm: a model to integers by what its matrices see: the full model reads some tokens, layer by layer, and rounding is
// weighted by the inputs that it finds.
#pragma once

#include "../model/conversion.hpp"
#include "reader.hpp"
#include "round_matrix.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// How weights become integers.
enum class rounding : std::uint8_t {
  weighted,  ///< each group by itself, errors weighted by the mean square of the input that they meet
  gptq,      ///< as weighted; then column by column, each error made good by the columns after it
};

/// What a quantiser is told at run time.
struct quantise_options {
  rounding method = rounding::weighted;  ///< how to round
  std::uint64_t seed = 1;                ///< of the tokens that are drawn where there is no text
  span<const token> text{};  ///< what the model reads; its beginning, as far as there is room. None: tokens are drawn
  double damping = 0.01;     ///< gptq: what is added to the diagonal, as a part of its mean
  bool by_size = true;       ///< gptq: columns with large inputs are rounded first ("act order")
};

/// What a quantiser has memory for.
struct quantiser_room {
  rounding method = rounding::gptq;  ///< gptq: the other method, too
  std::size_t tokens = 2048;         ///< that the full model reads at most: whole sequences of them
};

/// The weights of a layer as its block sees them: matrices whose inputs are looked at.
template <class W, class T>
struct observed_layer {
  const W& weights;             ///< those of the model
  input_statistics<T>* inputs;  ///< [4] of qkv, out, up and down
  T* workspace;                 ///< of input_statistics::add
  std::size_t stride;           ///< numbers of it for each worker

  /// Which of the four inputs a matrix has.
  static constexpr std::size_t input_of(tensor_id id) {
    return id == tensor_id::qkv_weight ? 0 : id == tensor_id::out_weight ? 1 : id == tensor_id::up_weight ? 2 : 3;
  }
  /// The view of one matrix.
  template <tensor_id id>
  constexpr auto matrix_of(std::size_t layer = 0) const {
    const auto m = weights.template matrix_of<id>(layer);
    return observed_matrix<std::remove_cv_t<decltype(m)>, T>{m, inputs + input_of(id), workspace, stride};
  }
  /// A gain or a bias.
  constexpr auto vector_of(tensor_id id, std::size_t layer = 0) const { return weights.vector_of(id, layer); }
};

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
  static_assert(shape.experts == 0,
                "ctlm: a quantiser cannot tell yet what each of several experts sees: quantise() rounds without that");

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
    for (std::size_t layer = 0; layer < shape.layers; ++layer) {
      progress(layer, shape.layers);
      for (auto& s : inputs_) s.clear();
      reader_.read_layer(
          full, observed_layer<std::remove_cvref_t<decltype(full)>, real>{full, inputs_, workspace_, stride_}, layer);
      for_each_matrix<tensor_id::qkv_weight, tensor_id::out_weight, tensor_id::up_weight, tensor_id::down_weight>(
          [&]<tensor_id id>() {
            round(full.template matrix_of<id>(layer), small.template matrix_of<id>(layer),
                  &inputs_[observed_layer<int, real>::input_of(id)], o);
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
  static constexpr std::size_t widest = reader_type::widest;

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
    const std::size_t columns[] = {shape.d_model, shape.q_dim(), shape.d_model, shape.d_ff};
    for (std::size_t i = 0; i < 4; ++i) inputs_[i] = input_statistics<real>::place(a, columns[i], products);
    stride_ = gemm_workspace<real>(backend, input_statistics<real>::stripe, widest, Sequence);
    if (products) workspace_ = a.template allocate<real>(workers * stride_);
    for (auto& s : stripes_) s = rounded_stripe::place(a, widest, most_groups<format>());
    overlay(
        a, [&](auto& reading) { reader_.place_scratch(reading); },
        [&](auto& rounding) {
          if (!products) return;
          feedback_ = rounding_feedback<real>::place(rounding, widest);
          factorisation_ = rounding_feedback<real>::scratch_type::place(rounding, backend, widest, workers);
        });
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
    reader_.for_each_final_row(
        full, [&](const real* rows) { inputs_[0].add(backend, *exec_.get(), Sequence, rows, workspace_, stride_); });
    constexpr tensor_id head = shape.tie_embeddings ? tensor_id::token_embedding : tensor_id::head_weight;
    for (const tensor_info& t : To::tensors)
      if (t.is_matrix() && !t.is_of_layer())
        round(full.matrix_of(t.id), small.matrix_of(t.id), t.id == head ? &inputs_[0] : nullptr, o);
  }

  /// One matrix. Without inputs, or with some that are not finite, by its own numbers alone.
  template <class From, class To>
  constexpr void round(const From& from, const To& to, const input_statistics<real>* inputs,
                       const quantise_options& o) {
    using target = typename To::format;
    if constexpr (mixed_format<target>) {
      to.visit([&](const auto& one) { round(from, one, inputs, o); });
    } else {
      round_one(from, to, quantised_format<target> ? inputs : nullptr, o);
    }
  }
  template <class From, class To>
  constexpr void round_one(const From& from, const To& to, const input_statistics<real>* inputs,
                           const quantise_options& o) {
    using target = typename To::format;
    const std::size_t n = to.cols;
    const real* weights = nullptr;
    bool fed_back = false;
    if (inputs != nullptr && inputs->mean_squares(importance_)) {
      weights = importance_;
      fed_back = o.method == rounding::gptq &&
                 feedback_.compute(backend, *exec_.get(), *inputs, o.damping, o.by_size, factorisation_);
    }
    conversion reports[executor_type::max_workers]{};
    parallel_for(*exec_.get(), to.rows, stripe_rows, [&](std::size_t first, std::size_t count, std::size_t worker) {
      const rounded_stripe& s = stripes_[worker];
      for (std::size_t r = 0; r < count; ++r) {
        From::format::decode(from, first + r, 0, n, s.rows + r * n);
        if constexpr (quantised_format<target>)
          target::encode(to, first + r, s.rows + r * n, weights);
        else
          target::encode(to, first + r, s.rows + r * n);
      }
      if constexpr (quantised_format<target>)
        if (fed_back) round_with_feedback<typename target::numbers>(to, first, count, feedback_, s);
      for (std::size_t r = 0; r < count; ++r) inspect_row<target>(to, first + r, s.rows + r * n, reports[worker]);
    });
    for (const conversion& r : reports) report_.add(r);
  }

  [[no_unique_address]] executor_slot<executor_type> exec_{};
  reader_type reader_{};
  conversion report_{};
  real* importance_ = nullptr;          // [widest] mean squares of a matrix's inputs
  input_statistics<real> inputs_[4]{};  // of qkv, out, up and down
  real* workspace_ = nullptr;           // of sums of products
  std::size_t stride_ = 0;
  rounded_stripe stripes_[executor_type::max_workers]{};
  rounding_feedback<real> feedback_{};
  typename rounding_feedback<real>::scratch_type factorisation_{};
};

}}  // namespace ctlm
