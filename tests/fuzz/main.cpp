// A fuzz target without libFuzzer: runs the files that it is given or, without any, the seeds and mutations of them.
// It understands as much of libFuzzer's command line as run.py uses.
//
//   -runs=N             this many inputs (20,000 by default)
//   -max_total_time=S   seconds at most
//   -artifact_prefix=P  where an input goes that breaks a promise
#include "fuzz.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <chrono>
#include <csignal>

extern "C" int LLVMFuzzerInitialize(int*, char***);

namespace {

std::string current, artifact = "finding";

void run(const std::string& bytes) {
  current = bytes;
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(current.data()), current.size());
}

/// Keeps the input that is being run.
extern "C" void keep(int signal) {
  const int file = ::open(artifact.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (file >= 0 && ::write(file, current.data(), current.size()) >= 0) ::close(file);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

std::string mutated(std::string s, ctlm::rng& random) {
  static constexpr std::uint8_t edges[] = {0x00, 0xFF, 0x7F, 0x80, 0x01, ' ', '<', '/'};
  for (std::size_t i = 1 + random.below(4); i > 0; --i) {
    const std::size_t at = s.empty() ? 0 : random.below(s.size());
    switch (random.below(5)) {
      case 0:
        s.insert(at, 1, static_cast<char>(random.below(256)));
        break;
      case 1:
        s.resize(at);
        break;
      case 2:
        s += s.substr(at);
        if (s.size() > 4096) s.resize(4096);
        break;
      default:
        if (s.empty()) break;
        s[at] = static_cast<char>(random.below(2) ? edges[random.below(8)] : random.below(256));
    }
  }
  return s;
}

}  // namespace

int main(int argc, char** argv) {
  LLVMFuzzerInitialize(&argc, &argv);
  for (int signal : {SIGABRT, SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGBUS}) std::signal(signal, keep);
  std::size_t runs = 20'000, executed = 0;
  double seconds = 1e9;
  bool any_file = false;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    struct stat s {};
    if (word.rfind("-runs=", 0) == 0) runs = std::strtoull(word.c_str() + 6, nullptr, 10);
    if (word.rfind("-max_total_time=", 0) == 0) {
      seconds = std::strtod(word.c_str() + 16, nullptr);
      runs = ~std::size_t{0};
    }
    if (word.rfind("-artifact_prefix=", 0) == 0) artifact = word.substr(17) + "input";
    if (word[0] == '-' || ::stat(argv[i], &s) != 0 || !S_ISREG(s.st_mode)) continue;
    any_file = true;
    run(ctlm::read_file(argv[i]).value());
  }
  if (any_file) return 0;

  std::vector<std::string> seeds;
  fuzz::seeds([&](const std::string& s) { seeds.push_back(s); });
  for (const std::string& s : seeds) run(s);
  ctlm::rng random{1};
  const auto start = std::chrono::steady_clock::now();
  while (executed < runs && std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() < seconds) {
    run(mutated(seeds[random.below(seeds.size())], random));
    ++executed;
  }
  std::fprintf(stderr, "stat::number_of_executed_units: %zu\n", executed + seeds.size());
}
