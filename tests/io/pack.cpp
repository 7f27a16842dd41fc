// Flash images: what is packed is what a session reads in place, and anything else is refused.
#include "catch.hpp"

#include <ctlm/ctlm.hpp>

#include <bit>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>

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
       {"namespace packed_model {", "ctlm::llama_config config{", ".kv_heads = 2,", ".bias = false,",
        ".rope_theta = 10000.0,", "ctlm::int8<ctlm::per_channel, ctlm::asymmetric>", "ctlm_image_packed_model_end"})
    CHECK(text.find(part) != std::string::npos);
  CHECK(write_model_header<asymmetric_lm>(path, "2nd").error().code == errc::invalid_argument);
  CHECK(write_model_header<asymmetric_lm>("nowhere/x.hpp", "x").error().code == errc::not_found);
  CHECK(read_file(path).value() == text);
  std::remove(path);
}

namespace {

struct endless_theta {
  static constexpr llama_config config{.vocab = 61,
                                       .d_model = 32,
                                       .layers = 1,
                                       .heads = 4,
                                       .d_ff = 48,
                                       .context = 16,
                                       .rope_theta = std::numeric_limits<double>::infinity()};
};

}  // namespace

TEST_CASE("a packed model's name is one that a namespace can have", "[io]") {
  const char* path = "packed_name.hpp";
  std::remove(path);
  auto words = [&](const char* name) {
    const auto r = write_model_header<lm>(path, name);
    CHECK(r.error().code == errc::invalid_argument);
    CHECK_FALSE(read_file(path));
    return std::string(explain(r.error()));
  };
  for (const char* name : {"class", "namespace", "co_await", "xor_eq", "char8_t", "ctlm", "std", "main", "linux"})
    CHECK(words(name) == "ctlm: a packed model cannot be called " + std::string(name) + ": C++ or ctlm uses that name");
  for (const char* name : {"_Model", "_model", "__model", "my__model", "model__"})
    CHECK_THAT(words(name), Catch::Contains("must not begin with _ or hold two in a row"));
  CHECK_THAT(words("std2"), Catch::Contains("must not be std and a number"));
  CHECK(words("") == "ctlm: a packed model needs a name");
  CHECK_THAT(words("2nd"), Catch::Contains("its character 0 must not be there"));
  CHECK_THAT(words("a b"), Catch::Contains("its character 1 must not be there"));
  CHECK_THAT(words("caf\xC3\xA9"), Catch::Contains("its character 3 must not be there"));
  for (const char* name : {"x", "classes", "stdx", "Std2", "my_model_", "import_"}) {
    CHECK(write_model_header<lm>(path, name));
    std::remove(path);
  }
}

TEST_CASE("a packed model's numbers are finite, and spelt so that they read back to the bit", "[io]") {
  const char* path = "packed_theta.hpp";
  const auto r = write_model_header<causal_lm<endless_theta, weights<int4<32>>>>(path, "endless");
  CHECK(r.error().code == errc::invalid_argument);
  CHECK(std::string(explain(r.error())) == "ctlm: config.rope_theta is not a finite number and cannot be written");
  CHECK_FALSE(read_file(path));
  using pack_detail::literal;
  CHECK(literal(10000.0) == "10000.0");
  CHECK(literal(true) == "true");
  CHECK(literal(std::size_t{1234567}) == "1234567");
  rng random{4};
  for (int i = 0; i < 2000; ++i) {
    const auto bits = static_cast<std::uint32_t>(random.below(std::size_t{1} << 32));
    const float f = i == 0 ? 1e-05f : i == 1 ? -0.0f : i == 2 ? 1e30f : std::bit_cast<float>(bits);
    if (!(f - f == 0.0f)) continue;
    const std::string spelt = literal(f);
    REQUIRE(spelt.back() == 'f');
    REQUIRE(spelt.find_first_of(".e") != std::string::npos);  // without, it would be no number with a fraction
    REQUIRE(std::bit_cast<std::uint32_t>(std::strtof(spelt.c_str(), nullptr)) == std::bit_cast<std::uint32_t>(f));
    const double d = static_cast<double>(f) / 3;
    REQUIRE(std::strtod(literal(d).c_str(), nullptr) == d);
  }
}
