// A model in few bits, as an image that is mapped or linked, not loaded: ./dev quantise builds and runs it.
//   quantise OUT [--method plain|weighted|gptq] [--calibrate IDS]
// OUT gets the image: a program that has the model as a type (ctlm_add_model) maps it, firmware links it, and ./dev
// logits
// --image reads it. Weights are rounded by what the model's matrices see of a text of its own, or of the ids that
// --calibrate names.
#include <ctlm/ctlm.hpp>

#include <example_model.hpp>  // made by ctlm_add_model

#include "../program.hpp"

#include <chrono>
#include <exception>

namespace {

using examples::fail;
using exec = ctlm::pool<16>;
using lm = ctlm::causal_lm<example_model, ctlm::weights<CTLM_EXAMPLE_WEIGHTS>, ctlm::threads<exec>>;
constexpr const char* usage = "usage: quantise OUT [--method plain|weighted|gptq] [--calibrate IDS]";

}  // namespace

int main(int argc, char** argv) try {
  examples::program = "quantise";
  const char* out = nullptr;
  examples::rounding_choice rounding;
  for (int i = 1; i < argc; ++i) {
    if (rounding.takes(argc, argv, i, lm::shape.vocab)) continue;
    if (out != nullptr || std::string(argv[i]).substr(0, 2) == "--")
      fail(std::string("what does \"") + argv[i] + "\" mean? " + usage);
    out = argv[i];
  }
  if (out == nullptr) fail(usage);

  exec workers;
  ctlm::heap_arena memory(lm::weight_bytes);
  lm::weights weights(memory);
  const auto begin = std::chrono::steady_clock::now();
  const auto show = [](std::size_t layer, std::size_t layers) {
    std::fprintf(stderr, "\rlayer %zu of %zu%s", layer, layers, layer == layers ? ", and the rest\n" : "");
  };
  rounding.load<lm>(example_model::files, weights, workers, show);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (const auto written = ctlm::write_image<lm>(out, weights); !written) fail(out, written.error());
  std::printf("%s: %zu bytes, %.2f bits per weight, in %.1f s\n", out, lm::weight_bytes,
              8.0 * static_cast<double>(lm::weight_bytes) / static_cast<double>(lm::parameters), seconds);
} catch (const std::exception& e) {  // no memory
  fail(e.what());
}
