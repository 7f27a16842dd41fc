// The logits of a model, to be compared with those of another program: ./dev logits builds and runs it.
//   logits IDS OUT [--chunk n]
// IDS holds token ids, 32-bit integers; OUT gets the logits after each of them, 32-bit floats, [ids][vocabulary]. Both
// files are little-endian and have nothing else in them. With --chunk, the session takes n ids at a time; without, all.
#include <ctlm/ctlm.hpp>

#include <example_model.hpp>  // made by ctlm_add_model

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

namespace {

using exec = ctlm::pool<16>;
using lm =
    ctlm::causal_lm<example_model, ctlm::weights<CTLM_EXAMPLE_WEIGHTS>, ctlm::threads<exec>, ctlm::prompt_chunk<64>>;
static_assert(std::endian::native == std::endian::little, "this program copies numbers as they lie in memory");

struct arguments {
  const char* ids = nullptr;
  const char* out = nullptr;
  std::size_t chunk = lm::shape.context;
};

/// Ends the program with a sentence.
[[noreturn]] void fail(const std::string& sentence) {
  std::fprintf(stderr, "logits: %s\n", sentence.c_str());
  std::exit(1);
}
[[noreturn]] void fail(const char* file, const ctlm::failure& f) {
  fail(std::string(file) + ": " + ctlm::explain(f).text);
}

arguments parse(int argc, char** argv) {
  arguments a;
  for (int i = 1; i < argc; ++i) {
    const std::string text = argv[i];
    if (text == "--chunk") {
      const std::string n = i + 1 < argc ? argv[++i] : "";
      if (n.empty() || n.size() > 9 || n.find_first_not_of("0123456789") != n.npos || std::stoul(n) == 0)
        fail("--chunk needs a number of ids, at least 1, not \"" + n + "\"");
      a.chunk = std::stoul(n);
    } else if (a.out != nullptr || text.substr(0, 2) == "--") {
      fail("what does \"" + text + "\" mean? usage: logits IDS OUT [--chunk n]");
    } else {
      (a.ids == nullptr ? a.ids : a.out) = argv[i];
    }
  }
  if (a.out == nullptr) fail("usage: logits IDS OUT [--chunk n]");
  return a;
}

/// The ids of a file: not more than the context has room for, all of them in the vocabulary.
std::vector<ctlm::token> read_ids(const char* path) {
  const auto bytes = ctlm::read_file(path);
  if (!bytes) fail(path, bytes.error());
  const std::size_t n = bytes->size() / sizeof(ctlm::token);
  const std::string file(path);
  if (bytes->size() % sizeof(ctlm::token) != 0)
    fail(file + " has " + std::to_string(bytes->size()) +
         " bytes, which is no multiple of 4: it should hold 32-bit ids");
  if (n == 0) fail(file + " is empty");
  if (n > lm::shape.context)
    fail(file + " has " + std::to_string(n) + " ids, and the context has room for " +
         std::to_string(lm::shape.context));
  std::vector<ctlm::token> ids(n);
  std::memcpy(ids.data(), bytes->data(), bytes->size());
  for (std::size_t i = 0; i < n; ++i)
    if (ids[i] < 0 || static_cast<std::size_t>(ids[i]) >= lm::shape.vocab)
      fail(file + ": id " + std::to_string(ids[i]) + " at position " + std::to_string(i) +
           " is outside the vocabulary of " + std::to_string(lm::shape.vocab));
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

}  // namespace

int main(int argc, char** argv) try {
  const arguments a = parse(argc, argv);
  const auto ids = read_ids(a.ids);

  exec workers;  // as many as the machine has cores, at most 16
  ctlm::heap_arena memory(lm::weight_bytes + lm::session_bytes);
  lm::weights weights(memory);
  ctlm::tensor_report report;
  const auto loaded = ctlm::load_weights<lm>(example_model::files, weights, workers, &report);
  std::fputs(report.text.c_str(), stderr);  // a line for each tensor that does not fit
  if (!loaded) fail(example_model::files, loaded.error());

  lm::session session(weights, memory, workers);
  const auto written = ctlm::replace_file(a.out, [&](int file) { return write_logits(file, session, ids, a.chunk); });
  if (!written) fail(a.out, written.error());
} catch (const std::exception& e) {  // no memory
  fail(e.what());
}
