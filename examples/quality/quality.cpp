// What each way to store a model's weights costs, in loss, bytes and time: ./dev quality builds and runs it.
//   quality [IDS] [--calibrate IDS] [--windows n] [--picture FILE] [--image FILE]
// IDS is a text as token ids, read in windows of 512 or of the whole context; without it, the model draws a text of its
// own. Weighted rounding and GPTQ see 512 tokens of its own, or the ids that --calibrate names: another text.
// Each token of the text but the first of a window is predicted by the model in single precision and in each other
// form; losses are compared token by token. The picture's FILE gets the table as SVG. With --image, the table has one
// row: the weights of an image that ./dev quantise has made, in the format that this program was built for.
#include <ctlm/ctlm.hpp>

#include <example_model.hpp>  // made by ctlm_add_model

#include "../program.hpp"
#include "picture.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>

namespace {

using examples::fail;
using exec = ctlm::pool<16>;
template <class Format, class... Slots>
using model =
    ctlm::causal_lm<example_model, ctlm::weights<Format>, ctlm::threads<exec>, ctlm::prompt_chunk<64>, Slots...>;
using full = model<ctlm::f32>;
using of_image = model<CTLM_EXAMPLE_WEIGHTS>;

constexpr std::size_t vocab = full::shape.vocab;
constexpr std::size_t window = std::min<std::size_t>(512, full::shape.context);
constexpr std::size_t rows_at_once = 64;
constexpr const char* usage = "usage: quality [IDS] [--calibrate IDS] [--windows n] [--picture FILE] [--image FILE]";
using clock_type = std::chrono::steady_clock;

double seconds_since(clock_type::time_point begin) {
  return std::chrono::duration<double>(clock_type::now() - begin).count();
}

struct arguments {
  std::vector<ctlm::token> ids, calibration;
  std::size_t windows = 16;
  std::string picture, image;
};

arguments parse(int argc, char** argv) {
  arguments a;
  for (int i = 1; i < argc; ++i) {
    const std::string text = argv[i];
    if (text == "--windows")
      a.windows = examples::number_of(argc, argv, i, "windows");
    else if (text == "--calibrate")
      a.calibration = examples::read_ids(examples::value_of(argc, argv, i), vocab);
    else if (text == "--picture")
      a.picture = examples::value_of(argc, argv, i);
    else if (text == "--image")
      a.image = examples::value_of(argc, argv, i);
    else if (!a.ids.empty() || text.substr(0, 2) == "--")
      fail("what does \"" + text + "\" mean? " + usage);
    else
      a.ids = examples::read_ids(argv[i], vocab);
  }
  if (!a.ids.empty() && a.ids.size() < window)
    fail("the text has " + std::to_string(a.ids.size()) + " ids, and a window has " + std::to_string(window));
  return a;
}

/// log sum exp of a row.
double log_sum(const float* logits) {
  const float most = *std::max_element(logits, logits + vocab);
  double sum = 0;
  for (std::size_t v = 0; v < vocab; ++v) sum += static_cast<double>(std::exp(logits[v] - most));
  return static_cast<double>(most) + std::log(sum);
}

/// What two models say of one token.
struct prediction {
  double exact_loss = 0, loss = 0, divergence = 0;
  bool same_first = false;

  /// From the logits of the exact model, and of another.
  static prediction of(const float* expected, const float* found, ctlm::token next) {
    const double a = log_sum(expected), b = log_sum(found);
    double sum = 0;
    for (std::size_t v = 0; v < vocab; ++v) {
      const float log_p = expected[v] - static_cast<float>(a);
      sum += static_cast<double>(std::exp(log_p) * (log_p - (found[v] - static_cast<float>(b))));
    }
    const bool same =
        std::max_element(expected, expected + vocab) - expected == std::max_element(found, found + vocab) - found;
    return {a - static_cast<double>(expected[next]), b - static_cast<double>(found[next]), sum, same};
  }
};

/// Sums over predicted tokens.
struct comparison {
  double exact = 0, loss = 0, added_squared = 0, divergence = 0;
  std::size_t tokens = 0, same_first = 0;

  void add(const prediction& p) {
    exact += p.exact_loss;
    loss += p.loss;
    added_squared += (p.loss - p.exact_loss) * (p.loss - p.exact_loss);
    divergence += p.divergence;
    same_first += p.same_first;
    ++tokens;
  }
  double mean(double sum) const { return sum / static_cast<double>(tokens); }
  double added() const { return mean(loss - exact); }
  double standard_error() const {
    return std::sqrt(std::max(0.0, mean(added_squared) - added() * added()) / static_cast<double>(tokens));
  }
};

/// Everything that all rows of the table are made with.
struct bench {
  exec workers{};
  ctlm::heap_arena weight_memory{full::weight_bytes};
  full::weights weights{weight_memory};
  ctlm::heap_arena session_memory{full::session_bytes};
  full::session session{weights, session_memory, workers};
  std::vector<ctlm::token> text, calibration;
  std::vector<float> expected = std::vector<float>(rows_at_once * vocab), found = expected;
  std::vector<examples::measured_format> rows{};

  /// The logits after each token, to rows of `out`.
  template <class Session>
  static void score(Session& s, ctlm::span<const ctlm::token> tokens, std::vector<float>& out) {
    s.score(tokens, [&](std::size_t r, auto logits) {
      std::copy(logits.begin(), logits.end(), out.begin() + static_cast<std::ptrdiff_t>(r * vocab));
    });
  }

  /// Predicts the text with both sessions, some rows of one and then of the other.
  template <class Session>
  comparison compare(Session& other) {
    comparison c;
    for (std::size_t first = 0; first + window <= text.size(); first += window) {
      session.reset();
      other.reset();
      for (std::size_t i = 0; i + 1 < window; i += rows_at_once) {
        const std::size_t n = std::min(rows_at_once, window - 1 - i);
        const ctlm::span<const ctlm::token> part(text.data() + first + i, n);
        score(session, part, expected);
        score(other, part, found);
        prediction predicted[rows_at_once];
        workers.run(n, [&](std::size_t r, std::size_t) {
          predicted[r] = prediction::of(expected.data() + r * vocab, found.data() + r * vocab, text[first + i + r + 1]);
        });
        for (std::size_t r = 0; r < n; ++r) c.add(predicted[r]);
      }
    }
    return c;
  }

  /// Tokens a second, one after the other.
  template <class Session>
  static double rate(Session& s) {
    s.reset();
    ctlm::token t = ctlm::sampler::greedy(s.decode(0));  // the first call fills caches
    const std::size_t n = std::min<std::size_t>(32, full::shape.context - 1);
    const auto begin = clock_type::now();
    for (std::size_t i = 0; i < n; ++i) t = ctlm::sampler::greedy(s.decode(t));
    return static_cast<double>(n) / seconds_since(begin);
  }

  /// A row of the table for model M, whose weights fill(weights) rounds.
  template <class M, class Fill>
  void row(const char* name, Fill&& fill) {
    ctlm::heap_arena memory(M::weight_bytes + M::session_bytes);
    typename M::weights rounded(memory);
    const auto begin = clock_type::now();
    fill(rounded);
    row<M>(name, typename M::const_weights(rounded), memory, seconds_since(begin));
  }
  /// The same of weights that are there; its session lies in `memory`.
  template <class M>
  void row(const char* name, const typename M::const_weights& rounded, ctlm::heap_arena& memory, double seconds) {
    examples::measured_format r{name};
    r.seconds = seconds;
    typename M::session its(rounded, memory, workers);
    const comparison c = compare(its);
    r.bytes = M::weight_bytes;
    r.bits = 8.0 * static_cast<double>(M::weight_bytes) / static_cast<double>(M::parameters);
    r.added = c.added();
    r.error = c.standard_error();
    r.loss = c.mean(c.loss);
    r.divergence = c.mean(c.divergence);
    r.same_first = 100 * c.mean(static_cast<double>(c.same_first));
    r.tokens_per_second = rate(its);
    r.print();
    rows.push_back(r);
  }
  template <class Format>
  void plain(const char* name) {
    row<model<Format>>(name, [&](const auto& to) { ctlm::quantise(weights, to); });
  }
  template <class Format>
  void calibrated(const char* name, ctlm::rounding method) {
    using work = ctlm::quantiser<full, model<Format>>;
    row<model<Format>>(name, [&](const auto& to) {
      const std::size_t tokens = std::min<std::size_t>(calibration.size(), 16384);
      const ctlm::quantiser_room room{.method = method, .tokens = tokens};
      ctlm::heap_arena memory(work::bytes_needed(room));
      work(memory, workers, room).run(weights, to, {.method = method, .text = calibration});
    });
  }
  /// A row for the weights of an image.
  void image(const char* path) {
    const auto begin = clock_type::now();
    const auto file = ctlm::mapped_file::open(path);
    if (!file) fail(path, file.error());
    const auto stored = ctlm::bind_image<of_image>(file->bytes());
    if (!stored) fail(path, stored.error());
    ctlm::heap_arena memory(of_image::session_bytes);
    row<of_image>("image", *stored, memory, seconds_since(begin));
  }
};

template <class Bench>
void rows_of_formats(Bench& b) {
  using namespace ctlm;
  b.template plain<f32>("f32");
  b.template plain<bf16>("bf16");
  b.template plain<int8<32>>("int8<32>");
  b.template plain<int8<>>("int8<>");
  b.template plain<int6<32>>("int6<32>");
  b.template plain<int4<32>>("int4<32>, plain");
  b.template calibrated<int4<32>>("int4<32>", rounding::weighted);
  b.template calibrated<int4<32>>("int4<32>, GPTQ", rounding::gptq);
  b.template plain<int4<32, asymmetric>>("int4<32, asymmetric>, plain");
  b.template calibrated<int4<32, asymmetric>>("int4<32, asymmetric>", rounding::weighted);
  b.template calibrated<int4<32, asymmetric>>("int4<32, asymmetric>, GPTQ", rounding::gptq);
  b.template calibrated<int4<64, asymmetric>>("int4<64, asymmetric>, GPTQ", rounding::gptq);
  b.template plain<int4<32, compact>>("int4<32, compact>, plain");
  b.template calibrated<int4<32, compact>>("int4<32, compact>", rounding::weighted);
  b.template calibrated<int4<32, compact>>("int4<32, compact>, GPTQ", rounding::gptq);
  b.template calibrated<weights<int4<32, compact>, keep<int8<32>, tensors::embedding>>::type>(
      "same, embedding in int8<32>", rounding::gptq);
  b.template calibrated<int3<32, asymmetric>>("int3<32, asymmetric>, GPTQ", rounding::gptq);
  b.template calibrated<int3<32, compact>>("int3<32, compact>, GPTQ", rounding::gptq);
  b.template calibrated<int2<32, compact>>("int2<32, compact>, GPTQ", rounding::gptq);
}

/// The table. Whoever builds this for the format of an image wants that image measured, and waits for nothing else.
template <class Bench>
void all_rows(Bench& b) {
  if constexpr (!std::same_as<typename of_image::weight_format, ctlm::f32>)
    fail("this program was built for an image: it needs --image FILE");
  else
    rows_of_formats(b);
}

}  // namespace

int main(int argc, char** argv) try {
  examples::program = "quality";
  arguments a = parse(argc, argv);
  bench b;
  ctlm::tensor_report report;
  const auto loaded = ctlm::load_weights<full>(example_model::files, b.weights, b.workers, &report);
  std::fputs(report.text.c_str(), stderr);
  if (!loaded) fail(example_model::files, loaded.error());
  b.text = a.ids;
  if (b.text.empty())
    b.text = ctlm::own_text<full>(b.weights, b.workers, std::min<std::size_t>(a.windows, 4) * window, 2);
  b.text.resize(std::min(b.text.size() / window, a.windows) * window);
  b.calibration = a.calibration;
  if (b.calibration.empty() && a.image.empty()) b.calibration = ctlm::own_text<full>(b.weights, b.workers, window, 1);

  std::printf("%zu tokens%s, windows of %zu, %zu threads\n", b.text.size(), a.ids.empty() ? " of the model's own" : "",
              window, b.workers.workers());
  examples::measured_format::print_head();
  if (a.image.empty())
    all_rows(b);
  else
    b.image(a.image.c_str());
  if (!a.picture.empty())
    if (const auto written = ctlm::replace_file(a.picture.c_str(), examples::picture(b.rows)); !written)
      fail(a.picture.c_str(), written.error());
} catch (const std::exception& e) {  // no memory
  fail(e.what());
}
