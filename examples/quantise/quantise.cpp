// A model in few bits, as an image that is mapped or linked, not loaded: ./dev quantise builds and runs it.
//   quantise OUT [--method plain|weighted|gptq|distil] [--calibrate IDS] [--steps n]
//            [--rate x] [--scale-rate x] [--compute f32|bf16]
// OUT gets the image: a program that has the model as a type (ctlm_add_model) maps it, firmware links it, and ./dev
// logits --image reads it. Weights are rounded by what the model's matrices see of a text of its own, or of the ids
// that
// --calibrate names. With distil they are rounded as by gptq, and then the scales of their groups, gains and biases
// learn to predict what the exact model predicts, in 256 steps, or --steps, of 1,024 tokens each, at a rate of 1e-3, or
// --rate, of which scales have the part --scale-rate, 1 otherwise. With --compute bf16 the products of both models
// multiply numbers of 16 bits, which some processors do several times as fast. Ctrl-C ends that after a step, and the
// image is written all the same.
#include <ctlm/ctlm.hpp>
#include <ctlm/io/load_distilled.hpp>

#include <example_model.hpp>  // made by ctlm_add_model

#include "../demo/interrupt.hpp"
#include "../program.hpp"

#include <chrono>
#include <exception>

namespace {

using examples::fail;
using exec = ctlm::pool<16>;
using lm = ctlm::causal_lm<example_model, ctlm::weights<CTLM_EXAMPLE_WEIGHTS>, ctlm::threads<exec>>;
constexpr const char* usage =
    "usage: quantise OUT [--method plain|weighted|gptq|distil] [--calibrate IDS] [--steps n] [--rate x] [--scale-rate "
    "x] [--compute f32|bf16]";
using clock_type = std::chrono::steady_clock;

double seconds_since(clock_type::time_point begin) {
  return std::chrono::duration<double>(clock_type::now() - begin).count();
}

void show_layer(std::size_t layer, std::size_t layers) {
  std::fprintf(stderr, "\rlayer %zu of %zu%s", layer, layers, layer == layers ? ", and the rest\n" : "");
}

/// What --compute says.
bool is_bf16(const std::string& compute) {
  if (compute != "f32" && compute != "bf16") fail("--compute is f32 or bf16, not \"" + compute + "\"");
  return compute == "bf16";
}

/// Rounds, and teaches what that took from the model, with a distiller's Slots.
template <class... Slots>
void distil(const lm::weights& weights, exec& workers, const examples::rounding_choice& rounding,
            const ctlm::distil_options& options) {
  const demo::interrupt stop;
  const auto begin = clock_type::now();
  const auto told = [&](const ctlm::step_result& r, std::size_t steps) {
    std::fprintf(stderr, "\rstep %zu of %zu, loss %.4f, %.0f s%s", r.step + 1, steps, static_cast<double>(r.loss),
                 seconds_since(begin), r.step + 1 == steps || stop ? "\n" : "");
    return !stop;
  };
  ctlm::tensor_report report;
  const auto loaded = ctlm::load_distilled<lm, ctlm::smaller(std::size_t{512}, lm::shape.context), Slots...>(
      example_model::files, weights, workers, rounding.options, options, &report, show_layer, told);
  std::fputs(report.text.c_str(), stderr);
  if (!loaded) fail(example_model::files, loaded.error());
}

}  // namespace

int main(int argc, char** argv) try {
  examples::program = "quantise";
  const char* out = nullptr;
  examples::rounding_choice rounding;
  ctlm::distil_options learning;
  bool distils = false, in_bf16 = false;
  const char* of_distil = nullptr;  // the last option that is
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--method" && i + 1 < argc && std::string(argv[i + 1]) == "distil")
      distils = ++i > 0;
    else if (option == "--steps")
      of_distil = argv[i], learning.steps = examples::number_of(argc, argv, i, "steps");
    else if (option == "--rate")
      of_distil = argv[i], learning.lr = static_cast<float>(examples::share_of(argc, argv, i, 1, "2e-4"));
    else if (option == "--scale-rate")
      of_distil = argv[i], learning.scale_rate = examples::share_of(argc, argv, i, 100, "0.25");
    else if (option == "--compute")
      of_distil = argv[i], in_bf16 = is_bf16(examples::value_of(argc, argv, i));
    else if (rounding.takes(argc, argv, i, lm::shape.vocab))
      distils = distils && option != "--method";
    else if (out != nullptr || option.substr(0, 2) == "--")
      fail("what does \"" + option + "\" mean? " + usage);
    else
      out = argv[i];
  }
  if (out == nullptr) fail(usage);
  if (of_distil != nullptr && !distils) fail(std::string(of_distil) + " is for --method distil");

  exec workers;
  ctlm::heap_arena memory(lm::weight_bytes);
  lm::weights weights(memory);
  const auto begin = clock_type::now();
  if (distils && in_bf16)
    distil<ctlm::compute<ctlm::bf16>>(weights, workers, rounding, learning);
  else if (distils)
    distil<>(weights, workers, rounding, learning);
  else
    rounding.load<lm>(example_model::files, weights, workers, show_layer);
  if (const auto written = ctlm::write_image<lm>(out, weights); !written) fail(out, written.error());
  std::printf("%s: %zu bytes, %.2f bits per weight, in %.1f s\n", out, lm::weight_bytes,
              8.0 * static_cast<double>(lm::weight_bytes) / static_cast<double>(lm::parameters), seconds_since(begin));
} catch (const std::exception& e) {  // no memory
  fail(e.what());
}
