// What each way to store keys and values costs: ./dev caches builds and runs it.
//   caches [IDS] [--windows n]
// IDS is a text as token ids, read in windows of the whole context; without it, the model draws a text of its own. Each
// token but the first of a window is predicted with a cache in single precision and with each other one, side by side;
// losses are compared token by token. Tokens a second are those at the end of the context, one after the other.
#include <ctlm/ctlm.hpp>

#include <example_model.hpp>  // made by ctlm_add_model

#include "../program.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>
#include <memory>

namespace {

using examples::fail;
using exec = ctlm::pool<16>;
template <class Cache>
using model = ctlm::causal_lm<example_model, ctlm::weights<CTLM_EXAMPLE_WEIGHTS>, ctlm::threads<exec>,
                              ctlm::prompt_chunk<64>, ctlm::kv_cache<Cache>>;
using full = model<ctlm::f32>;

constexpr std::size_t vocab = full::shape.vocab, window = full::shape.context, rows_at_once = 64;
constexpr const char* usage = "usage: caches [IDS] [--windows n]";

/// A cache, and the sums over predicted tokens.
struct cache_row {
  const char* name;
  std::size_t bytes;
  double loss = 0, added = 0, added_squared = 0;
  std::size_t tokens = 0;

  cache_row(const char* n, std::size_t b) : name(n), bytes(b) {}
  virtual ~cache_row() = default;
  virtual void reset() = 0;
  /// The losses of the tokens that follow each of `in`.
  virtual void predict(ctlm::span<const ctlm::token> in, const ctlm::token* next, double* losses) = 0;
  virtual double tokens_per_second() = 0;

  void add(double exact, double its) {
    loss += its;
    added += its - exact;
    added_squared += (its - exact) * (its - exact);
    ++tokens;
  }
  void print() {
    const double n = static_cast<double>(tokens), mean = added / n;
    const double error = std::sqrt(std::max(0.0, added_squared / n - mean * mean) / n);
    std::printf("%-50s%13zu%7.2f%9.4f%+10.4f +-%6.4f%10.1f\n", name, bytes,
                32.0 * static_cast<double>(bytes) / static_cast<double>(full::cache_bytes), loss / n, mean, error,
                tokens_per_second());
    std::fflush(stdout);
  }
};

template <class M>
struct row_of : cache_row {
  ctlm::heap_arena memory{M::session_bytes};
  typename M::session session;

  row_of(const char* n, const typename full::weights& w, exec& workers)
      : cache_row(n, M::cache_bytes), session(w, memory, workers) {}
  void reset() override { session.reset(); }
  void predict(ctlm::span<const ctlm::token> in, const ctlm::token* next, double* losses) override {
    session.score(in, [&](std::size_t i, auto logits) {
      losses[i] = static_cast<double>(
          ctlm::negative_log_likelihood(ctlm::native{}, vocab, logits.data(), static_cast<std::size_t>(next[i])));
    });
  }
  double tokens_per_second() override {
    constexpr std::size_t n = std::min<std::size_t>(16, window / 2);
    session.rewind(session.position() - n);
    ctlm::token t = 0;
    const auto begin = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < n; ++i) t = ctlm::sampler::greedy(session.decode(t));
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    return static_cast<double>(n) / seconds.count();
  }
};

struct arguments {
  std::vector<ctlm::token> ids;
  std::size_t windows = 2;
};

arguments parse(int argc, char** argv) {
  arguments a;
  for (int i = 1; i < argc; ++i) {
    const std::string text = argv[i];
    if (text == "--windows")
      a.windows = examples::number_of(argc, argv, i, "windows");
    else if (!a.ids.empty() || text.substr(0, 2) == "--")
      fail("what does \"" + text + "\" mean? " + usage);
    else
      a.ids = examples::read_ids(argv[i], vocab);
  }
  if (!a.ids.empty() && a.ids.size() < window)
    fail("the text has " + std::to_string(a.ids.size()) + " ids, and a window has " + std::to_string(window));
  return a;
}

/// Predicts the text with all caches; the first one is what the others are compared with.
void compare(const std::vector<ctlm::token>& text, std::vector<std::unique_ptr<cache_row>>& rows) {
  double exact[rows_at_once], losses[rows_at_once];
  for (std::size_t first = 0; first + window <= text.size(); first += window) {
    for (auto& r : rows) r->reset();
    for (std::size_t i = 0; i + 1 < window; i += rows_at_once) {
      const std::size_t n = std::min(rows_at_once, window - 1 - i);
      const ctlm::token* const in = text.data() + first + i;
      rows[0]->predict({in, n}, in + 1, exact);
      for (auto& r : rows) {
        const bool same = r == rows[0];
        if (!same) r->predict({in, n}, in + 1, losses);
        for (std::size_t j = 0; j < n; ++j) r->add(exact[j], same ? exact[j] : losses[j]);
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) try {
  examples::program = "caches";
  arguments a = parse(argc, argv);
  exec workers;
  ctlm::heap_arena memory(full::weight_bytes);
  full::weights weights(memory);
  examples::rounding_choice{}.load<full>(example_model::files, weights, workers, [](std::size_t, std::size_t) {});
  auto text = a.ids;
  if (text.empty()) text = ctlm::own_text<full>(weights, workers, a.windows * window, 2);
  text.resize(std::min(text.size() / window, a.windows) * window);

  std::vector<std::unique_ptr<cache_row>> rows;
  auto add = [&]<class Cache>(const char* name, Cache*) {
    rows.push_back(std::make_unique<row_of<model<Cache>>>(name, weights, workers));
  };
  using namespace ctlm;
  using few = int4<32, asymmetric>;
  add("f32", static_cast<f32*>(nullptr));
  add("f16", static_cast<f16*>(nullptr));
  add("int8<>", static_cast<int8<>*>(nullptr));
  add("int4<32, asymmetric>", static_cast<few*>(nullptr));
  add("rotated<int4<32, asymmetric>>", static_cast<rotated<few>*>(nullptr));
  add("recent<int4<32, asymmetric>>", static_cast<recent<few>*>(nullptr));
  add("rotated<recent<int4<32, asymmetric>>>", static_cast<rotated<recent<few>>*>(nullptr));
  add("rotated<recent<int4<32, asymmetric>, 128>>", static_cast<rotated<recent<few, 128>>*>(nullptr));
  add("the same, keys in int4<16, asymmetric>",
      static_cast<rotated<recent<key_value<int4<16, asymmetric>, few>, 128>>*>(nullptr));
  add("key_value<int8<>, int4<32, asymmetric>>", static_cast<key_value<int8<>, few>*>(nullptr));
  add("recent<key_value<int8<>, int4<32, asymmetric>>>", static_cast<recent<key_value<int8<>, few>>*>(nullptr));

  std::printf("%zu tokens%s, windows of %zu, %zu threads\n", text.size(), a.ids.empty() ? " of the model's own" : "",
              window, workers.workers());
  std::printf("%-50s%13s%7s%9s%19s%10s\n", "keys and values", "bytes", "bits", "loss", "added", "tokens/s");
  compare(text, rows);
  for (auto& r : rows) r->print();
} catch (const std::exception& e) {  // no memory
  fail(e.what());
}
