// SPDX-License-Identifier: MIT
// ctlm: what it costs a model to store each of its matrices in each of some formats.
//
// A matrix is rounded alone, to one format, the probe, and the model reads some tokens with it: how far its predictions
// then are from the exact ones (a divergence, in nats for each token) is what that costs. It grows with the square of
// the error, so that in another format the matrix costs as many times that as its error, weighted by what its inputs
// are like, is larger. Costs of several matrices add up, as long as they are small.
#pragma once

#include "../kernels/divergence.hpp"
#include "candidates.hpp"
#include "quantiser.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Weights of which one matrix, that of a layer, lies elsewhere.
template <class W, class T>
struct replaced_matrix {
  const W& weights;    ///< all others
  matrix_place where;  ///< which one
  T* numbers;          ///< its own: [rows][cols]

  /// The view of one matrix.
  template <tensor_id id>
  constexpr auto matrix_of(std::size_t layer = 0) const {
    auto m = weights.template matrix_of<id>(layer);
    if (id == where.id && layer == where.layer) m.data = numbers;
    return m;
  }
  /// The view of one expert's matrix: a part of it.
  template <tensor_id id>
  constexpr auto expert_of(std::size_t layer, std::size_t expert) const {
    auto m = weights.template expert_of<id>(layer, expert);
    if (id == where.id && layer == where.layer) m.data = numbers + expert * m.rows * m.cols;
    return m;
  }
  /// A gain or a bias.
  constexpr auto vector_of(tensor_id id, std::size_t layer = 0) const { return weights.vector_of(id, layer); }
};

/// Finds what each matrix of model Full, in single precision, costs in each of the candidates. Full reads tokens,
/// `Sequence` at a time, once for every matrix, from the matrix's layer on; all memory lies in an arena of
/// bytes_needed(tokens): mostly 4 bytes for each number of the largest matrix and for each logit of the tokens.
/// Deterministic: the same for any number of threads.
template <class Full, class Candidates = default_candidates, format Probe = int4<64, asymmetric>,
          std::size_t Sequence = smaller(std::size_t{256}, Full::shape.context)>
class sensitivity {
 public:
  using real = typename Full::real;                      ///< numbers of arithmetic
  using executor_type = typename Full::executor_policy;  ///< what the constructor takes last, where it has state
  using list = matrices_of<typename Full::shape_type>;   ///< the matrices
  static constexpr decoder_shape shape = Full::shape;    ///< the model's sizes
  static constexpr std::size_t least_tokens = Sequence;  ///< of a text: one sequence
  static_assert(std::same_as<typename Full::weight_format, f32>, "ctlm: sensitivity<> needs a model in f32");

  /// The arena's memory must outlive this. Raises errc::out_of_memory where the arena has less than
  /// bytes_needed(tokens), and errc::invalid_argument for room for less than one sequence.
  template <arena A>
  requires std::is_empty_v<executor_type>
  constexpr explicit sensitivity(A& a, std::size_t tokens = 2 * Sequence) { start(a, tokens); }
  template <arena A>
  constexpr sensitivity(A& a, executor_type& exec, std::size_t tokens = 2 * Sequence) : exec_(exec) {
    start(a, tokens);
  }
  sensitivity(const sensitivity&) = delete;
  sensitivity& operator=(const sensitivity&) = delete;

  /// Exact bytes of the arena.
  static constexpr std::size_t bytes_needed(std::size_t tokens = 2 * Sequence) {
    return measure([&](auto& a) { sensitivity().place(a, tokens); });
  }

  /// Costs [matrices][candidates], in nats a token. `text` is what the model reads: whole sequences of its beginning,
  /// as far as there is room; none: tokens are drawn, by `seed`. `progress(matrix, matrices)` is called before each and
  /// after the last. Raises errc::invalid_argument for tokens outside the vocabulary, and a text shorter than one
  /// sequence; errc::invalid_argument where predictions are not finite.
  template <class From, class Progress>
  constexpr span<const double> run(const weight_views<typename Full::shape_type, From>& full, span<const token> text,
                                   std::uint64_t seed, Progress&& progress) {
    reader_.use(*exec_.get());
    if (text.empty())
      reader_.draw(seed);
    else
      reader_.take(text);
    done_ = 0;
    observe(full);
    for (const tensor_info& t : list::tensors)
      if (t.is_matrix() && !t.is_of_layer()) probe_common(full, t.id, progress);
    reader_.begin(full);
    for (std::size_t layer = 0; layer < shape.layers; ++layer) {
      copy(reader_.stream(), saved_);
      probe_layer<tensor_id::qkv_weight>(full, layer, progress);
      probe_layer<tensor_id::out_weight>(full, layer, progress);
      probe_layer<tensor_id::up_weight>(full, layer, progress);
      probe_layer<tensor_id::down_weight>(full, layer, progress);
      copy({saved_, reader_.stream().size()}, reader_.stream().data());
      reader_.read_layer(full, full, layer);
    }
    progress(list::count, list::count);
    return costs();
  }
  template <class From>
  constexpr span<const double> run(const weight_views<typename Full::shape_type, From>& full, span<const token> text,
                                   std::uint64_t seed = 1) {
    return run(full, text, seed, [](std::size_t, std::size_t) {});
  }

  /// What run() returned last.
  constexpr span<const double> costs() const { return {costs_, list::count * Candidates::size}; }

 private:
  static constexpr typename Full::backend_policy backend{};
  static constexpr std::size_t workers = executor_type::max_workers;
  static constexpr std::size_t chunk = smaller(Sequence, std::size_t{64});  // rows of logits alive at once
  using reader_type = layer_reader<Full, Sequence>;
  static constexpr std::size_t widest = reader_type::widest;
  static constexpr std::size_t shared_inputs = shared_inputs_of(shape);
  /// Means of a layer: one for each kind of rows, or for each expert.
  static constexpr std::size_t layer_places = 2 + 2 * larger(1, shape.experts);
  static constexpr std::size_t place_of(std::size_t layer, std::size_t input) {
    return layer * layer_places + (input < 2 ? input : 2 + (input - 2) * larger(1, shape.experts));
  }
  template <class... Fs>
  static constexpr auto stored_list(candidates<Fs...>*) {
    return typename mixed_detail::unique<mixed_detail::list<>, stored<Probe>, stored<Fs>...>::type{};
  }
  using formats = decltype(stored_list(static_cast<Candidates*>(nullptr)));  // the probe is the first
  using stripes = mixed_detail::each<formats, mixed_detail::views<false>>;   // sixteen rows in each format

  /// Rows of the matrix with the most, and numbers of the largest.
  static constexpr std::size_t most(bool numbers) {
    std::size_t n = 0;
    for (const tensor_info& t : list::tensors)
      if (t.is_matrix()) n = larger(n, t.rows * (numbers ? t.cols : 1));
    return n;
  }
  static constexpr std::size_t most_stripes = ceil_div(most(false), stripe_rows);

  constexpr sensitivity() = default;

  template <class A>
  constexpr void start(A& a, std::size_t tokens) {
    check(tokens >= Sequence,
          failure{errc::invalid_argument,
                  "ctlm: sensitivities are found by sequences of {needed} tokens, and there is to be room for {had}", 0,
                  Sequence, tokens});
    if constexpr (requires { a.remaining(); }) {
      const std::size_t needed = bytes_needed(tokens);
      check(a.remaining() >= needed,
            failure{errc::out_of_memory,
                    "ctlm: the arena is too small for the {name}: {needed} bytes are needed, {had} are free", 0, needed,
                    a.remaining(), "sensitivities"});
    }
    place(a, tokens);
  }

  template <class A>
  constexpr void place(A& a, std::size_t tokens) {
    const std::size_t rows = tokens / Sequence * Sequence;
    reader_.place(a, tokens);
    reader_.place_scratch(a);
    saved_ = a.template allocate<real>(rows * shape.d_model);
    importance_ = a.template allocate<real>((shape.layers * layer_places + 1) * widest);
    const std::size_t columns[] = {shape.d_model, shape.q_dim(), shape.d_model, shape.d_ff};
    for (std::size_t i = 0; i < shared_inputs; ++i) inputs_[i] = input_statistics<real>::place(a, columns[i], false);
    for (std::size_t i = 0; i < 2; ++i)
      experts_[i] = expert_statistics<real, shape.experts>::place(a, columns[2 + i], false);
    rounded_ = a.template allocate<real>(most(true));
    for (std::size_t w = 0; w < workers; ++w) {
      stripes::for_each([&]<class F>() { stripes_[w].template of<F>() = F::place(a, stripe_rows, widest); });
      exact_[w] = a.template allocate<real>(stripe_rows * widest);
      image_[w] = a.template allocate<real>(widest);
    }
    errors_ = a.template allocate<double>(formats::size * most_stripes);
    expected_ = a.template allocate<real>(rows * shape.vocab);
    found_ = a.template allocate<real>(chunk * shape.vocab);
    log_sums_ = a.template allocate<double>(rows);
    divergences_ = a.template allocate<double>(rows);
    costs_ = a.template allocate<double>(list::count * Candidates::size);
  }

  static constexpr void copy(span<const real> from, real* to) {
    for (std::size_t i = 0; i < from.size(); ++i) to[i] = from[i];
  }

  /// The exact model's predictions, and mean squares of the inputs of all its matrices.
  template <class W>
  constexpr void observe(const W& full) {
    reader_.begin(full);
    for (std::size_t layer = 0; layer < shape.layers; ++layer) {
      for (auto& s : inputs_) s.clear();
      for (auto& s : experts_) s.clear();
      const observed_layer<W, real> seen{full, inputs_, nullptr, 0, nullptr, true, {experts_, &reader_.routed()}};
      reader_.read_layer(full, seen, layer);
      for (std::size_t i = 0; i < shared_inputs; ++i) keep_mean(inputs_[i], place_of(layer, i));
      if constexpr (shape.experts > 0)
        for (std::size_t i = 0; i < 2; ++i) {
          experts_[i].complete(backend, *exec_.get(), enough_rows);
          for (std::size_t e = 0; e < shape.experts; ++e) keep_mean(experts_[i].each[e], place_of(layer, 2 + i) + e);
        }
    }
    inputs_[0].clear();
    reader_.for_each_final_row(
        full, [&](const real* rows) { inputs_[0].add(backend, *exec_.get(), Sequence, rows, nullptr, 0); });
    keep_mean(inputs_[0], shape.layers * layer_places);
    for_each_chunk(full, expected_, shape.vocab, [&](std::size_t row, const real* logits) {
      log_sums_[row] = log_of_sum(backend, shape.vocab, logits);
    });
  }
  constexpr void keep_mean(const input_statistics<real>& s, std::size_t place) {
    check(s.mean_squares(importance_ + place * widest),
          failure{errc::invalid_argument, "ctlm: the model computes numbers that are not finite"});
  }

  /// f(row, logits) for each token that was read; logits lie at `to`, `step` numbers further for each row, or in one
  /// chunk that is used again where step is 0.
  template <class W, class F>
  constexpr void for_each_chunk(const W& weights, real* to, std::size_t step, F&& f) {
    std::size_t at = 0;
    reader_.for_each_final_row(weights, [&](const real* rows) {
      for (std::size_t first = 0; first < Sequence; first += chunk) {
        const std::size_t n = smaller(chunk, Sequence - first);
        real* const logits = to + (at + first) * step;
        reader_.logits(weights, n, rows + first * shape.d_model, logits);
        parallel_for(*exec_.get(), n, 1, [&](std::size_t r, std::size_t, std::size_t) {
          f(at + first + r, static_cast<const real*>(logits + r * shape.vocab));
        });
      }
      at += Sequence;
    });
  }

  /// The mean divergence of what is predicted now.
  template <class W>
  constexpr double mean_divergence(const W& weights) {
    for_each_chunk(weights, found_, 0, [&](std::size_t row, const real* logits) {
      divergences_[row] = divergence(backend, shape.vocab, expected_ + row * shape.vocab, log_sums_[row], logits);
    });
    double total = 0;
    const std::size_t rows = reader_.stream().size() / shape.d_model;
    for (std::size_t r = 0; r < rows; ++r) total += divergences_[r];
    check(math::isfinite(total),
          failure{errc::invalid_argument, "ctlm: the model computes numbers that are not finite"});
    return total > 0 ? total / static_cast<double>(rows) : 0;
  }

  /// A matrix of a layer.
  template <tensor_id id, class W, class Progress>
  constexpr void probe_layer(const W& full, std::size_t layer, Progress& progress) {
    progress(done_++, list::count);
    constexpr std::size_t input = input_of(id);
    constexpr std::size_t rows = input < shared_inputs ? 0 : list::tensors.of(id).piece_rows();
    round(full.template matrix_of<id>(layer), importance_ + place_of(layer, input) * widest, rows);
    copy({saved_, reader_.stream().size()}, reader_.stream().data());
    reader_.read_layer(full, replaced_matrix<W, real>{full, {id, layer}, rounded_}, layer);
    for (std::size_t later = layer + 1; later < shape.layers; ++later) reader_.read_layer(full, full, later);
    write_costs(list::number_of({id, layer}), mean_divergence(full));
  }

  /// A matrix that the model has once.
  template <class W, class Progress>
  constexpr void probe_common(const W& full, tensor_id id, Progress& progress) {
    progress(done_++, list::count);
    const bool is_head = id == (shape.tie_embeddings ? tensor_id::token_embedding : tensor_id::head_weight);
    round(full.matrix_of(id), is_head ? importance_ + shape.layers * layer_places * widest : nullptr, 0);
    W changed = full;
    auto m = full.matrix_of(id);
    m.data = rounded_;
    changed.put(id, m);
    reader_.begin(changed);
    for (std::size_t layer = 0; layer < shape.layers; ++layer) reader_.read_layer(changed, changed, layer);
    write_costs(list::number_of({id, no_layer}), mean_divergence(changed));
  }

  /// Weighted errors of a matrix in all formats, and the numbers that the probe makes of it. `importance` is that of
  /// all rows, or, where each expert has `expert_rows` of them, [experts][widest].
  template <class View>
  constexpr void round(const View& from, const real* importance, std::size_t expert_rows) {
    const auto of_row = [&](std::size_t row) {
      return expert_rows == 0 ? importance : importance + row / expert_rows * widest;
    };
    const std::size_t n = from.cols, count = ceil_div(from.rows, stripe_rows);
    parallel_for(*exec_.get(), from.rows, stripe_rows, [&](std::size_t first, std::size_t rows, std::size_t worker) {
      for (std::size_t r = 0; r < rows; ++r) View::format::decode(from, first + r, 0, n, exact_[worker] + r * n);
      stripes::for_each([&]<class F>() {
        constexpr std::size_t number = formats::template index_of<F>();
        auto view = stripes_[worker].template of<F>();
        view.cols = n;
        double error = 0;
        for (std::size_t r = 0; r < rows; ++r)
          error += row_error<F>(view, r, exact_[worker] + r * n, of_row(first + r),
                                number == 0 ? rounded_ + (first + r) * n : image_[worker]);
        errors_[number * most_stripes + first / stripe_rows] = error;
      });
    });
    for (std::size_t f = 0; f < formats::size; ++f) {
      double total = 0;
      for (std::size_t s = 0; s < count; ++s) total += errors_[f * most_stripes + s];
      error_of_[f] = total;
    }
  }
  /// Rounds a row to row r of a stripe, and what it has become to `image`.
  template <class F, class View>
  static constexpr double row_error(const View& view, std::size_t r, const real* exact, const real* importance,
                                    real* image) {
    if constexpr (quantised_format<F>)
      F::encode(view, r, exact, importance);
    else
      F::encode(view, r, exact);
    F::decode(view, r, 0, view.cols, image);
    double sum = 0;
    for (std::size_t j = 0; j < view.cols; ++j) {
      const double d = static_cast<double>(exact[j] - image[j]);
      sum += d * d * (importance == nullptr ? 1 : static_cast<double>(importance[j]));
    }
    return sum;
  }

  constexpr void write_costs(std::size_t number, double of_probe) {
    const double each = error_of_[0] > 0 ? of_probe / error_of_[0] : 0;
    Candidates::for_each([&]<class F>(std::size_t f) {
      costs_[number * Candidates::size + f] = each * error_of_[formats::template index_of<stored<F>>()];
    });
  }

  [[no_unique_address]] executor_slot<executor_type> exec_{};
  reader_type reader_{};
  std::size_t done_ = 0;
  real* saved_ = nullptr;       // [tokens][d_model] what a layer gets
  real* importance_ = nullptr;  // [layers][layer_places][widest], then [widest] of the head: mean squares of inputs
  input_statistics<real> inputs_[layer_inputs]{};
  expert_statistics<real, shape.experts> experts_[2]{};  // of up and down
  real* rounded_ = nullptr;  // [rows][cols] of the matrix that is looked at, as the probe stores it
  stripes stripes_[workers]{};
  real* exact_[workers]{};    // [stripe_rows][widest]
  real* image_[workers]{};    // [widest]
  double* errors_ = nullptr;  // [formats][most_stripes]
  double error_of_[formats::size]{};
  real* expected_ = nullptr;  // [tokens][vocab] logits of the exact model
  real* found_ = nullptr;     // [chunk][vocab]
  double* log_sums_ = nullptr;
  double* divergences_ = nullptr;
  double* costs_ = nullptr;  // [matrices][candidates]
};

}}  // namespace ctlm
