// The demo's command line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace demo {

extern const char* const source_folder;  // the root of this repository, whose sources are the default text

struct options {
  std::vector<std::string> data;  // files and folders; empty: the project's own sources
  std::string prompt = "template <class";
  std::string out = "demo-out";
  std::string tokenizer = "bpe";  // or bytes
  std::size_t steps = 600;
  std::size_t stop_after = 0;  // steps of this run, as if it were interrupted; 0: to the end
  std::size_t threads = 0;     // 0: as many as the machine has, at most 16
  std::uint64_t seed = 1337;
  bool resume = false;
  bool steps_given = false;
};

/// Options, or an exit with the help text (0) or with one sentence on stderr (2).
options parse(int argc, char** argv);

/// One sentence on stderr, and exit with 1.
[[noreturn]] void fail(const std::string& what);

}  // namespace demo
