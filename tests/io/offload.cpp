// Weights on the disk, in a file or mapped: the same logits as from memory, within the budget, and clear errors.
#include "catch.hpp"

#include <ctlm/ctlm.hpp>

#include <sys/resource.h>
#include <sys/wait.h>
#include <cstring>
#include <fstream>

namespace {

using namespace ctlm;

struct tall {  // layers of 100 KB and more
  static constexpr llama_config config{
      .vocab = 97, .d_model = 64, .layers = 7, .heads = 4, .kv_heads = 2, .d_ff = 172, .context = 24};
};
struct learned {  // another spec: biases, learned positions
  static constexpr gpt2_config config{.vocab = 97, .d_model = 48, .layers = 5, .heads = 3, .context = 24};
};

struct routed {  // experts, whose rows are no multiple of sixteen
  static constexpr mixtral_config config{
      .vocab = 97, .d_model = 48, .layers = 5, .heads = 3, .d_ff = 20, .context = 24, .experts = 4};
};

struct spilled_recipe {
  static constexpr train_config config{.batch = 2};
};

/// An image with random weights, on the disk for as long as the object lives.
template <class M>
struct image_on_disk {
  std::string path = "offloaded_model.ctlm";
  heap_arena memory{M::weight_bytes};
  typename M::weights weights{memory};

  image_on_disk() {
    initialise(weights, 7, {.matrices = 0.1, .vectors = 0.1});
    write_image<M>(path.c_str(), weights).value();
  }
  ~image_on_disk() { std::remove(path.c_str()); }
};

/// Logits after each of some tokens, a prompt first.
template <class Session>
std::vector<float> logits_of(Session& session) {
  std::vector<float> all;
  auto keep = [&](span<float> logits) { all.insert(all.end(), logits.begin(), logits.end()); };
  const token prompt[] = {1, 5, 9, 42, 7, 7, 13, 96, 0, 3, 55};
  session.reset();
  keep(session.prefill(prompt));
  for (token t : {8, 15, 23}) keep(session.decode(t));
  return all;
}

template <class Tag, class F>
std::vector<float> resident_logits(const image_on_disk<causal_lm<Tag, weights<F>>>& image) {
  using M = causal_lm<Tag, weights<F>>;
  heap_arena memory(M::session_bytes);
  typename M::session session(image.weights, memory);
  return logits_of(session);
}

template <std::size_t budget>
using tall_lm = causal_lm<tall, weights<int8<32>>, memory<offloaded<budget>>>;

}  // namespace

TEMPLATE_TEST_CASE("offloaded weights give the logits of resident ones", "[io][threads]", (tall_lm<300 << 10>),
                   (tall_lm<600 << 10>), (tall_lm<2 << 20>),
                   (causal_lm<learned, weights<f32>, memory<offloaded<600 << 10>>>),
                   (causal_lm<learned, weights<int4<32, asymmetric>>, memory<offloaded<440 << 10>>>),
                   (causal_lm<routed, weights<int4<32, asymmetric>>, memory<offloaded<440 << 10>>>),
                   (causal_lm<routed, weights<bf16>, memory<offloaded<440 << 10>>>)) {
  using M = TestType;
  using source = offloaded_weights<M>;
  using full = causal_lm<typename M::tag, weights<typename M::weight_format>>;
  image_on_disk<full> image;
  STATIC_REQUIRE(source::bytes_needed() <= M::memory_policy::budget);
  STATIC_REQUIRE((source::buffers == 0) == (source::layers_kept == M::shape.layers));
  heap_arena memory(source::bytes_needed() + M::session_bytes);
  source weights(memory);
  typename M::session session(weights, memory);
  CHECK(memory.remaining() == 0);
  const auto expected = resident_logits<typename M::tag, typename M::weight_format>(image);
  for (file_access access : {file_access::buffered, file_access::direct}) {
    const auto opened = weights.open(image.path.c_str(), access);
    if (opened.error().code == errc::unsupported) continue;  // direct, on tmpfs
    REQUIRE(opened);
    CHECK(logits_of(session) == expected);
    CHECK(logits_of(session) == expected);
  }
}

namespace {

struct many_experts {
  static constexpr mixtral_config config{.vocab = 97,
                                         .d_model = 64,
                                         .layers = 4,
                                         .heads = 4,
                                         .d_ff = 80,
                                         .context = 24,
                                         .experts = 16,
                                         .experts_per_token = 2};
};

template <class Source, class Session>
std::size_t bytes_of_token(Source& weights, Session& session, token t) {
  const std::size_t before = weights.bytes_read();
  session.decode(t);
  return weights.bytes_read() - before;
}

}  // namespace

TEMPLATE_TEST_CASE_SIG("offloaded experts are read when a token takes them, and those used last stay", "[io][threads]",
                       ((std::size_t kilobytes), kilobytes), 350, 800, 4000) {
  using F = int8<32>;
  using M = causal_lm<many_experts, weights<F>, memory<offloaded<(kilobytes << 10)>>>;
  using full = causal_lm<many_experts, weights<F>>;
  using source = offloaded_weights<M>;
  constexpr std::size_t all = 4 * 16, taken = 4 * 2;
  STATIC_REQUIRE(source::experts_kept >= 2);
  STATIC_REQUIRE(source::bytes_needed() <= M::memory_policy::budget);
  STATIC_REQUIRE((kilobytes < 4000 || (source::experts_kept == all && source::buffers == 0)));
  STATIC_REQUIRE((kilobytes > 400 || source::experts_kept < taken));
  constexpr std::size_t pages = 4 * 2 * offload_detail::page;  // around codes and scales of two matrices
  image_on_disk<full> image;
  const auto expected = resident_logits<many_experts, F>(image);
  heap_arena memory(source::bytes_needed() + M::session_bytes);
  source weights(memory);
  CHECK(memory.remaining() == M::session_bytes);
  typename M::session session(weights, memory);
  REQUIRE(weights.open(image.path.c_str()));
  if (source::buffers == 0) {
    const std::size_t opened = weights.bytes_read();
    CHECK(opened + all * source::expert_bytes < M::weight_bytes + 60 * offload_detail::page);  // no expert yet
    const std::size_t first = bytes_of_token(weights, session, 1);
    CHECK(first >= taken * source::expert_bytes);
    CHECK(first <= taken * (source::expert_bytes + pages));
    session.reset();
    CHECK(bytes_of_token(weights, session, 1) == (source::experts_kept >= taken ? 0 : first));  // the same token again
    std::size_t others = 0;
    for (token t = 2; t < 20; ++t) others += bytes_of_token(weights, session, t);
    CHECK(others > 0);
    CHECK(others <= 18 * taken * (source::expert_bytes + pages));
  }
  CHECK(logits_of(session) == expected);
  CHECK(logits_of(session) == expected);
  if (source::experts_kept == all) {
    const std::size_t before = weights.bytes_read();
    CHECK(logits_of(session) == expected);
    CHECK(weights.bytes_read() == before);
  }
}

#if CTLM_EXCEPTIONS
TEST_CASE("an expert that cannot be read is a failure, and open() begins again", "[io][threads]") {
  using F = int8<32>;
  using M = causal_lm<many_experts, weights<F>, memory<offloaded<(800 << 10)>>>;
  image_on_disk<causal_lm<many_experts, weights<F>>> image;
  const auto expected = resident_logits<many_experts, F>(image);
  const std::string good = read_file(image.path.c_str()).value();
  heap_arena memory(offloaded_weights<M>::bytes_needed() + M::session_bytes);
  offloaded_weights<M> weights(memory);
  M::session session(weights, memory);
  REQUIRE(weights.open(image.path.c_str()));
  session.decode(1);
  REQUIRE(::truncate(image.path.c_str(), 4096) == 0);
  for (int i = 0; i < 2; ++i) CHECK_THROWS_WITH(logits_of(session), Catch::Contains("end too early"));
  replace_file(image.path.c_str(), good).value();
  REQUIRE(weights.open(image.path.c_str()));
  CHECK(logits_of(session) == expected);
}
#endif

TEST_CASE("mapped weights are used where they lie", "[io]") {
  using M = causal_lm<tall, weights<int8<32>>>;
  image_on_disk<M> image;
  const auto file = mapped_file::open(image.path.c_str()).value();
  const auto weights = bind_image<M>(file.bytes(), verify::header).value();
  CHECK(weights.bytes().data() == file.bytes().data() + sizeof(image_header));
  heap_arena memory(M::session_bytes);
  M::session session(weights, memory);
  CHECK(logits_of(session) == resident_logits<tall, int8<32>>(image));
  CHECK(mapped_file::open("absent.ctlm").error().code == errc::not_found);
  CHECK(mapped_file::open(".").error().code == errc::io_error);
}

TEST_CASE("a KV cache on the disk changes nothing", "[io]") {
  using M = causal_lm<tall, weights<int8<32>>, kv_cache<int8<>>>;
  image_on_disk<causal_lm<tall, weights<int8<32>>>> image;
  heap_arena memory(M::session_bytes), less(M::session_bytes - M::cache_bytes);
  auto disk = spill_arena::create(".", M::cache_bytes).value();
  M::session expected(image.weights, memory), session(image.weights, less, disk);
  CHECK(less.remaining() == 0);
  CHECK(logits_of(session) == logits_of(expected));
}

namespace {

/// Remembers what it was told will not be used for a while.
struct told_arena : heap_arena {
  using heap_arena::heap_arena;
  mutable std::size_t told = 0;
  void release(const void*, std::size_t bytes) const { told += bytes; }
};

}  // namespace

TEST_CASE("an arena is told what will not be used for a while: a layer's cache, an updated state", "[io]") {
  using M = causal_lm<tall, weights<int8<32>>, kv_cache<int8<>>>;
  image_on_disk<causal_lm<tall, weights<int8<32>>>> image;
  heap_arena memory(M::session_bytes - M::cache_bytes);
  told_arena cache(M::cache_bytes);
  M::session session(image.weights, memory, cache);
  session.decode(1);
  const std::size_t once = cache.told;
  CHECK(once <= M::cache_bytes);
  CHECK(once + 4 * memory_alignment > M::cache_bytes);  // all but what rounds its parts up
  session.decode(2);
  CHECK(cache.told == 2 * once);

  using T = trainer<causal_lm<learned>, spilled_recipe>;
  heap_arena rest(T::train_bytes - T::state_bytes);
  told_arena state(T::state_bytes);
  T t(rest, state, {});
  const std::vector<token> tokens(T::step_tokens, 5);
  t.step(tokens, tokens);
  CHECK(state.told == adamw::moments * causal_lm<learned>::parameters * sizeof(float));
}

TEST_CASE("an optimizer's state on the disk changes nothing", "[io]") {
  struct local {
    static std::vector<float> weights_after(trainer<causal_lm<learned>, spilled_recipe>& t) {
      rng random{3};
      std::vector<token> inputs(t.step_tokens), targets(t.step_tokens);
      for (int step = 0; step < 3; ++step) {
        for (token& x : inputs) x = static_cast<token>(random.below(97));
        for (token& x : targets) x = static_cast<token>(random.below(97));
        t.step(inputs, targets);
      }
      std::vector<float> all(causal_lm<learned>::weight_bytes / sizeof(float));
      std::memcpy(all.data(), t.weights().bytes().data(), all.size() * sizeof(float));
      return all;
    }
  };
  using T = trainer<causal_lm<learned>, spilled_recipe>;
  heap_arena memory(T::train_bytes), less(T::train_bytes - T::state_bytes);
  auto disk = spill_arena::create(".", T::state_bytes).value();
  T expected(memory, {}), spilled(less, disk, {});
  CHECK(less.remaining() == 0);
  CHECK(disk.remaining() == 0);
  CHECK(local::weights_after(spilled) == local::weights_after(expected));
}

TEST_CASE("what is released leaves memory and keeps its contents", "[io]") {
  constexpr std::size_t bytes = 64 << 20;
  const auto resident_bytes = [] {
    std::ifstream statm("/proc/self/statm");
    std::size_t all = 0, present = 0;
    statm >> all >> present;
    return present * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  };
  if (resident_bytes() == 0) {
    WARN("SKIPPED: this system has no /proc/self/statm");
    return;
  }
  auto disk = spill_arena::create(".", bytes).value();
  auto* p = disk.allocate<std::uint64_t>(bytes / 8);
  const std::size_t before = resident_bytes();
  for (std::size_t i = 0; i < bytes / 8; ++i) p[i] = i;
  CHECK(resident_bytes() > before + bytes * 9 / 10);
  disk.release(p, bytes);
  CHECK(resident_bytes() < before + bytes / 10);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < bytes / 8; ++i) wrong += p[i] != i;
  CHECK(wrong == 0);
}

TEST_CASE("a spill arena says why it cannot be", "[io]") {
  CHECK(spill_arena::create("absent_folder", 100).error().code == errc::not_found);
  CHECK(spill_arena::create(".", std::size_t(1) << 50).error().code == errc::disk_full);
  auto small = spill_arena::create(".", 64).value();
  CHECK(small.allocate<float>(17) == nullptr);
  CHECK(small.allocate<float>(std::size_t(-1) / 2) == nullptr);  // whose bytes overflow
  CHECK(small.allocate<double>(std::size_t(-1) / 8 + 2) == nullptr);
  CHECK(small.allocate<float>(16) != nullptr);
  CHECK(small.allocate<float>(1) == nullptr);
  auto none = spill_arena::create(".", 0).value();
  CHECK(none.allocate<float>(1) == nullptr);
  const auto enormous = spill_arena::create(".", std::size_t(-1));
  CHECK(enormous.error().code == errc::disk_full);
  CHECK_THAT(explain(enormous.error()).text, Catch::Contains(std::to_string(std::size_t(-1)) + " bytes"));
  CHECK_THAT(explain(spill_arena::create(".", std::size_t(1) << 50).error()).text, Catch::Contains("1125899906842624"));
  CHECK(spill_arena::create("", 1).error().code == errc::invalid_argument);
  CHECK(spill_arena::create(nullptr, 1).error().code == errc::invalid_argument);
}

#if CTLM_EXCEPTIONS
TEST_CASE("offloaded weights that cannot be read are refused, before and after they were opened", "[io][threads]") {
  using M = tall_lm<300 << 10>;
  image_on_disk<causal_lm<tall, weights<int8<32>>>> image;
  heap_arena memory(offloaded_weights<M>::bytes_needed() + M::session_bytes);
  offloaded_weights<M> weights(memory);
  M::session session(weights, memory);
  CHECK_THROWS_WITH(session.decode(1), Catch::Contains("must be opened first"));
  CHECK(weights.open("absent.ctlm").error().code == errc::not_found);
  CHECK(weights.open(".").error().code == errc::io_error);

  image_on_disk<causal_lm<learned>> foreign;  // overwrites the file
  CHECK(weights.open(foreign.path.c_str()).error().code == errc::wrong_model);
  write_image<causal_lm<tall, ctlm::weights<int8<32>>>>(image.path.c_str(), image.weights).value();
  const std::string good = read_file(image.path.c_str()).value();
  for (std::size_t n : {std::size_t(10), std::size_t(64), good.size() / 2, good.size() - 1}) {
    replace_file(image.path.c_str(), good.substr(0, n)).value();
    CHECK(weights.open(image.path.c_str()).error().code == errc::truncated);
  }

  replace_file(image.path.c_str(), good).value();
  REQUIRE(weights.open(image.path.c_str()));
  const auto expected = logits_of(session);
  REQUIRE(::truncate(image.path.c_str(), 4096) == 0);  // somebody cuts the file while it is in use
  CHECK_THROWS_WITH(logits_of(session), Catch::Contains("end too early"));
  CHECK_THROWS_WITH(logits_of(session), Catch::Contains("end too early"));
  replace_file(image.path.c_str(), good).value();
  REQUIRE(weights.open(image.path.c_str()));
  CHECK(logits_of(session) == expected);
}

TEST_CASE("offloaded weights whose file shrinks to any length fail and do not hang", "[io][threads]") {
  using M = tall_lm<300 << 10>;
  image_on_disk<causal_lm<tall, weights<int8<32>>>> image;
  const std::string good = read_file(image.path.c_str()).value();
  heap_arena memory(offloaded_weights<M>::bytes_needed() + M::session_bytes);
  for (file_access access : {file_access::buffered, file_access::direct}) {
    for (std::size_t bytes : {std::size_t(1), std::size_t(4097), std::size_t(10'000), good.size() / 2 + 5}) {
      memory.rewind(0);
      replace_file(image.path.c_str(), good).value();
      offloaded_weights<M> weights(memory);
      M::session session(weights, memory);
      const auto opened = weights.open(image.path.c_str(), access);
      if (opened.error().code == errc::unsupported) break;  // direct, on tmpfs
      REQUIRE(opened);
      logits_of(session);
      REQUIRE(::truncate(image.path.c_str(), static_cast<off_t>(bytes)) == 0);
      auto go_on = [&] {
        for (token t = 0; t < 20; ++t) session.decode(t);  // what is in memory may last for some
      };
      session.reset();
      CHECK_THROWS_WITH(go_on(), Catch::Contains("offloaded weights end too early: ") &&
                                     Catch::Contains(" bytes at byte ") && Catch::Contains("weight"));
    }
  }
}

TEST_CASE("offloaded weights that are not open raise, whatever came before", "[io][threads]") {
  using M = tall_lm<300 << 10>;
  image_on_disk<causal_lm<tall, weights<int8<32>>>> image;
  heap_arena memory(offloaded_weights<M>::bytes_needed() + M::session_bytes);
  offloaded_weights<M> weights(memory);
  M::session session(weights, memory);
  CHECK_THROWS_WITH(weights.layer(6), Catch::Contains("must be opened first"));
  for (int i = 0; i < 3; ++i) {
    REQUIRE(weights.open(image.path.c_str()));
    REQUIRE(weights.open(image.path.c_str()));  // twice: the reader begins again
  }
  const auto expected = logits_of(session);
  CHECK(weights.open("absent.ctlm").error().code == errc::not_found);
  CHECK_THROWS_WITH(session.decode(1), Catch::Contains("must be opened first"));
  CHECK_THROWS_WITH(weights.layer(6), Catch::Contains("must be opened first"));
  REQUIRE(weights.open(image.path.c_str()));
  CHECK(logits_of(session) == expected);
  CHECK_THROWS_WITH(weights.layer(7), Catch::Contains("layer 7 was asked for, of 7"));
  for (int i = 0; i < 20; ++i) {  // gone while it reads
    heap_arena other(offloaded_weights<M>::bytes_needed());
    offloaded_weights<M> brief(other);
    REQUIRE(brief.open(image.path.c_str()));
  }
}

TEST_CASE("offloaded weights whose thread cannot be started say so", "[io][threads]") {
  using M = tall_lm<300 << 10>;
  image_on_disk<causal_lm<tall, weights<int8<32>>>> image;
  heap_arena memory(offloaded_weights<M>::bytes_needed() + M::session_bytes);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {  // as a user who may start no more threads
    const rlimit none{0, 0};
    if (::setrlimit(RLIMIT_NPROC, &none) != 0 || (::getuid() == 0 && ::setuid(65534) != 0)) ::_exit(77);
    offloaded_weights<M> weights(memory);
    M::session session(weights, memory);
    const auto r = weights.open(image.path.c_str());
    if (r) ::_exit(77);  // it may all the same
    const bool worded = std::strstr(explain(r.error()), "no thread could be started") != nullptr;
    try {
      session.decode(1);
    } catch (const error&) {
      ::_exit(worded ? 0 : 2);
    }
    ::_exit(1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77)
    WARN("SKIPPED: threads cannot be forbidden here");
  else
    CHECK(WEXITSTATUS(status) == 0);
}
#endif
