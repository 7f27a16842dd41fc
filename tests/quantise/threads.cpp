// What a model's matrices see of a text, and what each costs in few bits: no bit depends on the number of threads.
#include "catch.hpp"

#include "model/models.hpp"

#include <algorithm>
#include <vector>

using namespace ctlm;
using namespace models;

TEMPLATE_TEST_CASE("the same bits with any number of threads, and each time", "[quantise][threads]", tiny_llama,
                   small_qwen3_moe) {
  using full = causal_lm<TestType, threads<pool<3>>>;
  using small = causal_lm<TestType, weights<int4<32>>>;
  using work = quantiser<full, small, 40>;
  heap_arena exact_memory(full::weight_bytes);
  typename full::weights exact(exact_memory);
  randomise<full>(exact, 0.2);
  for (const rounding method : {rounding::weighted, rounding::gptq}) {
    const quantiser_room room{.method = method, .tokens = 410};
    const auto rounded = [&](std::size_t workers, std::uint64_t seed) {
      pool<3> exec(workers);
      heap_arena memory(work::bytes_needed(room)), small_memory(small::weight_bytes);
      work q(memory, exec, room);
      CHECK(memory.remaining() == 0);
      typename small::weights result(small_memory);
      for (int time = 0; time < 2; ++time) q.run(exact, result, {.method = method, .seed = seed});
      return std::vector<std::byte>(result.bytes().begin(), result.bytes().end());
    };
    const auto expected = rounded(1, 5);
    CHECK((rounded(1, 6) != expected));  // other tokens
    for (const std::size_t workers : {1, 2, 3}) CHECK((rounded(workers, 5) == expected));
  }
}

TEST_CASE("costs are the same with any number of threads, and each time", "[quantise][budget][threads]") {
  using full = causal_lm<tiny_llama, threads<pool<3>>>;
  using work = sensitivity<full, candidates<int2<16, asymmetric>, int8<16>>, int4<16, asymmetric>, 40>;
  heap_arena weight_memory(full::weight_bytes);
  full::weights exact(weight_memory);
  randomise<full>(exact, 0.2);
  const auto costs = [&](std::size_t workers, std::uint64_t seed) {
    pool<3> exec(workers);
    heap_arena memory(work::bytes_needed());
    work s(memory, exec);
    std::size_t calls = 0;
    s.run(exact, {}, seed, [&](std::size_t matrix, std::size_t matrices) {
      CHECK(matrix == calls++);
      CHECK(matrices == matrices_of<full::shape_type>::count);
    });
    const auto found = s.run(exact, {}, seed);
    return std::vector<double>(found.begin(), found.end());
  };
  const auto expected = costs(1, 5);
  CHECK(expected != costs(1, 6));
  for (const std::size_t workers : {1, 2, 3}) CHECK(expected == costs(workers, 5));
}
