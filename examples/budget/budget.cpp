// A budget instead of a format: which format each matrix gets, so that the model loses least within so many bytes:
// ./dev budget builds and runs it.
//   budget BYTES [--calibrate IDS] [--most n]
// BYTES is a number, with kB, MB, GB, KiB, MiB or GiB behind it if need be. What each matrix costs in each format is
// found by a text of the model's own, or by the first 512 of the ids that --calibrate names. At most n different
// formats are used: 4.
#include <ctlm/ctlm.hpp>

#include <example_model.hpp>  // made by ctlm_add_model

#include "../program.hpp"

#include <algorithm>
#include <chrono>
#include <exception>

namespace {

using examples::fail;
using exec = ctlm::pool<16>;
using lm = ctlm::causal_lm<example_model, ctlm::threads<exec>>;
#ifdef CTLM_EXAMPLE_CANDIDATES
using formats = ctlm::candidates<CTLM_EXAMPLE_CANDIDATES>;
#else
using formats = ctlm::default_candidates;
#endif
constexpr const char* usage = "usage: budget BYTES [--calibrate IDS] [--most n]";
constexpr std::size_t tokens = 512;

/// The bytes that a text means: 64000000, 64MB, 1.5MiB.
std::size_t bytes_of(const std::string& text) {
  const std::size_t end = std::min(text.find_first_not_of("0123456789."), text.size());
  const std::string number = text.substr(0, end), unit = text.substr(end);
  const std::pair<const char*, double> units[] = {{"", 1},     {"B", 1},         {"kB", 1e3},      {"MB", 1e6},
                                                  {"GB", 1e9}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}};
  double factor = 0;
  for (const auto& [name, value] : units)
    if (unit == name) factor = value;
  const bool is_number = end > 0 && end < 13 && number[0] != '.' && std::count(number.begin(), number.end(), '.') <= 1;
  if (!is_number || factor == 0 || (factor == 1 && number.find('.') != number.npos))
    fail("a budget is a number of bytes, such as 64000000, 64MB or 61.5MiB, not \"" + text + "\"");
  return static_cast<std::size_t>(std::stod(number) * factor);
}

/// What each matrix costs in each format.
std::vector<double> measure(const lm::weights& weights, exec& workers, std::vector<ctlm::token> text) {
  using work = ctlm::sensitivity<lm, formats>;
  if (text.empty())
    text = ctlm::own_text<lm>(weights, workers, std::max(work::least_tokens, std::min(tokens, lm::shape.context)), 1);
  const std::size_t room = std::max(work::least_tokens, std::min(tokens, text.size()));
  ctlm::heap_arena memory(work::bytes_needed(room));
  work s(memory, workers, room);
  const auto begin = std::chrono::steady_clock::now();
  const auto costs = s.run(weights, text, 1, [](std::size_t matrix, std::size_t matrices) {
    std::fprintf(stderr, "\rmatrix %zu of %zu%s", matrix, matrices, matrix == matrices ? "\n" : "");
  });
  std::printf("%zu tokens, %.1f s, %zu MB beside the weights\n", room,
              std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(),
              work::bytes_needed(room) / 1'000'000);
  return {costs.begin(), costs.end()};
}

}  // namespace

int main(int argc, char** argv) try {
  examples::program = "budget";
  std::string budget;
  std::vector<ctlm::token> text;
  std::size_t most = 4;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--calibrate")
      text = examples::read_ids(examples::value_of(argc, argv, i), lm::shape.vocab);
    else if (option == "--most")
      most = examples::number_of(argc, argv, i, "formats");
    else if (!budget.empty() || option.substr(0, 2) == "--")
      fail("what does \"" + option + "\" mean? " + usage);
    else
      budget = option;
  }
  if (budget.empty()) fail(usage);
  const std::size_t bytes = bytes_of(budget);
  const std::vector<double> no_costs(ctlm::matrices_of<lm::shape_type>::count * formats::size);
  if (const auto possible = ctlm::plan_formats<lm, formats>(no_costs, bytes, most); !possible)
    fail(budget.c_str(), possible.error());  // before anything takes time

  exec workers;
  ctlm::heap_arena memory(lm::weight_bytes);
  lm::weights weights(memory);
  ctlm::tensor_report report;
  const auto loaded = ctlm::load_weights<lm>(example_model::files, weights, workers, &report);
  std::fputs(report.text.c_str(), stderr);
  if (!loaded) fail(example_model::files, loaded.error());
  const auto plan = ctlm::plan_formats<lm, formats>(measure(weights, workers, std::move(text)), bytes, most);
  if (!plan) fail(budget.c_str(), plan.error());
  std::printf("%s%zu bytes of %zu, %.2f bits per weight\n\nin C++:\nctlm::weights<%s>\n\nin a shell:\n'%s'\n",
              plan->table().c_str(), plan->weight_bytes, bytes,
              8.0 * static_cast<double>(plan->weight_bytes) / static_cast<double>(lm::parameters),
              plan->spelt().c_str(), plan->option().c_str());
} catch (const std::exception& e) {  // no memory, a text that is too short
  fail(e.what());
}
