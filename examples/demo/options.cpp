#include "options.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>

namespace demo {
namespace {

constexpr const char* help =
    R"(usage: ./dev demo [options]

Trains a small GPT on real text, quantises it three ways, compares, and completes a line of code with each.

  --data PATH        a file or folder to train on; may be given several times (default: this project's own sources)
  --steps N          training steps (default 600)
  --prompt TEXT      what to complete (default "template <class")
  --seed N           of weights, batches and dropout (default 1337)
  --tokenizer KIND   bpe, trained on the spot (default), or bytes
  --threads N        1 to 16 (default: as many as the machine has)
  --out FOLDER       checkpoint, loss curve and metrics go there (default demo-out)
  --resume           go on from the checkpoint in the output folder, to the bit as if it had never stopped
  --stop-after N     stop after N steps of this run, as if interrupted (the checkpoint is saved)
  --help             this text

Ctrl-C (SIGINT) or SIGTERM ends training after the step under way, saves the checkpoint and exits with 130 or 143; a
second one ends the program at once, and the last checkpoint stays. Before training there is nothing to save.
)";

[[noreturn]] void usage_error(const std::string& what) {
  std::fprintf(stderr, "demo: %s; see --help\n", what.c_str());
  std::exit(2);
}

std::uint64_t number(const std::string& name, const std::string& text, std::uint64_t least, std::uint64_t most) {
  char* end = nullptr;
  errno = 0;
  const unsigned long long n = std::strtoull(text.c_str(), &end, 10);
  if (text.empty() || text[0] < '0' || text[0] > '9' || *end != '\0' || errno == ERANGE || n < least || n > most)
    usage_error(name + " needs a whole number from " + std::to_string(least) + " to " + std::to_string(most) +
                ", not \"" + text + "\"");
  return n;
}

}  // namespace

void fail(const std::string& what) {
  std::fprintf(stderr, "demo: %s\n", what.c_str());
  std::exit(1);
}

options parse(int argc, char** argv) {
  options o;
  const std::map<std::string, std::function<void(const std::string&)>> with_value{
      {"--data", [&](const std::string& v) { o.data.push_back(v); }},
      {"--steps",
       [&](const std::string& v) {
         o.steps = number("--steps", v, 1, 10'000'000);
         o.steps_given = true;
       }},
      {"--stop-after", [&](const std::string& v) { o.stop_after = number("--stop-after", v, 1, 10'000'000); }},
      {"--prompt", [&](const std::string& v) { o.prompt = v; }},
      {"--seed", [&](const std::string& v) { o.seed = number("--seed", v, 0, ~std::uint64_t{0}); }},
      {"--threads", [&](const std::string& v) { o.threads = number("--threads", v, 1, 16); }},
      {"--out", [&](const std::string& v) { o.out = v; }},
      {"--tokenizer",
       [&](const std::string& v) {
         if (v != "bpe" && v != "bytes") usage_error("--tokenizer is bpe or bytes, not \"" + v + "\"");
         o.tokenizer = v;
       }},
  };
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--help" || name == "-h") {
      std::fputs(help, stdout);
      std::exit(0);
    }
    if (name == "--resume") {
      o.resume = true;
    } else if (const auto option = with_value.find(name); option == with_value.end()) {
      usage_error("there is no option " + name);
    } else if (i + 1 == argc) {
      usage_error(name + " needs a value");
    } else {
      option->second(argv[++i]);
    }
  }
  if (o.prompt.empty()) usage_error("--prompt needs at least one character");
  if (o.out.empty()) usage_error("--out needs a folder");
  return o;
}

}  // namespace demo
