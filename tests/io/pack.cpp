// Flash images: what is packed is what a session reads in place, and anything else is refused.
#include "catch.hpp"

#include <ctlm/ctlm.hpp>

#include <cstring>

namespace {

using namespace ctlm;

struct packed_model {
  static constexpr llama_config config{
      .vocab = 61, .d_model = 32, .layers = 2, .heads = 4, .kv_heads = 2, .d_ff = 48, .context = 16};
};
struct other_heads {  // the same tensors, cut into heads differently
  static constexpr llama_config config{
      .vocab = 61, .d_model = 32, .layers = 2, .heads = 8, .kv_heads = 4, .d_ff = 48, .context = 16};
};
struct longer_context {  // rotary positions: the weights are the same
  static constexpr llama_config config{
      .vocab = 61, .d_model = 32, .layers = 2, .heads = 4, .kv_heads = 2, .d_ff = 48, .context = 64};
};
using lm = causal_lm<packed_model, weights<int4<32>>>;

/// An image in memory, aligned as flash is.
struct image_file {
  std::string path = "packed_model.ctlm";
  heap_arena weight_memory{lm::weight_bytes}, image_memory{1 << 20};
  lm::weights weights{weight_memory};
  std::byte* bytes = nullptr;
  std::size_t size = 0;

  image_file() {
    rng random{5};
    for (std::byte& b : weights.bytes()) b = static_cast<std::byte>(random.below(128));
    write_image<lm>(path.c_str(), weights).value();
    const std::string text = read_file(path.c_str()).value();
    size = text.size();
    bytes = image_memory.allocate<std::byte>(size + memory_alignment);
    std::memcpy(bytes, text.data(), size);
  }
  ~image_file() { std::remove(path.c_str()); }
  span<const std::byte> image() const { return {bytes, size}; }
};

template <class M>
errc refusal(span<const std::byte> image) {
  return bind_image<M>(image).error().code;
}

}  // namespace

TEST_CASE("a flash image is read in place", "[io]") {
  image_file file;
  CHECK(file.size == sizeof(image_header) + lm::weight_bytes);
  const auto bound = bind_image<lm>(file.image()).value();
  CHECK(bound.bytes().data() == file.bytes + sizeof(image_header));
  CHECK(std::memcmp(bound.bytes().data(), file.weights.bytes().data(), lm::weight_bytes) == 0);
  CHECK(bind_image<causal_lm<longer_context, weights<int4<32>>, kv_cache<int8<>>>>(file.image()));
}

TEST_CASE("a flash image of another model, layout or version is refused", "[io]") {
  image_file file;
  CHECK(refusal<causal_lm<other_heads, weights<int4<32>>>>(file.image()) == errc::wrong_model);
  CHECK(refusal<causal_lm<packed_model, weights<int8<32>>>>(file.image()) == errc::wrong_model);
  CHECK(refusal<causal_lm<packed_model, weights<int4<16>>>>(file.image()) == errc::wrong_model);
  CHECK(refusal<causal_lm<packed_model, weights<int4<32, asymmetric>>>>(file.image()) == errc::wrong_model);
  CHECK(refusal<causal_lm<packed_model, weights<int4<32>>, activation<geglu>>>(file.image()) == errc::wrong_model);
  file.bytes[8] = std::byte{9};
  CHECK(refusal<lm>(file.image()) == errc::unsupported);
  file.bytes[0] = std::byte{'X'};
  CHECK(refusal<lm>(file.image()) == errc::corrupt);
}

TEST_CASE("flash images written before version 2 still bind", "[io]") {
  image_file file;
  image_header h;
  std::memcpy(&h, file.bytes, sizeof h);
  CHECK(h.version == 2);
  h.version = 1;
  std::memcpy(file.bytes, &h, sizeof h);
  CHECK(refusal<lm>(file.image()) == errc::wrong_model);  // the fingerprint is still that of version 2
  h.model = first_image_fingerprint<lm>();
  std::memcpy(file.bytes, &h, sizeof h);
  CHECK(refusal<lm>(file.image()) == errc::ok);
  CHECK(refusal<causal_lm<other_heads, weights<int4<32>>>>(file.image()) == errc::wrong_model);
}

TEST_CASE("a flash image that is cut off, damaged or misplaced is refused", "[io]") {
  image_file file;
  for (std::size_t n : {std::size_t(0), std::size_t(63), std::size_t(64), file.size - 1})
    CHECK(refusal<lm>(file.image().first(n)) == errc::truncated);
  for (std::size_t at : {sizeof(image_header), file.size / 2, file.size - 1}) {
    file.bytes[at] ^= std::byte{1};
    CHECK(refusal<lm>(file.image()) == errc::corrupt);
    file.bytes[at] ^= std::byte{1};
  }
  CHECK(refusal<lm>(file.image()) == errc::ok);
  std::memmove(file.bytes + 4, file.bytes, file.size);
  CHECK(refusal<lm>({file.bytes + 4, file.size}) == errc::invalid_argument);
}

TEST_CASE("a packed model's header spells its type", "[io]") {
  const char* path = "packed_model.hpp";
  using asymmetric_lm = causal_lm<packed_model, weights<int8<per_channel, asymmetric>>>;
  REQUIRE(write_model_header<asymmetric_lm>(path, "packed_model"));
  const std::string text = read_file(path).value();
  for (const char* part :
       {"namespace packed_model {", "ctlm::llama_config config{", ".kv_heads = 2,", ".head_dim = 0,", ".bias = false,",
        ".rope_theta = 10000.0,", "ctlm::int8<ctlm::per_channel, ctlm::asymmetric>", "ctlm_image_packed_model_end"})
    CHECK(text.find(part) != std::string::npos);
  CHECK(write_model_header<asymmetric_lm>(path, "2nd").error().code == errc::invalid_argument);
  CHECK(write_model_header<asymmetric_lm>("nowhere/x.hpp", "x").error().code == errc::not_found);
  CHECK(read_file(path).value() == text);
  std::remove(path);
}
