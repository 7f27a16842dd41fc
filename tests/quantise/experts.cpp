// What an expert sees: sums over the rows that take it, the mean of all experts where these are few, and how far a row
// is from that of the exact model, which may take other experts.
#include "catch.hpp"

#include <ctlm/ctlm.hpp>

#include <vector>

using namespace ctlm;

namespace {

using backend_type = native;
constexpr decoder_shape shape = mixtral_config{.vocab = 61,
                                               .d_model = 24,
                                               .layers = 1,
                                               .heads = 4,
                                               .kv_heads = 2,
                                               .d_ff = 20,
                                               .context = 8,
                                               .experts = 3,
                                               .experts_per_token = 2}
                                    .shape(true);

std::vector<float> numbers(std::size_t n, std::uint64_t seed) {
  rng r{seed};
  std::vector<float> x(n);
  for (auto& v : x) v = static_cast<float>(r.normal());
  return x;
}

/// Workspace of sums of products.
struct panels {
  std::size_t stride = gemm_workspace<float>(backend_type{}, input_statistics<float>::stripe, 24, 64);
  std::vector<float> numbers = std::vector<float>(stride);
};

/// Which of three experts the rows of a sequence take, two each.
struct chosen {
  std::vector<std::uint32_t> experts, order = std::vector<std::uint32_t>(experts.size()),
                                      first = std::vector<std::uint32_t>(4);
  routing<float> routed{};

  explicit chosen(std::vector<std::uint32_t> picks) : experts(std::move(picks)) {
    routed.experts = experts.data();
    routed.order = order.data();
    routed.first = first.data();
    routing_detail::sort_by_expert(3, experts.size(), routed);
  }
};

}  // namespace

TEST_CASE("an expert that few rows took gets the mean of all experts beside them", "[quantise]") {
  constexpr std::size_t n = 24, least = 16;
  const std::size_t rows[] = {5, 0, 40};
  heap_arena memory(1 << 20);
  serial exec;
  panels work;
  auto s = expert_statistics<float, 3>::place(memory, n, true);
  s.clear();
  std::vector<double> products(3 * n * n), mean(n * n);
  for (std::size_t e = 0; e < 3; ++e) {
    const auto x = numbers(rows[e] * n, e + 1);
    if (rows[e] > 0) s.each[e].add(backend_type{}, exec, rows[e], x.data(), work.numbers.data(), work.stride);
    for (std::size_t r = 0; r < rows[e]; ++r)
      for (std::size_t i = 0; i < n * n; ++i) {
        const double product = static_cast<double>(x[r * n + i / n]) * static_cast<double>(x[r * n + i % n]);
        products[e * n * n + i] += product;
        mean[i] += product / 45;
      }
  }
  const std::vector<float> many(s.each[2].products, s.each[2].products + n * n);
  s.complete(backend_type{}, exec, least);
  for (std::size_t e = 0; e < 3; ++e) {
    const double lacking = rows[e] < least ? static_cast<double>(least - rows[e]) : 0;
    CHECK(s.each[e].rows == larger(rows[e], least));
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j <= i; ++j) {
        const double expected = products[e * n * n + i * n + j] + lacking * mean[i * n + j];
        CHECK(static_cast<double>(s.each[e].products[i * n + j]) == Approx(expected).margin(1e-4));
        if (i == j) CHECK(static_cast<double>(s.each[e].squares[i]) == Approx(expected).margin(1e-4));
      }
  }
  CHECK(many == std::vector<float>(s.each[2].products, s.each[2].products + n * n));  // it had enough

  s.clear();
  s.complete(backend_type{}, exec, least);  // nobody saw anything
  CHECK(s.each[1].rows == 0);
}

TEST_CASE("what an expert sees is compared with what it sees in the exact model of the same token", "[quantise]") {
  constexpr std::size_t tokens = 4, expert = 1;
  const chosen exact({0, 1, 2, 1, 0, 2, 1, 0}), other({1, 2, 1, 0, 1, 0, 0, 2});
  heap_arena memory(1 << 20);
  serial exec;
  panels work;
  const auto kept = kept_picks<float>::place_for(memory, shape, tokens);
  const std::size_t widths[] = {24, 20};
  for (std::size_t which = 0; which < 2; ++which) {
    const std::size_t n = widths[which];
    const auto seen_there = numbers(exact.experts.size() * n, 3), x = numbers(3 * n, 4);
    std::copy(seen_there.begin(), seen_there.end(), kept.rows[which]);
    kept.note(shape, tokens, exact.routed);

    auto sums = input_statistics<float>::place(memory, n, true);
    sums.clear();
    const auto matrix = f32::place(memory, 8, n);
    using view = std::remove_cv_t<decltype(matrix)>;
    const observed_matrix<view, float> seen{matrix, &sums, work.numbers.data(), work.stride, nullptr, false};
    const observed_expert<view, float> w{seen, shape, expert, other.routed, &kept, which};
    auto nothing = linear_workspace<backend_type, f32, decoded>::place(memory, 4, 8, n, 1);
    linear(backend_type{}, exec, 3, x.data(), w, linear_terms<float>{}, static_cast<float*>(nullptr), nothing);

    // Tokens 0, 1 and 2 take expert 1. In the exact model tokens 0, 1 and 3 do: its picks 3, 4 and 5 by expert.
    CHECK(sums.rows == 3);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) {
        double expected = 0;
        for (std::size_t t = 0; t < 2; ++t)
          expected += (static_cast<double>(seen_there[(3 + t) * n + i]) - static_cast<double>(x[t * n + i])) *
                      static_cast<double>(x[t * n + j]);
        CHECK(static_cast<double>(sums.moved[i * n + j]) == Approx(expected).margin(1e-4));
      }
  }
}
