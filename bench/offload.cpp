// A model larger than its memory: 2.2 GB of int8 weights on the disk, 256 MiB of them in memory. How fast does it
// generate, and how fast can the same file be read from one end to the other? bench/offload.py runs this under a hard
// limit of memory.
//
//   offload FILE --create              writes the model, with random weights
//   offload FILE [--passes 3] [--buffered] [--threads 2]     reads and generates in turn; medians as JSON
#include <ctlm/ctlm.hpp>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <vector>

namespace {

struct large {
  static constexpr ctlm::llama_config config{.vocab = 32000,
                                             .d_model = 2048,
                                             .layers = 46,
                                             .heads = 32,
                                             .kv_heads = 4,
                                             .d_ff = 5632,
                                             .context = 128,
                                             .tie_embeddings = true};
};
using lm =
    ctlm::causal_lm<large, ctlm::weights<ctlm::int8<32>>, ctlm::kv_cache<ctlm::int8<>>,
                    ctlm::memory<ctlm::offloaded<256 << 20>>, ctlm::threads<ctlm::pool<2>>, ctlm::prompt_chunk<1>>;
using source = ctlm::offloaded_weights<lm>;
constexpr std::size_t chunk = 8 << 20, file_bytes = sizeof(ctlm::image_header) + lm::weight_bytes;

struct options {
  const char* file = nullptr;
  bool create = false, buffered = false;
  int passes = 3;
};

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

int fail(const ctlm::failure& f) { return std::fprintf(stderr, "offload: %s\n", ctlm::explain(f).text), 1; }

/// Bytes that are small positive numbers as int8, as half precision and as single precision.
ctlm::result<void> create(const char* path) {
  return ctlm::replace_file(path, [](int descriptor) -> ctlm::result<void> {
    ctlm::image_header h;
    h.model = ctlm::weights_fingerprint<lm>();
    h.weight_bytes = lm::weight_bytes;
    if (const auto r = ctlm::write_exactly(descriptor, &h, sizeof h); !r) return r;
    std::vector<unsigned char> block(chunk);
    ctlm::rng random{1};
    for (auto& b : block) b = static_cast<unsigned char>(random.below(48));
    for (std::size_t left = lm::weight_bytes; left > 0;) {
      const std::size_t n = std::min(left, chunk);
      if (const auto r = ctlm::write_exactly(descriptor, block.data(), n); !r) return r;
      left -= n;
    }
    return {};
  });
}

/// Bytes per second of reading the file from one end to the other, in large pieces.
double sequential_rate(const options& o, std::byte* buffer) {
  const int flags = O_RDONLY | O_CLOEXEC | (o.buffered ? 0 : O_DIRECT);
  const ctlm::file_handle f(::open(o.file, flags));
  ::posix_fadvise(f.get(), 0, 0, POSIX_FADV_DONTNEED);
  const double start = now();
  std::size_t total = 0;
  for (ssize_t n = 1; n > 0; total += static_cast<std::size_t>(n)) {
    n = ::pread(f.get(), buffer, chunk, static_cast<off_t>(total));
    if (n < 0) return 0;
  }
  return static_cast<double>(total) / (now() - start);
}

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

int run(const options& o) {
  ctlm::heap_arena memory(source::bytes_needed() + lm::session_bytes);
  ctlm::heap_arena read_buffer(chunk + 4096);
  auto* page = read_buffer.allocate<std::byte>(chunk + 4096);
  page += (4096 - reinterpret_cast<std::uintptr_t>(page) % 4096) % 4096;
  ctlm::pool<2> workers;
  source weights(memory);
  lm::session session(weights, memory, workers);
  std::vector<double> read, decode;
  constexpr int tokens = 2;
  for (int pass = 0; pass < o.passes; ++pass) {
    read.push_back(sequential_rate(o, page));
    const auto opened = weights.open(o.file, o.buffered ? ctlm::file_access::buffered : ctlm::file_access::direct);
    if (!opened) return fail(opened.error());
    session.reset();
    session.decode(1);  // buffers are full from here on: what is read per token is what is used per token
    const double start = now();
    for (int t = 0; t < tokens; ++t) session.decode(ctlm::token(2 + t));
    decode.push_back(tokens / (now() - start));
  }
  const double rate = median(decode) * static_cast<double>(source::streamed_bytes);
  std::printf(
      "{\"model_bytes\": %zu, \"budget_bytes\": %zu, \"used_bytes\": %zu, \"tokens_per_s\": %.4f, "
      "\"streamed_mb_per_s\": %.1f, \"sequential_mb_per_s\": %.1f, \"share\": %.3f}\n",
      file_bytes, lm::memory_policy::budget, source::bytes_needed(), median(decode), rate / 1e6, median(read) / 1e6,
      rate / median(read));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  options o;
  for (int i = 1; i < argc; ++i) {
    if (!std::strcmp(argv[i], "--create"))
      o.create = true;
    else if (!std::strcmp(argv[i], "--buffered"))
      o.buffered = true;
    else if (!std::strcmp(argv[i], "--passes") && i + 1 < argc)
      o.passes = std::atoi(argv[++i]);
    else
      o.file = argv[i];
  }
  if (o.file == nullptr || o.passes < 1)
    return std::fprintf(stderr, "usage: offload FILE --create | offload FILE [--passes 3] [--buffered]\n"), 2;
  if (o.create) {
    const auto r = create(o.file);
    return r ? 0 : fail(r.error());
  }
  return run(o);
}
