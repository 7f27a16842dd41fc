// SPDX-License-Identifier: MIT
// ctlm: a model to integers by what its matrices see: the full model reads some tokens, layer by layer, and rounding is
// weighted by the inputs that it finds.
#pragma once

#include "../core/rng.hpp"
#include "../model/block.hpp"
#include "../model/conversion.hpp"
#include "../model/embedding_scale.hpp"
#include "../model/kernel_context.hpp"
#include "../model/vocabulary.hpp"
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

/// Rounds the weights of model Full to those of Small, which differ in their format alone. Full reads `Tokens` tokens,
/// `Sequence` at a time; all memory lies in an arena of bytes_needed(). Deterministic: the same for any number of
/// threads.
template <class Full, class Small, std::size_t Tokens = 2048,
          std::size_t Sequence = smaller(std::size_t{512}, Full::shape.context)>
class quantiser {
 public:
  using real = typename Full::real;                       ///< numbers of arithmetic
  using executor_type = typename Full::executor_policy;   ///< what the constructor takes last, where it has state
  using format = stored<typename Small::weight_format>;   ///< how the result is stored
  using numbers = typename format::numbers;               ///< which integers there are
  static constexpr decoder_shape shape = Full::shape;     ///< the model's sizes
  static constexpr std::size_t tokens = Tokens / Sequence * Sequence;  ///< that the full model reads at most
  static_assert(std::same_as<typename Full::shape_type, typename Small::shape_type>,
                "ctlm: a quantiser is made for two forms of one model, which differ in weights<> alone");
  static_assert(std::same_as<real, float>, "ctlm: a quantiser reads a model that computes in float");
  static_assert(tokens > 0, "ctlm: a quantiser reads at least one sequence of tokens");

  /// The arena's memory must outlive the quantiser. `method` decides how much of it is needed: see bytes_needed().
  template <arena A>
  requires std::is_empty_v<executor_type>
  constexpr explicit quantiser(A& a, rounding method = rounding::gptq) { start(a, method); }
  template <arena A>
  constexpr quantiser(A& a, executor_type& exec, rounding method = rounding::gptq) : exec_(exec) { start(a, method); }
  quantiser(const quantiser&) = delete;
  quantiser& operator=(const quantiser&) = delete;

  /// Exact bytes of the arena.
  static constexpr std::size_t bytes_needed(rounding method = rounding::gptq) {
    return measure([&](auto& a) { quantiser().place(a, method); });
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
    c_.exec = exec_.get();
    report_ = {};
    read(full, o);
    for (std::size_t layer = 0; layer < shape.layers; ++layer) {
      progress(layer, shape.layers);
      look_at_layer(full, layer);
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
  static constexpr std::size_t d = shape.d_model;
  static constexpr std::size_t widest = larger(larger(d, shape.d_ff), shape.q_dim());
  using stripe_type = rounded_stripe<numbers>;
  using statistics = typename Full::norm::template statistics<real>;

  constexpr quantiser() = default;

  template <class A>
  constexpr void start(A& a, rounding method) {
    if constexpr (requires { A::capacity; })
      require_room<bytes_needed()>(a, "quantiser");
    place(a, method);
  }

  template <class A>
  constexpr void place(A& a, rounding method) {
    constexpr std::size_t workers = executor_type::max_workers;
    const bool products = method == rounding::gptq;
    ids_ = a.template allocate<token>(tokens);
    x_ = a.template allocate<real>(tokens * d);
    normed_ = a.template allocate<real>(Sequence * d);
    importance_ = a.template allocate<real>(widest);
    const std::size_t columns[] = {d, shape.q_dim(), d, shape.d_ff};
    for (std::size_t i = 0; i < 4; ++i) inputs_[i] = input_statistics<real>::place(a, columns[i], products);
    stride_ = gemm_workspace<real>(c_.backend, input_statistics<real>::stripe, widest, Sequence);
    if (products) workspace_ = a.template allocate<real>(workers * stride_);
    for (auto& s : stripes_) s = stripe_type::place(a, widest);
    angles_ = rotary_angles<real>::place(a, shape, Sequence);
    overlay(
        a,
        [&](auto& reading) {
          c_.linear = decltype(c_.linear)::place(reading, Sequence, shape.most_outputs(), widest, workers);
          qkv_ = reading.template allocate<real>(Sequence * shape.qkv_dim());
          attended_ = reading.template allocate<real>(Sequence * shape.q_dim());
          up_ = reading.template allocate<real>(Sequence * shape.up_dim());
          activated_ = reading.template allocate<real>(Sequence * shape.d_ff);
          for (auto& ws : c_.attention)
            ws = attention_workspace<real>::place(reading, c_.backend, query_tile, shape.head_dim, false);
        },
        [&](auto& rounding) {
          if (!products) return;
          feedback_ = rounding_feedback<real>::place(rounding, widest);
          factorisation_ = rounding_feedback<real>::scratch_type::place(rounding, c_.backend, widest, workers);
        });
  }

  /// The tokens, and their embeddings to x_.
  template <class W>
  constexpr void read(const W& full, const quantise_options& o) {
    count_ = tokens;
    if (!o.text.empty()) {
      check(o.text.size() >= Sequence,
            failure{errc::invalid_argument,
                    "ctlm: a quantiser reads sequences of {needed} tokens, and the text has {had}", 0, Sequence,
                    o.text.size()});
      require_tokens(o.text, shape.vocab);
      count_ = smaller(tokens, o.text.size() / Sequence * Sequence);
    }
    rng random{o.seed};
    for (std::size_t i = 0; i < count_; ++i)
      ids_[i] = o.text.empty() ? static_cast<token>(random.below(shape.vocab)) : o.text[i];
    embed(c_.backend, *c_.exec, typename W::format{}, count_, ids_, full.matrix_of(tensor_id::token_embedding), x_);
    scale_embeddings<Full>(c_, count_, x_);
    if constexpr (shape.position == position_kind::learned)
      add_positions(c_.backend, *c_.exec, typename W::format{}, count_, Sequence, 0,
                    full.matrix_of(tensor_id::position_embedding), x_, normed_);
    angles_.template fill<Full>(0, Sequence);
  }

  /// All tokens through one layer: x_ becomes its output, inputs_ what its matrices saw.
  template <class W>
  constexpr void look_at_layer(const W& full, std::size_t layer) {
    for (auto& s : inputs_) s.clear();
    const observed_layer<W, real> seen{full, inputs_, workspace_, stride_};
    for (std::size_t first = 0; first < count_; first += Sequence) {
      block_state<real, statistics> s;
      s.x = s.mid = s.out = x_ + first * d;
      s.normed = s.branch1 = s.branch2 = normed_;
      s.qkv = qkv_;
      s.attended = attended_;
      s.up = up_;
      s.activated = activated_;
      auto attend_rows = [&](real* qkv, real* out) { attend(full, layer, qkv, out); };
      block_forward<Full>(c_, seen, layer, Sequence, s, attend_rows, no_dropout{}, no_dropout{});
    }
  }

  /// Attention within one sequence.
  template <class W>
  constexpr void attend([[maybe_unused]] const W& full, std::size_t layer, real* qkv, real* out) {
    normalise_heads<Full>(c_, full, layer, Sequence, qkv);
    rotate<Full>(c_, layer, Sequence, angles_, qkv, real(1));
    const auto heads = heads_of_layer<Full>(layer);
    const batch_keys<real, std::remove_cv_t<decltype(heads)>> keys{qkv, heads, Sequence};
    attention_forward(c_.backend, *c_.exec, heads, batch_rows{1, Sequence}, static_cast<const real*>(qkv), keys, out,
                      static_cast<real*>(nullptr), dropout_mask{}, c_.attention);
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
    for (std::size_t first = 0; first < count_; first += Sequence) {
      norm_forward(typename Full::norm{}, c_.backend, *c_.exec, Sequence, d,
                   static_cast<const real*>(x_) + first * d, full.vector_of(tensor_id::norm_weight),
                   full.vector_of(tensor_id::norm_bias), normed_, shape.norm_eps, nullptr);
      inputs_[0].add(c_.backend, *c_.exec, Sequence, static_cast<const real*>(normed_), workspace_, stride_);
    }
    constexpr tensor_id head = shape.tie_embeddings ? tensor_id::token_embedding : tensor_id::head_weight;
    for (const tensor_info& t : To::tensors)
      if (t.is_matrix() && !t.is_of_layer())
        round(full.matrix_of(t.id), small.matrix_of(t.id), t.id == head ? &inputs_[0] : nullptr, o);
  }

  /// One matrix. Without inputs, by its own numbers alone.
  template <class From, class To>
  constexpr void round(const From& from, const To& to, const input_statistics<real>* inputs,
                       const quantise_options& o) {
    const std::size_t n = to.cols;
    const real* weights = nullptr;
    bool fed_back = false;
    if (inputs != nullptr) {
      for (std::size_t j = 0; j < n; ++j) importance_[j] = inputs->squares[j] / static_cast<real>(inputs->rows);
      weights = importance_;
      fed_back = o.method == rounding::gptq &&
                 feedback_.compute(c_.backend, *c_.exec, *inputs, o.damping, o.by_size, factorisation_);
    }
    conversion reports[executor_type::max_workers]{};
    parallel_for(*c_.exec, to.rows, stripe_rows, [&](std::size_t first, std::size_t count, std::size_t worker) {
      const stripe_type& s = stripes_[worker];
      for (std::size_t r = 0; r < count; ++r) {
        From::format::decode(from, first + r, 0, n, s.rows + r * n);
        format::encode(to, first + r, s.rows + r * n, weights);
      }
      if (fed_back) round_with_feedback<numbers>(to, first, count, feedback_, s);
      for (std::size_t r = 0; r < count; ++r) inspect_row<format>(to, first + r, s.rows + r * n, reports[worker]);
    });
    for (const conversion& r : reports) report_.add(r);
  }

  [[no_unique_address]] executor_slot<executor_type> exec_{};
  kernel_context<Full> c_{};
  conversion report_{};
  token* ids_ = nullptr;
  std::size_t count_ = 0;  // tokens that are read
  real* x_ = nullptr;      // [tokens][d_model]
  real* normed_ = nullptr;
  real* importance_ = nullptr;           // [widest] mean squares of a matrix's inputs
  input_statistics<real> inputs_[4]{};   // of qkv, out, up and down
  real* workspace_ = nullptr;            // of sums of products
  std::size_t stride_ = 0;
  stripe_type stripes_[executor_type::max_workers]{};
  rotary_angles<real> angles_{};
  real* qkv_ = nullptr;
  real* attended_ = nullptr;
  real* up_ = nullptr;
  real* activated_ = nullptr;
  rounding_feedback<real> feedback_{};
  typename rounding_feedback<real>::scratch_type factorisation_{};
};

}}  // namespace ctlm
