// A plan's type, as it is printed, is pasted here: it compiles, has the bytes that the plan says, and stores every
// matrix as planned.
#include "catch.hpp"

#include "model/models.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

using namespace ctlm;
using namespace models;

namespace {

struct five {
  static constexpr llama_config config{
      .vocab = 100, .d_model = 40, .layers = 5, .heads = 4, .kv_heads = 2, .d_ff = 100, .context = 16};
};
using some = candidates<int2<32, asymmetric>, int4<64, asymmetric>, int8<32>>;
using full = causal_lm<five>;
using list = matrices_of<full::shape_type>;

/// Costs by which format number f of a matrix is as much worse as it has fewer bits, times how sensitive the matrix is.
std::vector<double> costs_of(const std::vector<double>& sensitive) {
  std::vector<double> costs;
  for (const double s : sensitive)
    for (const double each : {1.0, 0.05, 0.0002}) costs.push_back(s * each);
  return costs;
}
std::vector<double> random_costs(std::uint64_t seed) {
  rng random{seed};
  std::vector<double> sensitive(list::count);
  for (double& s : sensitive) s = std::exp(static_cast<double>(random.below(1000)) / 200);
  return costs_of(sensitive);
}

/// Which candidate a matrix has in the format of M.
template <class M>
std::size_t stored_as(const matrix_place& m) {
  using format = stored<typename M::weight_format>;
  std::size_t found = some::size;
  some::for_each([&]<class F>(std::size_t f) {
    if constexpr (mixed_format<format>) {
      constexpr std::size_t kind = format::formats::template index_of<stored<F>>();
      if (format::kind_of(static_cast<std::size_t>(m.id), m.layer) == kind) found = f;
    } else {
      if (std::same_as<format, stored<F>>) found = f;
    }
  });
  return found;
}

/// That a plan is what the type M says.
template <class M>
void check_type(const format_plan& plan) {
  CHECK(plan.spelt() == format_spelling<typename M::weight_format>::spelt());
  CHECK(plan.weight_bytes == M::weight_bytes);
  std::size_t matrices = 0, bytes = plan.vector_bytes;
  for (const format_plan::line& l : plan.lines) {
    bytes += l.bytes;
    for (const tensor_info& t : list::tensors) {
      if (!t.is_matrix() || plan_detail::selector_of(t.id) != std::string(l.tensor)) continue;
      if (l.layers.empty()) CHECK(stored_as<M>({t.id}) == l.format);
      for (const std::size_t layer : l.layers) CHECK(stored_as<M>({t.id, layer}) == l.format);
      matrices += larger(1, l.layers.size());
    }
  }
  CHECK(matrices == list::count);
  CHECK(bytes == plan.weight_bytes);
}

}  // namespace

TEST_CASE("the type of a plan compiles, and is the plan", "[app][budget]") {
  // Tensors: the embedding, qkv, out, up, down of five layers, a head.
  std::vector<double> sensitive(list::count, 1);
  const auto of = [&](tensor_id id, std::size_t layer = no_layer) -> double& {
    return sensitive[list::number_of({id, layer})];
  };
  of(tensor_id::token_embedding) = 100;
  for (std::size_t layer = 0; layer < 5; ++layer) of(tensor_id::out_weight, layer) = 10;
  of(tensor_id::out_weight, 2) = 1e-3;
  of(tensor_id::down_weight, 0) = of(tensor_id::down_weight, 4) = 60;
  of(tensor_id::up_weight, 1) = of(tensor_id::up_weight, 2) = 0.001;

  const auto plan = plan_formats<full, some>(costs_of(sensitive), 90'000);
  REQUIRE(plan);
  INFO(plan->spelt());
  INFO(plan->table());
  check_type<causal_lm<
      five,
      ctlm::weights<ctlm::int4<64, ctlm::asymmetric>,
                    ctlm::keep<ctlm::int2<32, ctlm::asymmetric>,
                               ctlm::tensors::both<ctlm::tensors::out, ctlm::tensors::layers<2>>, ctlm::tensors::up>,
                    ctlm::keep<ctlm::int4<64, ctlm::asymmetric>,
                               ctlm::tensors::both<ctlm::tensors::out, ctlm::tensors::layers<4>>>,
                    ctlm::keep<ctlm::int8<32>, ctlm::tensors::embedding,
                               ctlm::tensors::both<ctlm::tensors::down, ctlm::tensors::layers<0, 4>>>,
                    ctlm::keep<ctlm::int8<32>, ctlm::tensors::out>>>>(*plan);
  CHECK(
      plan->option() ==
      "int4<64, asymmetric>, keep<int2<32, asymmetric>, tensors::both<tensors::out, tensors::layers<2>>, tensors::up>, "
      "keep<int4<64, asymmetric>, tensors::both<tensors::out, tensors::layers<4>>>, keep<int8<32>, tensors::embedding, "
      "tensors::both<tensors::down, tensors::layers<0, 4>>>, keep<int8<32>, tensors::out>");
  CHECK(plan->table().find("down       int8<32>                        13056     0.02400  0, 4\n") !=
        std::string::npos);
}

TEST_CASE("one format for all is spelt as one", "[app][budget]") {
  using M = causal_lm<five, weights<int8<32>>>;
  const auto plan = plan_formats<full, some>(random_costs(1), M::weight_bytes);
  REQUIRE(plan);
  check_type<M>(*plan);
  CHECK(plan->spelt() == "ctlm::int8<32>");
  CHECK(plan->option() == "int8<32>");
}

TEST_CASE("a plan keeps its budget, and more bytes are never worse", "[app][budget]") {
  const std::size_t least = causal_lm<five, weights<int2<32, asymmetric>>>::weight_bytes;
  const std::size_t most = causal_lm<five, weights<int8<32>>>::weight_bytes;
  for (std::uint64_t seed = 1; seed < 6; ++seed) {
    double before = std::numeric_limits<double>::infinity();
    for (std::size_t bytes = least; bytes < most + 2000; bytes += 509) {
      const auto plan = plan_formats<full, some>(random_costs(seed), bytes);
      REQUIRE(plan);
      CHECK(plan->weight_bytes <= bytes);
      CHECK(plan->cost <= before);
      before = plan->cost;
    }
    CHECK(plan_formats<full, some>(random_costs(seed), 85'000)->spelt() ==
          plan_formats<full, some>(random_costs(seed), 85'000)->spelt());
  }
}

TEST_CASE("no more formats than asked for, and none where there is no room", "[app][budget]") {
  const auto two = plan_formats<full, some>(random_costs(3), 100'000, 2);
  const auto three = plan_formats<full, some>(random_costs(3), 100'000, 3);
  REQUIRE(two);
  std::vector<bool> used(some::size);
  for (const auto& l : two->lines) used[l.format] = true;
  CHECK(std::count(used.begin(), used.end(), true) == 2);
  CHECK(three->cost <= two->cost);
  bool better = false;
  for (std::size_t bytes = 65'000; bytes < 125'000; bytes += 2500)
    better = better || plan_formats<full, some>(random_costs(3), bytes, 3)->cost <
                           plan_formats<full, some>(random_costs(3), bytes, 2)->cost;
  CHECK(better);
  CHECK(two->table().find("gains etc.") != std::string::npos);

  const std::size_t least = causal_lm<five, weights<int2<32, asymmetric>>>::weight_bytes;
  const auto words = [](const auto& r) { return std::string(explain(r.error()).text); };
  CHECK(words(plan_formats<full, some>(random_costs(1), 1000)) ==
        "ctlm: the weights need at least " + std::to_string(least) + " bytes in these formats, and 1000 are allowed");
  CHECK(words(plan_formats<full, some>(std::vector<double>(3), 1000)) ==
        "ctlm: a plan needs 66 costs, one for each matrix and format, not 3");
}
