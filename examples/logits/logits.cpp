// The logits of a model, to be compared with those of another program: ./dev logits builds and runs it.
//   logits IDS OUT [--chunk n] [--method plain|weighted|gptq] [--calibrate IDS] [--image FILE]
// IDS holds token ids, 32-bit integers; OUT gets the logits after each of them, 32-bit floats, [ids][vocabulary]. Both
// files are little-endian and have nothing else in them. With --chunk, the session takes n ids at a time; without, all.
// Weights in few bits are rounded by what the model's matrices see of a text of its own, or of the ids that --calibrate
// names; or the weights come from an image that ./dev quantise has made.
#include <ctlm/ctlm.hpp>

#include <example_model.hpp>  // made by ctlm_add_model

#include "../program.hpp"

#include <algorithm>
#include <exception>

namespace {

using examples::fail;
using exec = ctlm::pool<16>;
using lm =
    ctlm::causal_lm<example_model, ctlm::weights<CTLM_EXAMPLE_WEIGHTS>, ctlm::threads<exec>, ctlm::prompt_chunk<64>>;
constexpr const char* usage =
    "usage: logits IDS OUT [--chunk n] [--method plain|weighted|gptq] [--calibrate IDS] [--image FILE]";

struct arguments {
  const char* ids = nullptr;
  const char* out = nullptr;
  const char* image = nullptr;
  std::size_t chunk = lm::shape.context;
  examples::rounding_choice rounding;
};

arguments parse(int argc, char** argv) {
  arguments a;
  for (int i = 1; i < argc; ++i) {
    const std::string text = argv[i];
    if (text == "--chunk")
      a.chunk = examples::number_of(argc, argv, i, "ids");
    else if (text == "--image")
      a.image = examples::value_of(argc, argv, i);
    else if (a.rounding.takes(argc, argv, i, lm::shape.vocab))
      continue;
    else if (a.out != nullptr || text.substr(0, 2) == "--")
      fail("what does \"" + text + "\" mean? " + usage);
    else
      (a.ids == nullptr ? a.ids : a.out) = argv[i];
  }
  if (a.out == nullptr) fail(usage);
  return a;
}

/// Not more ids than the context has room for.
std::vector<ctlm::token> read_sequence(const char* path) {
  auto ids = examples::read_ids(path, lm::shape.vocab);
  if (ids.size() > lm::shape.context)
    fail(std::string(path) + " has " + std::to_string(ids.size()) + " ids, and the context has room for " +
         std::to_string(lm::shape.context));
  return ids;
}

/// Writes the logits after each id, a row at a time.
ctlm::result<void> write_logits(int file, lm::session& session, ctlm::span<const ctlm::token> ids, std::size_t chunk) {
  ctlm::result<void> state;
  for (std::size_t i = 0; i < ids.size() && state; i += chunk)
    session.score(ids.subspan(i, std::min(chunk, ids.size() - i)), [&](std::size_t, ctlm::span<float> logits) {
      if (state) state = ctlm::write_exactly(file, logits.data(), logits.size() * sizeof(float));
    });
  return state;
}

void run(const arguments& a, const std::vector<ctlm::token>& ids, const lm::const_weights& weights, exec& workers) {
  ctlm::heap_arena memory(lm::session_bytes);
  lm::session session(weights, memory, workers);
  const auto written = ctlm::replace_file(a.out, [&](int file) { return write_logits(file, session, ids, a.chunk); });
  if (!written) fail(a.out, written.error());
}

}  // namespace

int main(int argc, char** argv) try {
  examples::program = "logits";
  const arguments a = parse(argc, argv);
  const auto ids = read_sequence(a.ids);
  exec workers;  // as many as the machine has cores, at most 16
  if (a.image != nullptr) {
    const auto file = ctlm::mapped_file::open(a.image);
    if (!file) fail(a.image, file.error());
    const auto weights = ctlm::bind_image<lm>(file->bytes());
    if (!weights) fail(a.image, weights.error());
    run(a, ids, *weights, workers);
  } else {
    ctlm::heap_arena memory(lm::weight_bytes);
    lm::weights weights(memory);
    a.rounding.load<lm>(example_model::files, weights, workers, [](std::size_t, std::size_t) {});
    run(a, ids, weights, workers);
  }
} catch (const std::exception& e) {  // no memory
  fail(e.what());
}
