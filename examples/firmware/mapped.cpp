// The same image on a computer: mapped, not loaded. Prints how long it takes until the model is ready and how much
// memory it and its session add to an empty process.
//   mapped stories_int8.ctlm
#include MODEL_HEADER

#include <chrono>
#include <cstdio>

using lm = MODEL::lm<ctlm::kv_cache<ctlm::int8<>>>;

/// Bytes of this process in memory; 0 where the system does not say.
static long resident_bytes() {
  long all = 0, present = 0;
  if (std::FILE* f = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(f, "%ld %ld", &all, &present) != 2) present = 0;
    std::fclose(f);
  }
  return present * ::sysconf(_SC_PAGESIZE);
}

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: mapped IMAGE\n"), 2;
  const long empty = resident_bytes();
  const auto file = ctlm::mapped_file::open(argv[1]);
  if (!file) return std::fprintf(stderr, "mapped: %s\n", ctlm::explain(file.error()).text), 1;

  const auto start = std::chrono::steady_clock::now();
  const auto weights = ctlm::bind_image<lm>(file->bytes());
  if (!weights) return std::fprintf(stderr, "mapped: %s\n", ctlm::explain(weights.error()).text), 1;
  ctlm::heap_arena memory(lm::session_bytes);
  lm::session session(*weights, memory);
  const std::chrono::duration<double, std::micro> ready = std::chrono::steady_clock::now() - start;

  ctlm::token token = 1;
  std::printf("tokens");
  for (int i = 0; i < 64; ++i) {
    std::printf(" %d", token);
    token = ctlm::sampler::greedy(session.decode(token));
  }
  const long added = resident_bytes() - empty;
  std::printf("\nready %.0f us after mapping, checksum compared; %ld KiB more than an empty process\n", ready.count(),
              added / 1024);
  return added <= 2 << 20 ? 0 : 1;
}
