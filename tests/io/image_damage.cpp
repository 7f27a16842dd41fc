// A flash image that is cut off anywhere, or with any single bit changed, is refused.
#include "scratch.hpp"

#include <ctlm/ctlm.hpp>

#include <cstring>

namespace {

using namespace ctlm;

struct small_model {
  static constexpr llama_config config{.vocab = 5, .d_model = 16, .layers = 1, .heads = 2, .d_ff = 16, .context = 8};
};
using lm = causal_lm<small_model, weights<int4<16>>>;
using streamed_lm = causal_lm<small_model, weights<int4<16>>, memory<offloaded<1 << 20>>>;

}  // namespace

TEST_CASE("no bit of a flash image can change unnoticed, and no byte be missing", "[io]") {
  scratch_folder folder;
  heap_arena weight_memory(lm::weight_bytes);
  lm::weights weights(weight_memory);
  rng random{5};
  for (std::byte& b : weights.bytes()) b = static_cast<std::byte>(random.below(128));
  REQUIRE(write_image<lm>((folder / "image").c_str(), weights));
  const std::string good = read_file((folder / "image").c_str()).value();

  heap_arena memory(good.size() + 2 * memory_alignment);
  auto* const bytes = memory.allocate<std::byte>(good.size());
  std::memcpy(bytes, good.data(), good.size());
  const span<const std::byte> image{bytes, good.size()};
  REQUIRE(bind_image<lm>(image));
  std::size_t accepted = 0;
  for (std::size_t n = 0; n < good.size(); ++n) accepted += bind_image<lm>(image.first(n)) ? 1u : 0u;
  for (std::size_t i = 0; i < good.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      bytes[i] ^= static_cast<std::byte>(1 << bit);
      accepted += bind_image<lm>(image) ? 1u : 0u;
      bytes[i] ^= static_cast<std::byte>(1 << bit);
    }
  CHECK(accepted == 0);
  CHECK(bind_image<lm>(image));
}

TEST_CASE("a header that says something where zeros must be is refused, also by offloaded weights", "[io]") {
  scratch_folder folder;
  heap_arena weight_memory(lm::weight_bytes);
  lm::weights weights(weight_memory);
  REQUIRE(write_image<lm>((folder / "image").c_str(), weights));
  std::string bad = read_file((folder / "image").c_str()).value();
  bad[48] = 3;
  put_contents(folder / "image", bad);
  const auto file = mapped_file::open((folder / "image").c_str()).value();
  const std::string words =
      "ctlm: this flash image is damaged: byte 48 of its header begins a number that must be 0 and is 3";
  CHECK(explain(bind_image<lm>(file.bytes(), verify::header).error()).text == words);
  heap_arena memory(offloaded_weights<streamed_lm>::bytes_needed());
  offloaded_weights<streamed_lm> streamed(memory);
  CHECK(explain(streamed.open((folder / "image").c_str()).error()).text == words);
}
