// The main job, end to end: one struct is trained on real text, quantised to 8, 4 and 2 bits, compared, and completes a
// line of code.
#include <ctlm/ctlm.hpp>

#include <sys/resource.h>
#include <sys/stat.h>

#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "interrupt.hpp"
#include "options.hpp"
#include "output.hpp"
#include "run.hpp"

namespace {

using namespace ctlm;
using demo::run;

// ---- the model, and how it is trained ------------------------------------------------------------------------------

struct demo_gpt {
  static constexpr gpt2_config config{.vocab = 1024, .d_model = 160, .layers = 4, .heads = 5, .context = 128};
};
struct recipe {
  static constexpr train_config config{.batch = 8};
};
using workers = pool<16>;
using lm = causal_lm<demo_gpt, threads<workers>>;
using lm_int8 = causal_lm<demo_gpt, weights<int8<32>>, kv_cache<int8<>>, threads<workers>>;
using lm_int4 = causal_lm<demo_gpt, weights<int4<32>>, kv_cache<int8<>>, threads<workers>>;
using lm_int2 = causal_lm<demo_gpt, weights<int2<32, asymmetric>>, kv_cache<int8<>>, threads<workers>>;
using demo_trainer = trainer<lm, recipe, optimizer<adamw>, schedule<warmup_cosine>>;

constexpr std::size_t merges = demo_gpt::config.vocab - 256;
constexpr std::size_t validate_every = 100;

demo_trainer::options hyper_parameters(std::uint64_t seed, std::size_t steps) {
  return {.seed = seed,
          .optimizer = {.lr = 2e-3f, .beta1 = 0.9f, .beta2 = 0.95f, .weight_decay = 0.1f},
          .schedule = {.warmup = smaller(steps / 10, 100), .total = steps, .min_lr = 2e-4f},
          .clip_norm = 1.0f,
          .dropout = 0.1f};
}

// ---- text ----------------------------------------------------------------------------------------------------------

std::string gather_text(const demo::options& o) {
  std::string text;
  auto add = [&](const std::string& path, span<const std::string_view> extensions) {
    const auto part = read_text(path, extensions);
    if (!part) demo::fail("--data " + path + ": " + explain(part.error()).text);
    text += *part;
  };
  static constexpr std::string_view sources[] = {".hpp", ".cpp"};
  if (o.data.empty())
    for (const char* folder : {"/include", "/tests", "/examples"})
      add(std::string(demo::source_folder) + folder, sources);
  for (const std::string& path : o.data) add(path, {});
  constexpr std::size_t least = 16 * 1024;
  if (text.size() < least)
    demo::fail("the text has " + std::to_string(text.size()) + " bytes; training needs at least " +
               std::to_string(least));
  return text;
}

/// Every tenth stretch of the text is for validation: files differ, and the last tenth would be of one kind.
struct corpus {
  std::vector<token> training;
  std::vector<token> validation;
  std::size_t size() const { return training.size() + validation.size(); }
};

corpus tokenise(const bpe& tokenizer, const std::string& text) {
  const std::vector<token> tokens = tokenizer.encode(text);
  constexpr std::size_t context = lm::shape.context;
  const std::size_t stretch = smaller(2048, tokens.size() / 10);
  corpus c;
  for (std::size_t i = 0; i < tokens.size(); ++i)
    (i / larger(1, stretch) % 10 == 9 ? c.validation : c.training).push_back(tokens[i]);
  if (c.validation.size() < context + 1)
    demo::fail("the text has only " + std::to_string(tokens.size()) + " tokens; training needs at least " +
               std::to_string(10 * (context + 1)));
  return c;
}

std::uint64_t hash_of(const std::string& text, const std::string& tokenizer) {
  std::uint64_t h = mix(text.size(), tokenizer.size());
  for (char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  return h;
}

void must(const result<void>& r, const std::string& doing) {
  if (!r) demo::fail(doing + ": " + explain(r.error()).text);
}

// ---- training ------------------------------------------------------------------------------------------------------

/// Beginnings of a fixed set of windows of the validation text, spread over all of it: whole batches.
std::vector<std::size_t> validation_windows(const corpus& c) {
  const std::size_t windows = (c.validation.size() - 1) / demo_trainer::sequence;
  std::vector<std::size_t> starts((windows < 64 ? 1 : 4) * demo_trainer::batch);
  for (std::size_t i = 0; i < starts.size(); ++i) starts[i] = i * windows / starts.size() * demo_trainer::sequence;
  return starts;
}

double validate(demo_trainer& t, const corpus& c) {
  const std::vector<std::size_t> starts = validation_windows(c);
  std::vector<token> inputs, targets;
  double total = 0;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const auto from = c.validation.begin() + static_cast<std::ptrdiff_t>(starts[i]);
    inputs.insert(inputs.end(), from, from + demo_trainer::sequence);
    targets.insert(targets.end(), from + 1, from + 1 + demo_trainer::sequence);
    if (inputs.size() < demo_trainer::batch_tokens) continue;
    total += t.evaluate(inputs, targets);
    inputs.clear();
    targets.clear();
  }
  return total / static_cast<double>(starts.size() / demo_trainer::batch);
}

/// The same loss, by a session of a finished model.
template <class Session>
double validate(Session& session, const corpus& c) {
  const std::vector<std::size_t> starts = validation_windows(c);
  double total = 0;
  for (std::size_t first : starts)
    total += mean_nll(session, span<const token>(c.validation).subspan(first, demo_trainer::sequence + 1),
                      demo_trainer::sequence);
  return total / static_cast<double>(starts.size());
}

/// A validation loss at this step, which is the last or one of every hundred.
void note_validation(demo_trainer& t, run& r, const corpus& c, progress_monitor& monitor) {
  const double loss = validate(t, c);
  r.add_validation(t.steps(), loss);
  char text[100];
  std::snprintf(text, sizeof text, "step %5zu  validation loss %.4f  perplexity %.2f", t.steps(), loss, std::exp(loss));
  monitor.note(text);
}

void train(demo_trainer& t, run& r, const corpus& c, const demo::options& o) {
  const demo::interrupt interrupted;
  const std::string checkpoint = o.out + "/checkpoint.ctlm";
  demo::metrics_file metrics(o.out + "/metrics.jsonl", o.resume, t.steps());
  batch_sampler batches(c.training, demo_trainer::sequence, r.state.seed);
  batches.position = r.state.batches;
  progress_monitor monitor(r.state.steps, demo_trainer::step_tokens);
  std::vector<token> inputs(demo_trainer::step_tokens), targets(demo_trainer::step_tokens);
  auto save = [&] {
    metrics.flush();
    r.state.batches = batches.position;
    must(save_checkpoint(checkpoint.c_str(), t, r.sections()), "saving " + checkpoint);
  };
  const std::size_t first = t.steps();
  while (t.steps() < r.state.steps) {
    const bool stop = o.stop_after > 0 && t.steps() - first == o.stop_after;
    if (stop || interrupted) {
      if (t.steps() > first) save();
      std::printf("stopped after %zu steps%s%s; %s\n", t.steps(), stop ? "" : " by ", stop ? "" : interrupted.name(),
                  t.steps() > 0 ? "go on with --resume" : "nothing was saved");
      std::exit(stop ? 0 : interrupted.exit_status());
    }
    batches.next(inputs, targets);
    const step_result s = t.step(inputs, targets);
    if (!std::isfinite(s.loss)) demo::fail("the loss is not a number any more: lower the learning rate");
    r.add(s);
    monitor.step(s);
    metrics.add(s);
    if (t.steps() % validate_every == 0 || t.steps() == r.state.steps) {
      note_validation(t, r, c, monitor);
      save();
    }
  }
  if (interrupted) {
    std::printf("stopped by %s after the last step; --resume compares\n", interrupted.name());
    std::exit(interrupted.exit_status());
  }
}

// ---- comparison ----------------------------------------------------------------------------------------------------

struct row {
  const char* format;
  std::size_t weight_bytes;
  std::size_t session_bytes;
  double loss;
  double tokens_per_second;
  std::string completion;
};

std::string complete(auto& session, const bpe& tokenizer, const std::string& prompt) {
  const auto tokens = tokenizer.encode(prompt);
  const span<const token> all = tokens;
  const std::size_t room = lm::shape.context / 2;  // of a long prompt, the end counts
  sampler how{.temperature = 0.4f, .top_k = 20, .seed = 1};
  std::string text = prompt;
  session.reset();
  generate(session, all.size() > room ? all.subspan(all.size() - room) : all, how, 60, [&](token t) {
    text += tokenizer.bytes_of(t);
    return text.find('\n', prompt.size()) == std::string::npos;
  });
  return text.substr(0, text.find('\n', prompt.size()));
}

template <class M>
row measure_format(const typename M::const_weights& w, const corpus& c, const bpe& tokenizer, const std::string& prompt,
                   workers& exec) {
  heap_arena memory(M::session_bytes);
  typename M::session session(w, memory, exec);
  const span<const token> text = c.validation;
  const double loss = validate(session, c);
  using clock = std::chrono::steady_clock;
  double best = 0;
  for (int repeat = 0; repeat < 3; ++repeat) {
    session.reset();
    const auto start = clock::now();
    for (std::size_t i = 0; i < lm::shape.context; ++i) session.decode(text[i]);
    best = std::fmax(
        best, static_cast<double>(lm::shape.context) / std::chrono::duration<double>(clock::now() - start).count());
  }
  return {M::weight_format::name, M::weight_bytes, M::session_bytes, loss, best, complete(session, tokenizer, prompt)};
}

template <class M>
row quantised_row(const demo_trainer& t, const corpus& c, const bpe& tokenizer, const std::string& prompt,
                  workers& exec) {
  heap_arena memory(M::weight_bytes);
  typename M::weights w(memory);
  quantise(t.weights(), w);
  return measure_format<M>(w, c, tokenizer, prompt, exec);
}

void print_table(const std::vector<row>& rows) {
  std::printf("\n%-7s %10s %8s %16s %12s %10s %22s\n", "format", "bytes", "ratio", "validation loss", "perplexity",
              "tokens/s", "memory to generate");
  for (const row& r : rows)
    std::printf("%-7s %10zu %7.2fx %16.4f %12.2f %10.0f %19.0f KB\n", r.format, r.weight_bytes,
                static_cast<double>(rows[0].weight_bytes) / static_cast<double>(r.weight_bytes), r.loss,
                std::exp(r.loss), r.tokens_per_second, static_cast<double>(r.weight_bytes + r.session_bytes) / 1024);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
#if defined(__APPLE__)
  const double peak = static_cast<double>(usage.ru_maxrss) / 1048576;
#else
  const double peak = static_cast<double>(usage.ru_maxrss) / 1024;
#endif
  std::printf(
      "memory to generate is exact and known when compiling: weights and session; the peak of this whole run, with\n"
      "text, tokenizer and training (train_bytes %.1f MB), was %.0f MB\n\n",
      static_cast<double>(demo_trainer::train_bytes) / 1048576, peak);
  for (const row& r : rows) std::printf("%-5s  %s\n", r.format, r.completion.c_str());
}

}  // namespace

int main(int argc, char** argv) try {
  std::signal(SIGXFSZ, SIG_IGN);  // a file size limit is reported like a full disk
  const demo::options o = demo::parse(argc, argv);
  const auto start = std::chrono::steady_clock::now();
  demo::check_output_folder(o.out);
  const std::string text = gather_text(o);
  if (::mkdir(o.out.c_str(), 0777) != 0 && errno != EEXIST)
    demo::fail("--out " + o.out + ": " + explain(system_failure("ctlm: the folder could not be created")).text);

  // With --resume, the checkpoint's seed and steps count, and its tokenizer.
  run r(merges);
  r.state = {.seed = o.seed, .steps = o.steps, .text_hash = hash_of(text, o.tokenizer)};
  heap_arena memory(demo_trainer::train_bytes);
  workers exec(o.threads == 0 ? std::thread::hardware_concurrency() : o.threads);
  const std::string checkpoint = o.out + "/checkpoint.ctlm";
  if (o.resume) {
    heap_arena probe_memory(demo_trainer::train_bytes);
    demo_trainer probe(probe_memory, {}, exec);
    must(load_checkpoint(checkpoint.c_str(), probe, r.sections()), "--resume: " + checkpoint);
    if (!r.fits()) demo::fail("--resume: " + checkpoint + " is damaged: a count is too large");
    if (r.state.text_hash != hash_of(text, o.tokenizer))
      demo::fail("--resume: the text or the tokenizer differs from what " + checkpoint + " was trained with");
    if (o.steps_given) r.state.steps = o.steps;
  }
  demo_trainer t(memory, hyper_parameters(r.state.seed, r.state.steps), exec);
  bpe tokenizer;
  if (o.resume) {
    must(load_checkpoint(checkpoint.c_str(), t, r.sections()), "--resume: " + checkpoint);
    if (o.steps_given) r.state.steps = o.steps;
    auto loaded = bpe::from_merges(span<const bpe::merge>(r.merge_table).first(smaller(merges, r.state.merge_count)));
    if (!loaded) demo::fail("--resume: " + checkpoint + ": " + explain(loaded.error()).text);
    tokenizer = *loaded;
  } else {
    if (o.tokenizer == "bpe") tokenizer = bpe::train(text, demo_gpt::config.vocab);
    r.state.merge_count = tokenizer.merges().size();
    std::copy(tokenizer.merges().begin(), tokenizer.merges().end(), r.merge_table.begin());
  }

  const corpus c = tokenise(tokenizer, text);
  std::printf("%zu KB of text, %zu tokens of %zu; GPT-2 with %.2f million parameters, %zu threads, %s\n",
              text.size() / 1024, c.size(), tokenizer.vocab(), static_cast<double>(lm::parameters) / 1e6,
              exec.workers(), lm::backend_policy::name);
  if (t.steps() > 0) std::printf("going on after step %zu\n", t.steps());
  train(t, r, c, o);
  const std::string picture = o.out + "/loss.svg";
  must(replace_file(picture.c_str(),
                    r.curve().svg("Loss of a GPT of " + std::to_string(lm::parameters) + " parameters")),
       picture);
  std::printf("checkpoint: %s   loss curve: %s\n", checkpoint.c_str(), picture.c_str());

  std::vector<row> rows{measure_format<lm>(t.weights(), c, tokenizer, o.prompt, exec)};
  rows.push_back(quantised_row<lm_int8>(t, c, tokenizer, o.prompt, exec));
  rows.push_back(quantised_row<lm_int4>(t, c, tokenizer, o.prompt, exec));
  rows.push_back(quantised_row<lm_int2>(t, c, tokenizer, o.prompt, exec));
  print_table(rows);
  std::printf("\n%.0f seconds in all\n",
              std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) demo::fail("the output could not be written");
} catch (const std::bad_alloc&) {
  demo::fail("there is not enough memory");
} catch (const std::exception& e) {
  demo::fail(e.what());
}
