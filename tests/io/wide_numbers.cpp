// Numbers of double precision are rounded once on their way between files and weights, or not at all.
#include "model/architectures.hpp"

#include "catch.hpp"
#include "model/models.hpp"
#include "scratch.hpp"

#include <cmath>

using namespace architectures;
using namespace models;

namespace {

struct tiny_gpt2_file {
  static constexpr gpt2_config config{.vocab = 23, .d_model = 12, .layers = 2, .heads = 3, .context = 16};
};

/// The largest difference between two sets of weights, and how many numbers float could not hold.
template <class M>
std::pair<double, std::size_t> compared(const typename M::weights& a, const typename M::weights& b) {
  double worst = 0;
  std::size_t wide = 0;
  for (const tensor_info& t : M::tensors) {
    const auto x = a.numbers(t), y = b.numbers(t);
    for (std::size_t i = 0; i < x.size(); ++i) {
      wide += static_cast<double>(static_cast<float>(x[i])) != x[i];
      const double d = std::fabs(x[i] - y[i]);
      worst = d <= worst ? worst : d;
    }
  }
  return {worst, wide};
}

/// A file of one tensor [1][n] of doubles.
std::string file_of(const scratch_folder& folder, const std::vector<double>& numbers) {
  const std::string path = folder / "numbers.safetensors";
  const tensor_to_save one[] = {{"numbers", safetensors_type::f64, 2, {1, numbers.size()}}};
  REQUIRE(save_safetensors(path.c_str(), one, [&](std::size_t, safetensors_writer& out) {
    return out.put(numbers.data(), numbers.size());
  }));
  return path;
}

/// What a row of format F has of these numbers when it is loaded.
template <class F>
std::vector<float> loaded_as(const std::vector<double>& numbers) {
  const scratch_folder folder;
  const auto file = safetensors_file::open(file_of(folder, numbers).c_str()).value();
  std::vector<float> decoded(numbers.size()), stored(numbers.size());
  load_detail::decode_for<F>(*file.find("numbers"), 0, numbers.size(), decoded.data());
  heap_arena memory(matrix_bytes<F>(1, numbers.size()));
  const auto m = F::place(memory, 1, numbers.size());
  F::encode(m, 0, decoded.data());
  F::decode(m, 0, 0, numbers.size(), stored.data());
  return stored;
}

/// Numbers just beside half way between two of format F, and others.
template <class F>
std::vector<double> beside_ties(std::size_t n) {
  std::vector<double> all;
  rng random{11};
  for (std::size_t i = 0; i < n; ++i) {
    auto stored = F::from(static_cast<float>(random.normal()));
    const auto low = static_cast<double>(F::to(stored));
    ++stored.bits;
    const auto high = static_cast<double>(F::to(stored));
    all.push_back((low + high) / 2 * (1 + (static_cast<double>(i % 3) - 1) * 0x1p-40));
    all.push_back(random.normal());
  }
  return all;
}

}  // namespace

TEMPLATE_TEST_CASE("weights in double precision come back as they were saved", "[io]", tiny_gpt2_file, tiny_llama3,
                   tiny_phi3, tiny_gemma) {
  using M = causal_lm<TestType, weights<f64>>;
  const scratch_folder folder;
  const std::string path = folder / "model.safetensors";
  running<M> r, again;
  randomise<M>(r.weights, 0.3);
  REQUIRE(save_weights(path.c_str(), r.weights, safetensors_type::f64));
  REQUIRE(load_safetensors<M>(path.c_str(), again.weights));
  const auto [worst, wide] = compared<M>(r.weights, again.weights);
  CHECK(wide > 100);
  CHECK(worst <= (M::shape.scaled_embeddings ? 0x1p-52 : 0));  // Gemma's gains are written less 1
}

TEMPLATE_TEST_CASE("numbers in double precision are rounded once", "[io]", f16, bf16, f8_e4m3, f8_e5m2) {
  const std::vector<double> given = beside_ties<TestType>(500);
  const std::vector<float> stored = loaded_as<TestType>(given);
  std::size_t saved = 0;
  for (std::size_t i = 0; i < given.size(); ++i) {
    INFO("number " << i);
    const auto x = static_cast<double>(stored[i]);
    const auto twice = static_cast<double>(TestType::to(TestType::from(static_cast<float>(given[i]))));
    // No neighbour is nearer: neither what rounding twice gives, nor the next ones of the format.
    for (const double away : {-0.6, 0.6}) {
      const float step = static_cast<float>(x + away * 2 * std::fabs(given[i] - x));
      const auto other = static_cast<double>(TestType::to(TestType::from(step)));
      CHECK(std::fabs(given[i] - x) <= std::fabs(given[i] - other));
    }
    CHECK(std::fabs(given[i] - x) <= std::fabs(given[i] - twice));
    saved += x != twice;
  }
  CHECK(saved > 20);  // rounding twice is another number
}

TEST_CASE("double precision is rounded once where it is saved, and gains before they are rounded", "[io]") {
  const scratch_folder folder;
  const std::string path = folder / "x.safetensors";
  const double above_a_tie = 1 + 0x1p-8 + 0x1p-40;
  const tensor_to_save one[] = {{"x", safetensors_type::bf16, 1, {1}}};
  REQUIRE(save_safetensors(path.c_str(), one,
                           [&](std::size_t, safetensors_writer& out) { return out.put(&above_a_tie, 1); }));
  float x = 0;
  safetensors_file::open(path.c_str()).value().find("x")->decode(0, 1, &x);
  CHECK(x == 1 + 0x1p-7f);

  CHECK(round_to_odd(1.0) == 1.0f);
  CHECK(round_to_odd(1 + 0x1p-50) == 1 + 0x1p-23f);
  CHECK(round_to_odd(-1 - 0x1p-50) == -1 - 0x1p-23f);
  CHECK(round_to_odd(1e-60) == 0x1p-149f);
  CHECK(round_to_odd(1e60) == 0x1.fffffep127f);
  CHECK(std::isinf(round_to_odd(HUGE_VAL)));
  CHECK(std::isnan(round_to_odd(std::nan(""))));
}

TEMPLATE_TEST_CASE("weights in 8 bits are the very numbers of a file in 8 bits", "[io]",
                   (std::pair<f8_e4m3, std::integral_constant<safetensors_type, safetensors_type::f8_e4m3>>),
                   (std::pair<f8_e5m2, std::integral_constant<safetensors_type, safetensors_type::f8_e5m2>>)) {
  using F = typename TestType::first_type;
  using full = causal_lm<tiny_llama3>;
  using M = causal_lm<tiny_llama3, weights<F>>;
  const scratch_folder folder;
  const std::string path = folder / "model.safetensors";
  running<full> exact;
  running<M> stored, again;
  randomise<full>(exact.weights, 0.3);
  quantise(exact.weights, stored.weights);
  REQUIRE(save_weights(path.c_str(), stored.weights, TestType::second_type::value));
  const auto file = safetensors_file::open(path.c_str()).value();
  CHECK(std::string(file.tensors()[0].encoding->name) == (std::is_same_v<F, f8_e4m3> ? "F8_E4M3" : "F8_E5M2"));
  REQUIRE(load_safetensors<M>(path.c_str(), again.weights));
  for (const tensor_info& t : M::tensors)
    if (t.is_matrix()) {
      const auto a = stored.weights.raw_matrix(t.index()), b = again.weights.raw_matrix(t.index());
      CHECK(std::memcmp(a.data, b.data, a.rows * a.cols) == 0);
    }
}
