// How fast ctlm is, beside what this machine can do and what other libraries do: matrix products, decoding, prompts,
// training. Everything is measured in one run; shares and ratios are what to quote.
//
//   speed [--json] [--only products|decode|sampling|sampler|caches|prefill|prompts|score|encode|training] [--model
//   NAME]
//
// --model: only what has NAME in its name, such as 135M, or 'cache int8' of the rows of caches and prompts.
#include "caches.hpp"
#include "models.hpp"
#include "peers.hpp"
#include "prompts.hpp"
#include "sampler.hpp"

#include <cstdlib>
#include <cstring>

namespace {

/// Tokens a second with weights of format F, called `name` in the table.
template <class Tag, class F>
void decode(bench::report& r, const machine& limits, workers& one, workers& two, const char* name = F::name) {
  using M = decoder<Tag, F>;
  random_model<M> a(one), b(two);
  auto tokens = [](auto& session) {
    return [&session] {
      session.rewind(ctlm::smaller(session.position(), 16));
      for (ctlm::token t = 0; t < 16; ++t) session.decode(t + 1);
    };
  };
  const auto rate = bench::rates({{"", tokens(*a.session), 16}, {"", tokens(*b.session), 16}});
  for (std::size_t t = 0; t < 2; ++t)
    r.line(std::string(Tag::name) + " " + name + threads_text(t + 1), rate[t], "tokens/s",
           rate[t] * static_cast<double>(M::weight_bytes) / limits.read(t, M::weight_bytes), "read rate");
}

/// Decoding with int4 weights when tokens are chosen, greedily or by rules, each with a session of its own kind of
/// threads. The share is that of choosing greedily.
template <class Tag>
void sampled(bench::report& r, workers& exec, std::size_t threads) {
  using M = decoder<Tag, ctlm::int4<32>>;
  random_model<M> a(exec);
  auto tokens = [&](auto how) {
    return [&, how]() mutable {
      a.session->rewind(ctlm::smaller(a.session->position(), 16));
      ctlm::token t = 1;
      for (int i = 0; i < 16; ++i) t = how.choose(ctlm::native{}, a.session->decode(t));
    };
  };
  using namespace ctlm;
  const penalties<64> repeats{.repetition = 1.1f};
  const std::vector<std::pair<const char*, std::function<void()>>> ways{
      {"greedy", tokens(sampler{})},
      {"penalty, top-k 40, top-p 0.95", tokens(rule_sampler{{}, repeats, temperature{0.8f}, top_k{40}, top_p{0.95f}})},
      {"min-p 0.05", tokens(rule_sampler{{}, temperature{0.8f}, min_p{0.05f}})},
      {"top-p 0.95", tokens(rule_sampler{{}, temperature{0.8f}, top_p{0.95f}})},
      {"typical 0.9", tokens(rule_sampler{{}, temperature{0.8f}, typical{0.9f}})}};
  std::vector<bench::candidate> candidates;
  for (const auto& way : ways) candidates.push_back({way.first, way.second, 16});
  const auto rate = bench::rates(candidates, 0.1, 7);
  for (std::size_t i = 0; i < rate.size(); ++i)
    r.line(std::string(Tag::name) + ", " + ways[i].first + threads_text(threads), rate[i], "tokens/s",
           rate[i] / rate[0], "greedy");
}

template <class Tag, class F>
void prefill(bench::report& r, const machine& limits, workers& one, workers& two) {
  using M = decoder<Tag, F>;
  random_model<M> a(one), b(two);
  std::vector<ctlm::token> prompt(512);
  for (std::size_t i = 0; i < prompt.size(); ++i) prompt[i] = static_cast<ctlm::token>(i % M::shape.vocab);
  auto read = [&](auto& session) {
    return [&] {
      session.reset();
      session.prefill(prompt);
    };
  };
  const auto rate = bench::rates({{"", read(*a.session), 512}, {"", read(*b.session), 512}}, 0.1, 3);
  const double operations = operations_per_token<M>(prompt.size());
  constexpr bool in_integers = std::same_as<typename M::compute_format, ctlm::dynamic_int8>;
  for (std::size_t t = 0; t < 2; ++t)
    r.line(std::string(Tag::name) + " " + F::name + threads_text(t + 1), rate[t], "tokens/s",
           rate[t] * operations / (in_integers ? limits.integers[t] : limits.fma[t]),
           in_integers ? "integer product rate" : "f32 multiply-add rate");
}

/// Logits after each of 512 tokens; the share is that of taking them as a prompt.
template <class Tag, class F>
void score(bench::report& r, workers& exec, std::size_t threads) {
  using M = decoder<Tag, F>;
  random_model<M> a(exec);
  std::vector<ctlm::token> text(512);
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<ctlm::token>(i % M::shape.vocab);
  auto prompt = [&] {
    a.session->reset();
    a.session->prefill(text);
  };
  auto scores = [&] {
    a.session->reset();
    a.session->score(text, [](std::size_t, auto) {});
  };
  auto loss = [&] { ctlm::mean_nll(*a.session, ctlm::span<const ctlm::token>(text)); };
  const auto rate = bench::rates({{"", prompt, 512}, {"", scores, 512}, {"", loss, 511}}, 0.1, 3);
  const char* const names[] = {"prompt", "score", "mean_nll"};
  for (std::size_t i = 0; i < 3; ++i)
    r.line(std::string(Tag::name) + " " + F::name + ", " + names[i] + threads_text(threads), rate[i], "tokens/s",
           rate[i] / rate[0], "a prompt's rate");
}

/// How many numbers in single precision become numbers of format F in a second. The share is that of reading these and
/// writing those at the rate of reading memory.
template <class Tag, class F>
void encode(bench::report& r, const machine& limits, workers& one, workers& two) {
  using from_type = ctlm::causal_lm<Tag>;
  using to_type = ctlm::causal_lm<Tag, ctlm::weights<F>>;
  ctlm::heap_arena memory{from_type::weight_bytes + to_type::weight_bytes};
  const typename from_type::weights from{memory};
  const typename to_type::weights to{memory};
  bench::fill_weights(from);
  const auto rate = bench::rates(
      {{"", [&] { ctlm::quantise(from, to, one); }, 1}, {"", [&] { ctlm::quantise(from, to, two); }, 1}}, 0.1, 3);
  for (std::size_t t = 0; t < 2; ++t)
    r.line(std::string(F::name) + threads_text(t + 1),
           rate[t] * 1e-6 * static_cast<double>(from_type::tensors.parameters()), "M/s",
           rate[t] * static_cast<double>(from_type::weight_bytes + to_type::weight_bytes) / limits.read.of_memory(t),
           "read rate");
}

template <class Tag>
struct recipe_of {
  static constexpr ctlm::train_config config = Tag::recipe;
};

/// Tokens a second of training, with products in F. The share is that of `limits`, which are those of such products.
template <class Tag, class F>
void training(bench::report& r, const double (&limits)[2], workers& one, workers& two) {
  constexpr bool rounds = std::same_as<F, ctlm::bf16>;
  using T = ctlm::trainer<ctlm::causal_lm<Tag, ctlm::threads<workers>>, recipe_of<Tag>,
                          ctlm::compute<std::conditional_t<rounds, F, ctlm::decoded>>>;
  std::vector<ctlm::token> inputs(T::step_tokens), targets(T::step_tokens);
  ctlm::rng random{1};
  for (auto* v : {&inputs, &targets})
    for (auto& t : *v) t = static_cast<ctlm::token>(random.below(T::shape.vocab));
  const std::string name = std::string(Tag::name) + (rounds ? ", bf16" : "");
  std::vector<double> rate;
  for (workers* exec : {&one, &two}) {
    ctlm::heap_arena memory(T::train_bytes);
    T t(memory, {}, *exec);
    rate.push_back(
        bench::rates({{"", [&] { t.step(inputs, targets); }, static_cast<double>(T::step_tokens)}}, 0.1, 3)[0]);
  }
  for (std::size_t t = 0; t < 2; ++t)
    r.line(name + threads_text(t + 1), rate[t], "tokens/s",
           rate[t] * 6.0 * static_cast<double>(T::model::parameters) / limits[t],
           rounds ? "bf16 product rate" : "multiply-add rate");
  r.line(name + ", memory", static_cast<double>(T::train_bytes) / (1 << 20), "MiB");
}

// ---- matrix products -----------------------------------------------------------------------------------------------

/// c[m][n] = a[m][k] b, with b stored [n][k] (layers of a network) or [k][n].
void product(bench::report& r, const machine& limits, workers& one, workers& two, std::size_t m, std::size_t k,
             std::size_t n, bool transposed) {
  const std::size_t scratch = 2 * ctlm::gemm_workspace<float>(ctlm::native{}, m, n, k);
  ctlm::heap_arena memory((m * k + k * n + m * n + scratch) * sizeof(float) + 256);
  float *a = memory.allocate<float>(m * k), *b = memory.allocate<float>(k * n), *c = memory.allocate<float>(m * n),
        *panels = memory.allocate<float>(scratch);
  bench::fill(a, m * k * 4);
  bench::fill(b, k * n * 4);
  const double work = 2.0 * static_cast<double>(m) * static_cast<double>(k) * static_cast<double>(n);
  for (std::size_t t = 0; t < 2; ++t) {
    workers& exec = t == 0 ? one : two;
    const auto right = transposed ? ctlm::row_major<float>(b, k).transposed() : ctlm::row_major<float>(b, n);
    std::vector<bench::candidate> candidates = {{"ctlm",
                                                 [&] {
                                                   ctlm::matmul(ctlm::native{}, exec, m, n, k,
                                                                ctlm::row_major<float>(a, k), right, c, n, false,
                                                                panels, scratch / 2);
                                                 },
                                                 work}};
    for (const bench::peer& p : bench::peers())
      candidates.push_back(
          {p.name, [&, p] { p.product(static_cast<int>(t) + 1, m, k, n, transposed, a, b, c); }, work});
    const auto rate = bench::rates(candidates, 0.05, 5);
    const std::string shape = std::to_string(m) + "x" + std::to_string(k) + "x" + std::to_string(n) +
                              (transposed ? " B^T" : "") + threads_text(t + 1);
    r.line(shape, rate[0] * 1e-9, "GFLOP/s", rate[0] / limits.fma[t], "multiply-add rate");
    for (std::size_t i = 1; i < rate.size(); ++i)
      r.line(shape + ", " + candidates[i].name, rate[i] * 1e-9, "GFLOP/s", rate[0] / rate[i], "it is ctlm's");
  }
}

/// Weights or activations stored in 16 bits, in the three products of training, beside the same in single precision:
/// y = x W^T, dx = dy W and dW = dy^T x.
template <class F>
void stored_product(bench::report& r, const machine& limits, workers& exec, std::size_t m, std::size_t k,
                    std::size_t n) {
  using S = typename F::element;
  const std::size_t scratch =
      ctlm::gemm_workspace<float>(ctlm::native{}, std::max(m, n), std::max(k, n), std::max(m, n));
  ctlm::heap_arena memory((m * k + m * n + 2 * n * k + scratch) * sizeof(float) + (n + m) * k * sizeof(S) + 1024);
  auto place = [&]<class T>(T, std::size_t size) {
    T* p = memory.allocate<T>(size);
    bench::fill(p, size * sizeof(T));
    return p;
  };
  float *x = place(0.f, m * k), *y = place(0.f, m * n), *w = place(0.f, n * k), *dw = place(0.f, n * k),
        *panels = place(0.f, scratch);
  S *stored_x = place(S{}, m * k), *stored_w = place(S{}, n * k);
  auto multiply = [&](std::size_t rows, std::size_t columns, std::size_t depth, auto a, auto b, float* c) {
    return [=, &exec] {
      ctlm::matmul(ctlm::native{}, exec, rows, columns, depth, a, b, c, columns, false, panels, scratch);
    };
  };
  const double work = 2.0 * static_cast<double>(m) * static_cast<double>(k) * static_cast<double>(n);
  auto compare = [&](const char* name, auto single, auto stored) {
    const auto rate = bench::rates({{"", stored, work}, {"", single, work}}, 0.05, 5);
    const std::string title = std::to_string(m) + "x" + std::to_string(k) + "x" + std::to_string(n) + " " + name + " ";
    r.line(title + F::name, rate[0] * 1e-9, "GFLOP/s", rate[0] / limits.fma[0], "multiply-add rate");
    r.line(title + "f32", rate[1] * 1e-9, "GFLOP/s", rate[0] / rate[1], "it is " + std::string(F::name) + "'s");
  };
  auto rows = []<class T>(const T* p, std::size_t stride) { return ctlm::row_major(p, stride); };
  compare("x W^T", multiply(m, n, k, rows(x, k), rows(w, k).transposed(), y),
          multiply(m, n, k, rows(x, k), rows(stored_w, k).transposed(), y));
  compare("dy W", multiply(m, k, n, rows(y, n), rows(w, k), x), multiply(m, k, n, rows(y, n), rows(stored_w, k), x));
  compare("dy^T x", multiply(n, k, m, rows(y, n).transposed(), rows(x, k), dw),
          multiply(n, k, m, rows(y, n).transposed(), rows(stored_x, k), dw));
}

}  // namespace

int main(int argc, char** argv) {
  bool json = false;
  std::string only, model;
  for (int i = 1; i < argc; ++i) {
    if (!std::strcmp(argv[i], "--json"))
      json = true;
    else if (!std::strcmp(argv[i], "--only") && i + 1 < argc)
      only = argv[++i];
    else if (!std::strcmp(argv[i], "--model") && i + 1 < argc)
      model = argv[++i];
    else
      return std::fprintf(stderr,
                          "usage: speed [--json] [--only "
                          "products|decode|sampling|sampler|caches|prefill|prompts|score|encode|training] "
                          "[--model NAME]\n"),
             2;
  }
  const auto named = [&](const std::string& name) { return name.find(model) != std::string::npos; };
  const auto wanted = [&](const char* section) { return only.empty() || only == section; };

  workers one(1), two(2);
  bench::report r(json);
  machine limits{};
  const bench::read_memory memory;
  {
    r.title("this machine");
    for (std::size_t t = 0; t < 2; ++t) {
      workers& exec = t == 0 ? one : two;
      limits.read.measure(t, exec, memory);
      limits.fma[t] = bench::fma_rate(exec);
      limits.bfloats[t] = bench::bfloat_rate(exec);
      limits.integers[t] = bench::integer_rate(exec);
      r.line("reading memory" + threads_text(t + 1), limits.read.of_memory(t) * 1e-9, "GB/s");
      r.line("f32 multiply-add" + threads_text(t + 1), limits.fma[t] * 1e-9, "GFLOP/s");
      r.line("bf16 products" + threads_text(t + 1), limits.bfloats[t] * 1e-9, "GFLOP/s");
      r.line("integer products" + threads_text(t + 1), limits.integers[t] * 1e-9, "Gop/s");
    }
  }
  if (wanted("decode")) {
    r.title("decoding");
    using namespace ctlm;
    auto formats = [&]<class Tag>(Tag) {
      if (!named(Tag::name)) return;
      decode<Tag, f32>(r, limits, one, two);
      decode<Tag, bf16>(r, limits, one, two);
      decode<Tag, int8<32>>(r, limits, one, two);
      decode<Tag, int6<32>>(r, limits, one, two);
      decode<Tag, int5<32>>(r, limits, one, two);
      decode<Tag, int4<32>>(r, limits, one, two);
      decode<Tag, int3<32>>(r, limits, one, two);
      decode<Tag, int2<32>>(r, limits, one, two);
      decode<Tag, int4<32, compact>>(r, limits, one, two, "int4<32, compact>");
      decode<Tag, int3<32, compact>>(r, limits, one, two, "int3<32, compact>");
      decode<Tag, int2<32, compact>>(r, limits, one, two, "int2<32, compact>");
      decode<Tag, int2<16, compact>>(r, limits, one, two, "int2<16, compact>");
      decode<Tag, ternary<>>(r, limits, one, two);
    };
    formats(shapes::llama_260k{});
    formats(shapes::llama_15m{});
    formats(shapes::llama_135m{});
  }
  if (wanted("sampling")) {
    r.title("choosing tokens, int4<32>");
    const auto both = [&]<class Tag>(Tag) {
      if (!named(Tag::name)) return;
      sampled<Tag>(r, one, 1);
      sampled<Tag>(r, two, 2);
    };
    both(shapes::llama_135m{});
    both(shapes::llama_135m_of<151936>{});
    both(shapes::llama_135m_of<262144>{});
  }
  if (wanted("sampler")) sampler_rows(r, one, two, named);
  if (wanted("caches")) cache_rows(r, limits, one, two, named);
  if (wanted("prefill")) {
    r.title("a prompt of 512 tokens");
    auto formats = [&]<class Tag>(Tag) {
      if (!named(Tag::name)) return;
      prefill<Tag, ctlm::f32>(r, limits, one, two);
      prefill<Tag, ctlm::bf16>(r, limits, one, two);
      prefill<Tag, ctlm::int8<32>>(r, limits, one, two);
      prefill<Tag, ctlm::int4<32>>(r, limits, one, two);
    };
    formats(shapes::llama_15m{});
    formats(shapes::llama_135m{});
  }
  if (wanted("prompts")) {
    prompt_rows(r, limits, one, two, named);
    chunk_rows(r, limits, one, two, named);
  }
  if (wanted("score") && named(shapes::llama_135m::name)) {
    r.title("logits after each of 512 tokens");
    const auto both = [&]<class F>(F) {
      score<shapes::llama_135m, F>(r, one, 1);
      score<shapes::llama_135m, F>(r, two, 2);
    };
    both(ctlm::int8<32>{});
    both(ctlm::int4<32>{});
    both(ctlm::f32{});
  }
  if (wanted("encode") && named(shapes::llama_135m::name)) {
    r.title("numbers encoded, Llama 135M");
    encode<shapes::llama_135m, ctlm::int8<32>>(r, limits, one, two);
    encode<shapes::llama_135m, ctlm::int4<32>>(r, limits, one, two);
  }
  if (wanted("products")) {
    r.title("matrix products");
    for (bool transposed : {true, false}) {
      product(r, limits, one, two, 512, 576, 1536, transposed);
      product(r, limits, one, two, 2048, 384, 1536, transposed);
      product(r, limits, one, two, 256, 768, 3072, transposed);
      product(r, limits, one, two, 256, 768, 50304, transposed);
    }
    for (std::size_t m : {1, 4, 8}) product(r, limits, one, two, m, 576, 1536, true);
    stored_product<ctlm::bf16>(r, limits, one, 512, 576, 1536);
    stored_product<ctlm::f16>(r, limits, one, 512, 576, 1536);
  }
  if (wanted("training")) {
    r.title("training");
    const auto both = [&]<class Tag>(Tag) {
      if (!named(Tag::name)) return;
      training<Tag, ctlm::f32>(r, limits.fma, one, two);
      training<Tag, ctlm::bf16>(r, limits.bfloats, one, two);
    };
    both(shapes::gpt_10m{});
    both(shapes::gpt2_124m{});
  }
  r.end();
}
