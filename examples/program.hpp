// What programs of examples/ for one model share: how they fail, options, files of token ids (32-bit integers,
// little-endian, with nothing else in them), and how weights are rounded.
#pragma once

#include <ctlm/ctlm.hpp>

#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace examples {

static_assert(std::endian::native == std::endian::little, "these programs copy numbers as they lie in memory");

/// The name before every sentence; a program says it once.
inline std::string program = "ctlm";

/// Ends the program with a sentence.
[[noreturn]] inline void fail(const std::string& sentence) {
  std::fprintf(stderr, "%s: %s\n", program.c_str(), sentence.c_str());
  std::exit(1);
}
[[noreturn]] inline void fail(const char* file, const ctlm::failure& f) {
  fail(std::string(file) + ": " + ctlm::explain(f).text);
}

/// The value behind option argv[i], and i at it.
inline const char* value_of(int argc, char** argv, int& i) {
  if (i + 1 >= argc) fail(std::string(argv[i]) + " needs a value");
  return argv[++i];
}
/// The same as a number of at least 1 and at most nine digits; `of` says what is counted.
inline std::size_t number_of(int argc, char** argv, int& i, const char* of) {
  const std::string option = argv[i], n = i + 1 < argc ? argv[++i] : "";
  if (n.empty() || n.size() > 9 || n.find_first_not_of("0123456789") != n.npos || std::stoul(n) == 0)
    fail(option + " needs a number of " + of + ", at least 1, not \"" + n + "\"");
  return std::stoul(n);
}

/// The number behind an option, above 0 and at most `most`, such as `like`.
inline double share_of(int argc, char** argv, int& i, double most, const char* like) {
  const std::string option = argv[i], text = i + 1 < argc ? argv[++i] : "";
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != 0 || !(number > 0) || !(number <= most))
    fail(option + " needs a number above 0 and at most " + std::to_string(static_cast<int>(most)) + ", such as " +
         like + ", not \"" + text + "\"");
  return number;
}

/// The ids of a file, all of them in the vocabulary.
inline std::vector<ctlm::token> read_ids(const char* path, std::size_t vocabulary) {
  const auto bytes = ctlm::read_file(path);
  if (!bytes) fail(path, bytes.error());
  const std::size_t n = bytes->size() / sizeof(ctlm::token);
  const std::string file(path);
  if (bytes->size() % sizeof(ctlm::token) != 0)
    fail(file + " has " + std::to_string(bytes->size()) +
         " bytes, which is no multiple of 4: it should hold 32-bit ids");
  if (n == 0) fail(file + " is empty");
  std::vector<ctlm::token> ids(n);
  std::memcpy(ids.data(), bytes->data(), bytes->size());
  for (std::size_t i = 0; i < n; ++i)
    if (ids[i] < 0 || static_cast<std::size_t>(ids[i]) >= vocabulary)
      fail(file + ": id " + std::to_string(ids[i]) + " at position " + std::to_string(i) +
           " is outside the vocabulary of " + std::to_string(vocabulary));
  return ids;
}

/// How weights are rounded: plain, weighted or gptq, and what is read for it.
struct rounding_choice {
  bool plain = false;
  ctlm::quantise_options options{};
  std::vector<ctlm::token> text;

  /// True if argv[i] was one of the options --method and --calibrate, and i is at its value then.
  bool takes(int argc, char** argv, int& i, std::size_t vocabulary) {
    const std::string option = argv[i];
    if (option == "--calibrate") {
      text = read_ids(value_of(argc, argv, i), vocabulary);
      options.text = text;
      return true;
    }
    if (option != "--method") return false;
    const std::string method = value_of(argc, argv, i);
    if (method != "plain" && method != "weighted" && method != "gptq")
      fail("--method is plain, weighted or gptq, not \"" + method + "\"");
    plain = method == "plain";
    options.method = method == "gptq" ? ctlm::rounding::gptq : ctlm::rounding::weighted;
    return true;
  }

  /// Loads the weights of model M; progress(layer, layers), where there is something to wait for.
  template <class M, class E, class Progress>
  void load(const char* files, const typename M::weights& weights, E& exec, Progress progress) const {
    ctlm::tensor_report report;
    const auto loaded = plain ? ctlm::load_weights<M>(files, weights, exec, &report)
                              : ctlm::load_calibrated<M>(files, weights, exec, options, &report, progress);
    std::fputs(report.text.c_str(), stderr);  // a line for each tensor that does not fit
    if (!loaded) fail(files, loaded.error());
  }
};

}  // namespace examples
