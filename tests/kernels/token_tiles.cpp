// Integer products of many tokens at once are those of one token at a time, to the bit, in every format.
#include "catch.hpp"

#include "integer_weights.hpp"

#include <cstring>
#include <vector>

using namespace ctlm;

namespace {

void check_tokens(integer_weights::make_products make) {
  constexpr std::size_t rows = 21, most = 131;
  for (std::size_t n : {1, 31, 32, 33, 64, 65, 96, 172, 300, 512, 513, 576, 1100}) {
    const auto w = make(rows, n);
    rng random{w->group + n};
    std::vector<float> x(n);
    const std::size_t stride = round_up(n, code_chunk), groups = w->groups;
    std::vector<std::int8_t> codes(most * stride);
    std::vector<float> scales(most * groups);
    std::vector<std::int32_t> sums(most * groups);
    const quantised_rows q{codes.data(), scales.data(), sums.data(), stride, groups};
    for (std::size_t i = 0; i < most; ++i) {
      for (auto& v : x) v = static_cast<float>(random.below(20001)) / 10000 - 1;
      w->quantise(0, x.data(), q.row(i));
    }
    for (std::size_t m : {std::size_t{7}, std::size_t{15}, std::size_t{16}, std::size_t{17}, std::size_t{33},
                          std::size_t{40}, 1 + random.below(40), std::size_t{128}, most}) {
      INFO(w->name << " group " << w->group << " n " << n << " m " << m);
      const std::size_t first = most - m;  // the last token is the last of the memory
      for (std::size_t stripe = 0; stripe < 2; ++stripe) {
        std::vector<float> all(m * stripe_rows + 1, 7.0f), alone(m * stripe_rows + 1, 7.0f);
        w->stripe(0, stripe, m, q.row(first), all.data());
        for (std::size_t i = 0; i < m; ++i) w->stripe(0, stripe, 1, q.row(first + i), alone.data() + i * stripe_rows);
        REQUIRE(std::memcmp(all.data(), alone.data(), all.size() * sizeof(float)) == 0);
      }
    }
  }
}
template <class... F>
void check_tokens_of() {
  for (const auto make : {integer_weights::make<F, native>...}) check_tokens(make);
}

}  // namespace

TEST_CASE("many tokens at once have the bits of each alone", "[kernels]") {
  check_tokens_of<int8<>, int8<32>, int8<64, asymmetric>, int8<128>, int8<256>, int8<20>, int8<16>, int6<32>,
                  int6<per_channel>, int5<32, asymmetric>, int5<128>, int4<32>, int4<32, asymmetric>, int4<64>,
                  int4<96>, int4<128>, int4<32, compact>, int4<64, compact>, int4<per_channel>, int3<32>,
                  int3<32, compact>, int2<32>, int2<64, asymmetric>, int2<16, compact>, int2<per_channel>, ternary<>,
                  ternary<64>>();
}

TEST_CASE("threads change no bit of a long prompt in integers", "[kernels][threads]") {
  using F = interleaved<int4<32>>;
  constexpr std::size_t n = 165, k = 200, m = 150;
  heap_arena memory(1 << 22);
  auto w = F::place(memory, n, k);
  rng random{5};
  std::vector<float> x(m * k), y(m * n), expected(m * n);
  for (auto& v : x) v = static_cast<float>(random.below(20001)) / 10000 - 1;
  for (std::size_t r = 0; r < n; ++r) F::encode(w, r, x.data() + r % m * k);
  for (std::size_t threads : {1, 2, 3}) {
    pool<3> workers(threads);
    heap_arena scratch(1 << 22);
    auto ws = linear_workspace<native, F, dynamic_int8>::place(scratch, m, n, k, 3);
    linear(native{}, workers, m, x.data(), w, linear_terms<float>{}, y.data(), ws);
    if (threads == 1) expected = y;
    CHECK(y == expected);
  }
}
