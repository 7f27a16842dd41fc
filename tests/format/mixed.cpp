// Models whose matrices are stored in several formats: which has which, what it costs, and that they compute as the
// numbers say.
#include "catch.hpp"
#include "model/models.hpp"

#include <ctlm/ctlm.hpp>

#include <cstring>

using namespace ctlm;
using models::running;

namespace {

struct tiny {
  static constexpr llama_config config{
      .vocab = 61, .d_model = 32, .layers = 4, .heads = 4, .kv_heads = 2, .d_ff = 48, .context = 24};
};
struct tied {
  static constexpr llama_config config{.vocab = 61,
                                       .d_model = 64,
                                       .layers = 3,
                                       .heads = 4,
                                       .kv_heads = 2,
                                       .d_ff = 96,
                                       .context = 24,
                                       .tie_embeddings = true};
};
struct learned {
  static constexpr gpt2_config config{.vocab = 61, .d_model = 32, .layers = 3, .heads = 4, .context = 24};
};
struct routed {
  static constexpr mixtral_config config{
      .vocab = 61, .d_model = 48, .layers = 3, .heads = 3, .d_ff = 20, .context = 24, .experts = 4};
};

using ends_exact =
    weights<int4<32, asymmetric>, keep<int8<32>, tensors::embedding, tensors::head>, keep<bf16, tensors::layers<0, 2>>>;
using one_matrix = weights<int4<32>, keep<f32, tensors::both<tensors::down, tensors::layers<1>>>>;

template <class Session>
std::vector<float> logits_of(Session& s) {
  std::vector<float> all;
  auto keep_all = [&](auto logits) { all.insert(all.end(), logits.begin(), logits.end()); };
  s.reset();
  const token prompt[] = {1, 5, 9, 42, 7, 7, 13, 60, 0, 3, 55};
  keep_all(s.prefill(prompt));
  for (token t : {8, 15, 23}) keep_all(s.decode(t));
  return all;
}

/// The numbers of every matrix row, decoded.
template <class W>
std::vector<std::vector<float>> rows_of(const W& w) {
  std::vector<std::vector<float>> all;
  for (const tensor_info& t : W::tensors)
    for (std::size_t r = 0; t.is_matrix() && r < t.layers * t.rows; ++r) {
      all.emplace_back(t.cols);
      W::format::decode(w.raw_matrix(t.index()), r, 0, t.cols, all.back().data());
    }
  return all;
}

}  // namespace

TEST_CASE("keep<> chooses the format of each matrix, the first that has it", "[format]") {
  using F = ends_exact::type;
  const auto kind = [](tensor_id id, std::size_t layer) { return F::kind_of(static_cast<std::size_t>(id), layer); };
  CHECK(F::formats::size == 3);
  CHECK(kind(tensor_id::token_embedding, no_layer) == 1);
  CHECK(kind(tensor_id::head_weight, no_layer) == 1);
  CHECK(kind(tensor_id::qkv_weight, 0) == 2);
  CHECK(kind(tensor_id::qkv_weight, 1) == 0);
  CHECK(kind(tensor_id::down_weight, 2) == 2);
  CHECK(kind(tensor_id::down_weight, 3) == 0);
  using G = one_matrix::type;
  CHECK(G::kind_of(static_cast<std::size_t>(tensor_id::down_weight), 1) == 1);
  CHECK(G::kind_of(static_cast<std::size_t>(tensor_id::down_weight), 0) == 0);
  CHECK(G::kind_of(static_cast<std::size_t>(tensor_id::up_weight), 1) == 0);
  using first_counts = weights<int4<32>, keep<f16, tensors::layers<1>>, keep<bf16, tensors::down>>::type;
  CHECK(first_counts::kind_of(static_cast<std::size_t>(tensor_id::down_weight), 1) == 1);
  CHECK(first_counts::kind_of(static_cast<std::size_t>(tensor_id::down_weight), 0) == 2);
  STATIC_REQUIRE(std::same_as<weights<int8<>>::type, int8<>>);
}

TEST_CASE("weight_bytes of several formats are the sum of what each matrix takes", "[format]") {
  using M = causal_lm<tied, ends_exact>;
  constexpr auto s = M::shape;
  using small = interleaved<int4<32, asymmetric>>;
  const std::size_t vectors = (2 * s.layers + 1) * s.d_model * sizeof(float);
  std::size_t expected = matrix_bytes<interleaved<int8<32>>>(s.vocab, s.d_model) + vectors;
  for (const auto& [rows, cols] : {std::pair(s.qkv_dim(), s.d_model), std::pair(s.d_model, s.q_dim()),
                                   std::pair(s.up_dim(), s.d_model), std::pair(s.d_model, s.d_ff)})
    expected += matrix_bytes<small>(rows, cols) + 2 * matrix_bytes<bf16>(rows, cols);  // layer 1; layers 0 and 2
  CHECK(M::weight_bytes == expected);
}

namespace {

double squares(const std::vector<float>& x) {
  double sum = 0;
  for (const float v : x) sum += std::pow(static_cast<double>(v), 2);
  return sum;
}
double worst_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    worst = std::max(worst, std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  return worst;
}
double squared_difference(std::vector<float> a, const std::vector<float>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] -= b[i];
  return squares(a);
}

/// The logits of a model of these weights.
template <class M>
std::vector<float> logits_of_weights(const typename M::weights& w) {
  heap_arena room(M::session_bytes);
  typename M::session session(w, room);
  return logits_of(session);
}

/// Weights of M, rounded from random ones of the same model in single precision, which then are what M's say.
template <class M>
struct rounded_from {
  using exact = causal_lm<typename M::tag, weights<f32>>;
  heap_arena memory{M::weight_bytes + 2 * exact::weight_bytes};
  typename M::weights mixed{memory};
  typename exact::weights full{memory}, numbers{memory};

  rounded_from() {
    initialise(full, 7, {.matrices = 0.2, .vectors = 0.1});
    CHECK(quantise(full, mixed).kept());
    decode_weights(mixed, numbers);
    CHECK(rows_of(mixed) == rows_of(numbers));
    CHECK(rows_of(mixed) != rows_of(full));
  }
};

}  // namespace

TEMPLATE_TEST_CASE("a model in several formats computes what its numbers say", "[format]",
                   (causal_lm<tiny, ends_exact>), (causal_lm<tied, ends_exact>), (causal_lm<learned, one_matrix>),
                   (causal_lm<learned, weights<bf16, keep<int8<32>, tensors::embedding>>>),
                   (causal_lm<routed, ends_exact>), (causal_lm<routed, one_matrix, prompt_chunk<1>>)) {
  using M = TestType;
  const rounded_from<M> w;
  const auto expected = logits_of_weights<typename rounded_from<M>::exact>(w.numbers);
  if constexpr (M::prompt_chunk_rows > 1) {
    using decoded_form =
        causal_lm<typename M::tag, slot<slot_kind::weights, typename M::weight_format>, compute<decoded>>;
    const auto again = decoded_form::weights::bind(w.mixed.bytes()).value();
    CHECK(worst_difference(expected, logits_of_weights<decoded_form>(again)) < 1e-4);
  }
  CHECK(squared_difference(logits_of_weights<M>(w.mixed), expected) < 1e-3 * squares(expected));
}

TEST_CASE("matrices that are kept have the numbers of their format, others those of the default", "[format]") {
  using M = causal_lm<tiny, ends_exact>;
  running<causal_lm<tiny>> full;
  running<causal_lm<tiny, weights<bf16>>> b;
  running<causal_lm<tiny, weights<int4<32, asymmetric>>>> q;
  running<M> m;
  initialise(full.weights, 3, {.matrices = 0.2});
  quantise(full.weights, b.weights);
  quantise(full.weights, q.weights);
  serial alone;
  CHECK(quantise(full.weights, m.weights, alone).kept());
  std::vector<float> ours(64), theirs(64);
  for (std::size_t layer = 0; layer < 4; ++layer)
    for (tensor_id id : {tensor_id::qkv_weight, tensor_id::out_weight, tensor_id::up_weight, tensor_id::down_weight}) {
      const auto view = m.weights.matrix_of(id, layer);
      for (std::size_t r = 0; r < view.rows; ++r) {
        std::remove_cvref_t<decltype(view)>::format::decode(view, r, 0, view.cols, ours.data());
        if (layer == 0 || layer == 2)
          bf16::decode(b.weights.matrix_of(id, layer), r, 0, view.cols, theirs.data());
        else
          interleaved<int4<32, asymmetric>>::decode(q.weights.matrix_of(id, layer), r, 0, view.cols, theirs.data());
        REQUIRE(std::memcmp(ours.data(), theirs.data(), view.cols * sizeof(float)) == 0);
      }
    }
}

TEST_CASE("a model in several formats goes through images, safetensors, GGUF and the disk", "[format][io]") {
  using M = causal_lm<tiny, ends_exact>;
  running<causal_lm<tiny>> full;
  running<M> m, again;
  initialise(full.weights, 5, {.matrices = 0.2});
  quantise(full.weights, m.weights);
  const auto expected = logits_of(m.session);

  write_image<M>("mixed.ctlm", m.weights).value();
  const auto file = mapped_file::open("mixed.ctlm").value();
  const auto bound = bind_image<M>(file.bytes()).value();
  CHECK(std::memcmp(bound.bytes().data(), m.weights.bytes().data(), M::weight_bytes) == 0);
  using other = causal_lm<tiny, weights<int4<32, asymmetric>, keep<int8<32>, tensors::embedding, tensors::head>,
                                        keep<bf16, tensors::layers<0, 1>>>>;
  STATIC_REQUIRE(other::weight_bytes == M::weight_bytes);
  CHECK(bind_image<other>(file.bytes()).error().code == errc::wrong_model);  // the same bytes mean something else

  using streamed = causal_lm<tiny, ends_exact, memory<offloaded<(440 << 10)>>>;
  using source = offloaded_weights<streamed>;
  STATIC_REQUIRE(source::buffers > 0);
  heap_arena memory(source::bytes_needed() + streamed::session_bytes);
  source weights(memory);
  streamed::session session(weights, memory);
  weights.open("mixed.ctlm").value();
  CHECK(logits_of(session) == expected);

  save_weights("mixed.safetensors", m.weights, safetensors_type::f32).value();
  load_safetensors<M>("mixed.safetensors", again.weights).value();
  CHECK(logits_of(again.session).size() == expected.size());
  save_gguf<M>("mixed.gguf", m.weights).value();
  running<causal_lm<tiny>> numbers, read;
  decode_weights(m.weights, numbers.weights);
  load_gguf<causal_lm<tiny>>("mixed.gguf", read.weights).value();
  CHECK(std::memcmp(read.weights.bytes().data(), numbers.weights.bytes().data(), numbers.weights.bytes().size()) == 0);

  write_model_header<M>("mixed.hpp", "mixed").value();
  const std::string header = read_file("mixed.hpp").value();
  CHECK_THAT(header, Catch::Contains("ctlm::weights<ctlm::int4<32, ctlm::asymmetric>, ctlm::keep<ctlm::int8<32>, "
                                     "ctlm::tensors::embedding, ctlm::tensors::head>, ctlm::keep<ctlm::bf16, "
                                     "ctlm::tensors::layers<0, 2>>>"));
  for (const char* name : {"mixed.ctlm", "mixed.safetensors", "mixed.gguf", "mixed.hpp"}) std::remove(name);
}

TEST_CASE("formats that do not fill a byte stand beside others, in files too", "[format]") {
  using formats = weights<int3<32, asymmetric>, keep<int6<32>, tensors::embedding>, keep<int5<16>, tensors::down>,
                          keep<ternary<>, tensors::layers<1>>>;
  using M = causal_lm<tiny, formats>;
  running<causal_lm<tiny>> full;
  running<M> m;
  initialise(full.weights, 9, {.matrices = 0.2});
  quantise(full.weights, m.weights);
  write_image<M>("few_bits.ctlm", m.weights).value();
  const auto file = mapped_file::open("few_bits.ctlm").value();
  const auto bound = bind_image<M>(file.bytes()).value();
  CHECK(std::memcmp(bound.bytes().data(), m.weights.bytes().data(), M::weight_bytes) == 0);
  CHECK_FALSE(bind_image<causal_lm<tiny, weights<int3<32, asymmetric>>>>(file.bytes()));
  CHECK_FALSE(bind_image<causal_lm<tiny, weights<int2<per_channel>>>>(file.bytes()));
  write_model_header<M>("few_bits.hpp", "few_bits").value();
  CHECK_THAT(read_file("few_bits.hpp").value(),
             Catch::Contains("ctlm::weights<ctlm::int3<32, ctlm::asymmetric>, ctlm::keep<ctlm::int6<32>, "
                             "ctlm::tensors::embedding>, ctlm::keep<ctlm::int5<16>, ctlm::tensors::down>, "
                             "ctlm::keep<ctlm::ternary<ctlm::per_channel>, ctlm::tensors::layers<1>>>"));
  save_gguf<M>("few_bits.gguf", m.weights).value();  // as numbers in full
  running<causal_lm<tiny>> numbers, read;
  decode_weights(m.weights, numbers.weights);
  load_gguf<causal_lm<tiny>>("few_bits.gguf", read.weights).value();
  CHECK(std::memcmp(read.weights.bytes().data(), numbers.weights.bytes().data(), numbers.weights.bytes().size()) == 0);
  for (const char* name : {"few_bits.ctlm", "few_bits.hpp", "few_bits.gguf"}) std::remove(name);
}

TEMPLATE_TEST_CASE("a quantiser rounds each matrix to its own format", "[format]", ends_exact, one_matrix) {
  using full = causal_lm<tied>;
  using M = causal_lm<tied, TestType>;
  using uniform = causal_lm<tied, weights<typename M::weight_format::default_format>>;
  running<full> f;
  running<M> m;
  running<uniform> u;
  initialise(f.weights, 5, {.matrices = 0.2});
  const quantiser_room room{.method = rounding::gptq, .tokens = 96};
  const auto round = [&]<class Small>(const Small& to, rounding method) {
    using small = std::conditional_t<std::same_as<Small, typename M::weights>, M, uniform>;
    heap_arena memory(quantiser<full, small>::bytes_needed(room));
    return quantiser<full, small>(memory, room).run(f.weights, to, {.method = method, .towards_exact = 0});
  };
  for (const rounding method : {rounding::weighted, rounding::gptq}) {
    CHECK(round(m.weights, method).kept());
    CHECK(round(u.weights, method).kept());
    // Layer 1 of ends_exact, and the up projection of one_matrix, are as in the uniform model: without towards_exact no
    // layer sees what the formats of those before it are.
    std::vector<float> ours(96), theirs(96);
    const auto a = m.weights.matrix_of(tensor_id::up_weight, 1);
    const auto b = u.weights.matrix_of(tensor_id::up_weight, 1);
    for (std::size_t r = 0; r < a.rows; ++r) {
      std::remove_cvref_t<decltype(a)>::format::decode(a, r, 0, a.cols, ours.data());
      std::remove_cvref_t<decltype(b)>::format::decode(b, r, 0, b.cols, theirs.data());
      REQUIRE(ours == theirs);
    }
  }
}
