// No heap allocation after construction, neither in training nor in generation: operator new and malloc are counted.
#include "catch.hpp"

#include "../heap.hpp"
#include "../model/models.hpp"

#include <atomic>
#include <cstdlib>
#include <new>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace {
std::atomic<std::size_t> allocations{0}, deletions{0}, asked_for{0};
constexpr std::size_t never = ~std::size_t{0};
std::atomic<std::size_t> until_failure{never};

struct recipe {
  static constexpr ctlm::train_config config{.batch = 2, .accumulate = 2};
};

void* counted(std::size_t bytes) {
  if (until_failure != never && until_failure-- == 0) throw std::bad_alloc();  // and is `never` again
  ++allocations;
  asked_for += bytes;
  if (void* p = std::malloc(bytes > 0 ? bytes : 1)) return p;
  throw std::bad_alloc();
}

void freed(void* p) {
  if (p != nullptr) ++deletions;
  std::free(p);
}

/// Bytes in use by malloc, where the C library tells.
std::size_t heap_in_use() {
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
  return mallinfo2().uordblks;
#else
  return 0;
#endif
}
}  // namespace

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"  // GCC does not see that both are replaced
#endif
void* operator new(std::size_t bytes) { return counted(bytes); }
void* operator new[](std::size_t bytes) { return counted(bytes); }
void operator delete(void* p) noexcept { freed(p); }
void operator delete[](void* p) noexcept { freed(p); }
void operator delete(void* p, std::size_t) noexcept { freed(p); }
void operator delete[](void* p, std::size_t) noexcept { freed(p); }

namespace heap {

std::size_t allocations() { return ::allocations; }
std::size_t blocks() { return ::allocations - deletions; }
std::size_t bytes() { return asked_for; }
void fail_after(std::size_t n) { until_failure = n; }
bool stop_failing() { return until_failure.exchange(never) == never; }

}  // namespace heap

TEST_CASE("training and generation allocate nothing once constructed", "[train]") {
  using namespace ctlm;
  using M = causal_lm<models::tiny_llama, threads<pool<2>>>;
  using Q = causal_lm<models::tiny_llama, weights<int4<32>>, kv_cache<int8<>>, threads<pool<2>>>;
  using T = trainer<M, recipe, optimizer<adamw>>;
  pool<2> workers(2);
  heap_arena train_memory(T::train_bytes), weight_memory(Q::weight_bytes), session_memory(Q::session_bytes);
  T t(train_memory, {.dropout = 0.1f}, workers);
  Q::weights w(weight_memory);
  Q::session s(w, session_memory, workers);
  const auto tokens = models::random_tokens(T::step_tokens, 61);
  sampler how{.temperature = 0.8f, .top_k = 10, .top_p = 0.9f};

  const std::size_t before = allocations, in_use = heap_in_use();
  float loss = 0;
  for (int i = 0; i < 3; ++i) loss += t.step(tokens, tokens).loss;
  t.evaluate(span<const token>(tokens).first(T::batch_tokens), span<const token>(tokens).first(T::batch_tokens));
  quantise(t.weights(), w);
  const std::size_t made = generate(s, span<const token>(tokens).first(5), how, 20, [](token) {});
  const std::size_t after = allocations, in_use_after = heap_in_use();

  CHECK(loss > 0);
  CHECK(made == 20);
  CHECK(after == before);
  CHECK(in_use_after == in_use);
  int* volatile probe = new int(1);  // the counter counts
  const std::size_t counted_one = allocations - before;
  delete probe;
  CHECK(counted_one > 0);
}
