// safetensors: each rule of the format, broken once; and files that were damaged or made to do harm.
#include "catch.hpp"
#include "paths.hpp"
#include "safetensors_files.hpp"

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

using namespace safetensors_files;

TEST_CASE("each rule of safetensors, broken once", "[io]") {
  const opened o;
  const std::string four(4, '\0');
  auto one = [](const std::string& e) { return "{" + e + "}"; };
  auto refuses = [&](const std::string& header, std::size_t bytes, errc code, const char* words) {
    o.refuses(with_length(header, std::string(bytes, '\0')), code, words);
  };
  const std::string good = one(entry("a", "F32", "[1]", "[0,4]"));
  CHECK(o.file(with_length(good, four)));
  CHECK(o.file(with_length(good + "     ", four)));
  CHECK(o.file(with_length("{}")));
  CHECK(o.file(with_length("{\"__metadata__\":{}}")));
  CHECK(o.file(with_length(one(entry("a", "F32", "[0,18446744073709551]", "[0,0]")))));

  o.refuses("", errc::truncated, "it has 0 bytes, and begins with a number of 8");
  o.refuses("1234567", errc::truncated, "it has 7 bytes");
  o.refuses(std::string(8, '\xFF') + good, errc::corrupt, "100000000 are allowed");
  o.refuses(with_length(good).substr(0, 30), errc::truncated, "are there");
  o.refuses(std::string("\x01\xE1\xF5\x05\0\0\0\0", 8), errc::corrupt, "its header would have 100000001 bytes");
  o.refuses(std::string("\x00\xE1\xF5\x05\0\0\0\0", 8), errc::truncated, "its header has 100000000 bytes, 0 are there");
  refuses("", 0, errc::corrupt, "does not begin with a brace");
  refuses(" " + good, 4, errc::corrupt, "does not begin with a brace");
  refuses("[]", 0, errc::corrupt, "does not begin with a brace");
  refuses(good + "x", 4, errc::corrupt, "goes on at byte");
  refuses(good + std::string(3, '\0'), 4, errc::corrupt, "goes on at byte");
  refuses("{\"\xFF\":1}", 0, errc::corrupt, "not UTF-8");
  refuses("{\"a\":", 0, errc::truncated, "ends too early");
  refuses("{\"a\":{\"shape\":[[[]]]}}", 0, errc::unsupported, "in one another");
  const std::string a = entry("a", "F32", "[1]", "[0,4]");
  refuses("{" + a + "," + a + "}", 4, errc::corrupt, "is in its object twice");
  refuses("{" + a + "," + entry("\\u0061", "F32", "[1]", "[4,8]") + "}", 8, errc::corrupt, "is in its object twice");

  refuses("{\"__metadata__\":[]}", 0, errc::corrupt, "nothing but strings");
  refuses("{\"__metadata__\":{\"a\":1}}", 0, errc::corrupt, "nothing but strings");
  refuses("{\"a\":1}", 0, errc::corrupt, "a needs a dtype, a shape and data_offsets");
  refuses("{\"a\":{\"dtype\":\"F32\",\"shape\":[]}}", 0, errc::corrupt, "a needs a dtype");
  refuses("{\"a\":{\"dtype\":1,\"shape\":[],\"data_offsets\":[0,4]}}", 4, errc::corrupt, "a needs a dtype");
  refuses("{\"a\":{\"dtype\":\"F32\",\"shape\":1,\"data_offsets\":[0,4]}}", 4, errc::corrupt, "a needs a dtype");
  refuses("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"strides\":[1]}}", 4, errc::corrupt,
          "a has an entry that no tensor");
  refuses(one(entry("a", "F4", "[1]", "[0,4]")), 4, errc::unsupported, "not read: a (dtype F4)");
  refuses(one(entry("a", "f32", "[1]", "[0,4]")), 4, errc::unsupported, "not read: a (dtype f32)");
  refuses(one(entry("a", "F32", "[-1]", "[0,4]")), 4, errc::corrupt, "a has a dimension");
  refuses(one(entry("a", "F32", "[1.0]", "[0,4]")), 4, errc::corrupt, "a has a dimension");
  refuses(one(entry("a", "F32", "[1e0]", "[0,4]")), 4, errc::corrupt, "a has a dimension");
  refuses(one(entry("a", "F32", "[\"1\"]", "[0,4]")), 4, errc::corrupt, "a has a dimension");
  refuses(one(entry("a", "F32", "[18446744073709551616]", "[0,4]")), 4, errc::corrupt, "a has a dimension");
  refuses(one(entry("a", "F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]")), 4, errc::unsupported, "a has 9 dimensions");
  refuses(one(entry("a", "F32", "[4611686018427387905]", "[0,4]")), 4, errc::corrupt, "more numbers");
  refuses(one(entry("a", "U8", "[4294967296,4294967296]", "[0,0]")), 0, errc::corrupt, "more numbers");
  refuses(one(entry("a", "U8", "[0,4294967296,4294967296]", "[0,0]")), 0, errc::corrupt, "more numbers");
  refuses(one(entry("a", "F32", "[1]", "[0]")), 4, errc::corrupt, "the data_offsets of a");
  refuses(one(entry("a", "F32", "[1]", "[0,4,8]")), 4, errc::corrupt, "the data_offsets of a");
  refuses(one(entry("a", "F32", "[1]", "[4,0]")), 4, errc::corrupt, "the data_offsets of a");
  refuses(one(entry("a", "F32", "[1]", "[-4,0]")), 4, errc::corrupt, "the data_offsets of a");
  refuses(one(entry("a", "F32", "[1]", "[18446744073709551612,18446744073709551616]")), 4, errc::corrupt,
          "data_offsets");
  refuses(one(entry("a", "F32", "[1]", "[18446744073709551611,18446744073709551615]")), 4, errc::truncated,
          "cut off: a");
  refuses(one(entry("a", "F32", "[2]", "[0,4]")), 4, errc::corrupt,
          "a has 4 bytes in this safetensors file, its shape and type need 8");
  refuses(one(entry("a", "F16", "[]", "[0,4]")), 4, errc::corrupt, "a has 4 bytes");
  refuses(one(entry("a", "F32", "[0]", "[0,4]")), 4, errc::corrupt, "need 0");
  refuses(good, 3, errc::truncated, "a needs its first 4 bytes of numbers, 3 are there");
  refuses(good, 5, errc::corrupt, "has 5 bytes of numbers, and its tensors end after 4");
  refuses("{}", 1, errc::corrupt, "has 1 bytes of numbers, and its tensors end after 0");
  refuses(one(entry("a", "F32", "[1]", "[4,8]")), 8, errc::corrupt, "a hole before a: it begins at byte 4");
  refuses("{" + a + "," + entry("b", "F32", "[1]", "[8,12]") + "}", 12, errc::corrupt, "a hole before b");
  refuses("{" + a + "," + entry("b", "F32", "[1]", "[2,6]") + "}", 6, errc::corrupt,
          "b begins at byte 2 of the numbers, inside a tensor that ends at byte 4");
  refuses("{" + a + "," + entry("b", "F32", "[1]", "[0,4]") + "}", 4, errc::corrupt, "inside a tensor");
  refuses("{" + a + "," + entry("b", "F32", "[0]", "[2,2]") + "}", 4, errc::corrupt, "inside a tensor");
  refuses(one(entry("a", "F32", "[0]", "[4,4]")), 4, errc::corrupt, "hole before a");
  CHECK(o.file(
      with_length("{" + entry("b", "F32", "[1]", "[4,8]") + "," + entry("z", "I8", "[0]", "[4,4]") + "," + a + "}",
                  std::string(8, '\0'))));

  CHECK(safetensors_file::open(nullptr).error().code == errc::invalid_argument);
  CHECK(safetensors_file::open("").error().code == errc::invalid_argument);
  CHECK(safetensors_file::open((o.folder / "none").c_str()).error().code == errc::not_found);
}

TEST_CASE("no safetensors file asks for more memory than its size justifies", "[io]") {
  const opened o;
  std::string header;
  for (int i = 0; i < 30'000; ++i) header += (i == 0 ? "{" : ",") + entry(std::to_string(i), "U8", "[0]", "[0,0]");
  o.refuses(with_length(header + "}"), errc::unsupported, "too many tensors with too short names");
  header.clear();
  for (int i = 0; i < 30'000; ++i)
    header += (i == 0 ? "{" : ",") + entry("model.layers.0.mlp.experts.some.projection.weight." + std::to_string(i),
                                           "U8", "[0,4096]", "[0,0]");
  const auto f = o.file(with_length(header + "}"));
  REQUIRE(f);
  CHECK(f->tensors().size() == 30'000);
  CHECK(f->find("model.layers.0.mlp.experts.some.projection.weight.17777") != nullptr);
}

TEST_CASE("every truncation and every changed bit of a header is an error, or the same tensors", "[io]") {
  auto open = [](const std::string& bytes) {
    return safetensors_file::bind({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()});
  };
  const std::string all = contents_of(std::string(paths::source) + "/tests/io/every_type.safetensors");
  std::uint64_t header = 0;
  std::memcpy(&header, all.data(), 8);
  for (std::size_t n = 0; n < all.size(); ++n) {
    const std::string part = all.substr(0, n);
    const auto r = open(part);
    REQUIRE_FALSE(r);
    REQUIRE(std::strncmp(r.error().what, "ctlm: ", 6) == 0);
  }
  CHECK_FALSE(open(all + '\0'));
  const auto whole = open(all);
  REQUIRE(whole);
  auto shapes = [](const safetensors_file& f) {  // without names, which no rule protects
    std::vector<std::vector<std::size_t>> s;
    for (const stored_tensor& t : f.tensors()) s.push_back(dimensions_of(&t));
    return s;
  };
  auto sizes = [](const safetensors_file& f) {
    std::size_t n = 0;
    for (const stored_tensor& t : f.tensors()) n += t.bytes.size();
    return n;
  };
  std::size_t accepted = 0;
  for (std::size_t i = 0; i < 8 + header; ++i)
    for (int bit = 0; bit < 8; ++bit) {
      std::string bytes = all;
      bytes[i] = static_cast<char>(bytes[i] ^ (1 << bit));
      const auto r = open(bytes);
      if (!r) continue;
      ++accepted;
      REQUIRE(sizes(*r) == sizes(*whole));
      REQUIRE(r->tensors().size() == whole->tensors().size());
      (void)sum_of(*r);
      if (i < 8) REQUIRE(shapes(*r) == shapes(*whole));
    }
  CHECK(accepted > 0);
}
