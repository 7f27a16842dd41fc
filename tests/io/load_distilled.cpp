// A model's files to few bits, rounded and taught: nearer to the exact model than rounded alone, stopped after any
// step, and what is refused.
#include "data.hpp"
#include "model/models.hpp"

#include <ctlm/ctlm.hpp>
#include <ctlm/io/load_distilled.hpp>

#include <cmath>
#include <string>
#include <vector>

using namespace ctlm;

namespace {

using stories = models::stories_of_folder;
using exact = causal_lm<stories>;
using small = causal_lm<stories, weights<int2<32, compact>>>;

bool available() { return data::present("stories260K-hf/model.safetensors"); }
std::string folder() { return data::path("stories260K-hf"); }

/// What the model writes itself.
std::vector<token> text_of(exact::session& s, std::size_t n, std::uint64_t seed) {
  std::vector<token> text;
  sampler how{.temperature = 1, .seed = seed};
  while (text.size() < n) {
    s.reset();
    const token bos = 1;
    text.push_back(bos);
    generate(s, span<const token>(&bos, 1), how, 255, [&](token t) { text.push_back(t); });
  }
  return text;
}

}  // namespace

TEST_CASE("stories260K in 2.5 bits: what distillation gives back", "[io][accuracy]") {
  if (!available()) return;
  models::running<exact> full;
  serial exec;
  load_weights<exact>(folder().c_str(), full.weights, exec).value();
  const auto text = text_of(full.session, 4096, 1), tested = text_of(full.session, 4096, 2);
  const double base = mean_nll(full.session, tested, 256);
  models::running<small> rounded;
  const auto added = [&] { return mean_nll(rounded.session, tested, 256) - base; };
  quantise_options o{.method = rounding::gptq, .text = text};
  load_calibrated<small>(folder().c_str(), rounded.weights, exec, o).value();
  const double by_rounding = added();

  std::vector<std::size_t> layers;
  std::vector<step_result> steps;
  const auto progress = [&](std::size_t layer, std::size_t) { layers.push_back(layer); };
  const auto load = [&](std::size_t until) {
    steps.clear();
    load_distilled<small, 256>(folder().c_str(), rounded.weights, exec, o, {.steps = 60, .lr = 1e-2f, .scale_rate = 1},
                               nullptr, progress,
                               [&](const step_result& r, std::size_t of) {
                                 CHECK(of == 60);
                                 steps.push_back(r);
                                 return steps.size() < until;
                               })
        .value();
    return added();
  };
  const double stopped = load(1), taught = load(1000);
  CHECK(layers == std::vector<std::size_t>{0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5});
  CHECK(steps.size() == 60);
  CAPTURE(base, by_rounding, stopped, taught);
  CHECK(taught < 0.8 * by_rounding);
  CHECK(stopped < 1.2 * by_rounding);

  load_distilled<small, 256, compute<bf16>, activations<bf16>, recompute<2>>(
      folder().c_str(), rounded.weights, exec, o, {.steps = 60, .lr = 1e-2f, .scale_rate = 1}, nullptr, progress,
      [](const step_result&, std::size_t) { return true; })
      .value();
  const double in_halves = added();
  CAPTURE(in_halves);
  CHECK(in_halves != taught);
  CHECK(std::fabs(in_halves - taught) < 0.05 * by_rounding);
}

TEST_CASE("load_distilled says what is wrong", "[io]") {
  if (!available()) return;
  heap_arena memory(small::weight_bytes);
  small::weights w(memory);
  serial exec;
  const auto words = [&](const char* path, const quantise_options& o, const distil_options& d) {
    const auto loaded = load_distilled<small>(
        path, w, exec, o, d, nullptr, [](std::size_t, std::size_t) {},
        [](const step_result&, std::size_t) { return true; });
    return loaded ? std::string() : std::string(explain(loaded.error()).text);
  };
  CHECK_THAT(words((folder() + "/missing").c_str(), {}, {}), Catch::Contains("missing") || Catch::Contains("no such"));
  const std::vector<token> text(100, 5);
  CHECK_THAT(words(folder().c_str(), {.text = text}, {}), Catch::Contains("512 tokens, and the text has 100"));
  const std::vector<token> enough(512, 5);
  CHECK_THAT(words(folder().c_str(), {.text = enough}, {.steps = 0}), Catch::Contains("at least 1 step"));
}
