// safetensors: what another program wrote is read, what is written is read back, and each rule of the format is kept.
#include "catch.hpp"
#include "paths.hpp"
#include "scratch.hpp"

#include <ctlm/ctlm.hpp>

#include <sys/stat.h>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

using namespace ctlm;

namespace {

std::string with_length(const std::string& header, const std::string& data = "") {
  const std::uint64_t n = header.size();
  return std::string(reinterpret_cast<const char*>(&n), sizeof n) + header + data;
}
std::string entry(const std::string& name, const std::string& type, const std::string& shape,
                  const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + type + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
}

struct opened {
  scratch_folder folder;
  std::string path = folder / "model.safetensors";

  result<safetensors_file> file(const std::string& bytes) const {
    put_contents(path, bytes);
    return safetensors_file::open(path.c_str());
  }
  void refuses(const std::string& bytes, errc code, const char* words) const {
    const auto r = file(bytes);
    INFO(bytes.substr(0, 200));
    REQUIRE_FALSE(r);
    CHECK(r.error().code == code);
    CHECK_THAT(std::string(explain(r.error())), Catch::Contains(words));
  }
};

std::string name_of(const stored_tensor& t) { return {t.name.data(), t.name.size()}; }
std::vector<float> numbers_of(const stored_tensor* t) {
  REQUIRE(t != nullptr);
  std::vector<float> numbers(t->count());
  t->decode(0, numbers.size(), numbers.data());
  return numbers;
}
std::vector<std::size_t> dimensions_of(const stored_tensor* t) {
  REQUIRE(t != nullptr);
  return {t->dimensions, t->dimensions + t->rank};
}
/// Names, types and shapes, as one text.
std::string description(const safetensors_file& f) {
  std::string all;
  for (const stored_tensor& t : f.tensors()) {
    all += name_of(t) + " " + t.encoding->name;
    for (const std::size_t n : dimensions_of(&t)) all += " " + std::to_string(n);
    all += '\n';
  }
  return all;
}

/// Where each byte is read once, a wrong address is noticed.
float sum_of(const safetensors_file& f) {
  float sum = 0;
  for (const stored_tensor& t : f.tensors())
    for (const float x : numbers_of(&t)) sum += std::isfinite(x) ? x : 0.0f;
  return sum;
}

const std::vector<float> real{-1.5f, 0.25f, 448}, integer{-7, 0, 100}, natural{7, 0, 200};

}  // namespace

TEST_CASE("a safetensors file of another program is read, every type of it", "[io]") {
  const std::string path = std::string(paths::source) + "/tests/io/every_type.safetensors";
  const auto opened = safetensors_file::open(path.c_str());
  REQUIRE(opened);
  const safetensors_file& f = *opened;
  CHECK(f.tensors().size() == 18);
  for (const char* name : {"f64", "f32", "f16", "bf16", "f8_e4m3", "f8_e5m2"}) CHECK(numbers_of(f.find(name)) == real);
  for (const char* name : {"i64", "i32", "i16", "i8"}) CHECK(numbers_of(f.find(name)) == integer);
  for (const char* name : {"u64", "u32", "u16", "u8"}) CHECK(numbers_of(f.find(name)) == natural);
  CHECK(numbers_of(f.find("bool")) == std::vector<float>{1, 0, 1});
  CHECK(numbers_of(f.find("a scalar")) == std::vector<float>{3});
  CHECK(dimensions_of(f.find("a scalar")).empty());
  CHECK(numbers_of(f.find("nothing")).empty());
  CHECK(dimensions_of(f.find("nothing")) == std::vector<std::size_t>{2, 0, 4});
  CHECK(dimensions_of(f.find("f64")) == std::vector<std::size_t>{1, 3});
  CHECK(numbers_of(f.find("a \"name\"\\\n\xC3\xA9\xF0\x9F\x98\x80")) == std::vector<float>{5});
  CHECK(f.find("f6") == nullptr);
  CHECK(f.find("") == nullptr);
  CHECK(std::string(f.find("bf16")->encoding->name) == "BF16");
  CHECK(f.metadata().find("format").equals("pt"));
  const std::string bytes = "x" + contents_of(path);  // at an odd address
  const auto bound = safetensors_file::bind({reinterpret_cast<const std::byte*>(bytes.data()) + 1, bytes.size() - 1});
  REQUIRE(bound);
  CHECK(description(*bound) == description(f));
  CHECK(sum_of(*bound) == sum_of(f));
  CHECK(safetensors_file::bind({}).error().code == errc::truncated);
  float part[1];
  f.find("i32")->decode(2, 1, part);
  CHECK(part[0] == 100);
  const std::byte* last = nullptr;
  for (const stored_tensor& t : f.tensors()) {  // in the order of their bytes
    CHECK(t.bytes.data() >= last);
    last = t.bytes.data();
  }
}

TEST_CASE("numbers of eight bits are what their bits say", "[io]") {
  for (unsigned bits = 0; bits < 256; ++bits) {
    const auto byte = static_cast<std::byte>(bits);
    auto decoded = [&](const char* type) {
      for (const number_encoding& e : safetensors_detail::encodings)
        if (std::strcmp(e.name, type) == 0) {
          float x = 0;
          e.decode(&byte, 1, &x);
          return x;
        }
      FAIL(type);
      return 0.0f;
    };
    auto value = [&](int mantissa_bits, int bias) {
      const int m = static_cast<int>(bits) & ((1 << mantissa_bits) - 1);
      const int e = static_cast<int>(bits & 0x7Fu) >> mantissa_bits;
      const double x = e == 0 ? std::ldexp(m, 1 - bias - mantissa_bits)
                              : std::ldexp(m + (1 << mantissa_bits), e - bias - mantissa_bits);
      return static_cast<float>(bits & 0x80u ? -x : x);
    };
    INFO(bits);
    const float e4m3 = decoded("F8_E4M3"), e5m2 = decoded("F8_E5M2");
    if ((bits & 0x7Fu) == 0x7F) {
      CHECK(std::isnan(e4m3));
    } else {
      CHECK(e4m3 == value(3, 7));
      CHECK(std::signbit(e4m3) == (bits >= 0x80));
    }
    if ((bits & 0x7Fu) > 0x7C)
      CHECK(std::isnan(e5m2));
    else if ((bits & 0x7Fu) == 0x7C)
      CHECK((std::isinf(e5m2) && std::signbit(e5m2) == (bits >= 0x80)));
    else
      CHECK(e5m2 == value(2, 15));
  }
}

TEST_CASE("what is saved as safetensors is read back, in the order in which it was given", "[io]") {
  const scratch_folder folder;
  const std::string path = folder / "model.safetensors";
  const tensor_to_save tensors[] = {
      {"z.weight", safetensors_type::f32, 2, {3, 5}}, {"\"a\"\\\n\xC3\xA9", safetensors_type::bf16, 1, {3}},
      {"nothing", safetensors_type::f32, 2, {0, 7}},  {"half", safetensors_type::f16, 1, {2000}},
      {"scalar", safetensors_type::f64, 0, {}},       {"large", safetensors_type::f32, 2, {300, 500}}};
  std::vector<float> given(300 * 500);
  rng random{3};
  for (float& x : given) x = static_cast<float>(random.normal());
  auto produce = [&](std::size_t i, safetensors_writer& out) -> result<void> {
    if (i == 2) return {};
    if (i == 4) {
      const double third = 1.0 / 3;
      return out.put(&third, 1);
    }
    const std::size_t n = i == 0 ? 15 : i == 1 ? 3 : i == 3 ? 2000 : given.size();
    if (i == 5) return out.put(given.data(), n);
    for (std::size_t k = 0; k < n; ++k)  // number by number
      if (const auto r = out.put(&given[k], 1); !r) return r;
    return {};
  };
  const safetensors_note notes[] = {{"format", "pt"}, {"made \"by\"", "a\ttest"}};
  REQUIRE(save_safetensors(path.c_str(), tensors, produce, notes));
  const std::string once = contents_of(path);
  REQUIRE(save_safetensors(path.c_str(), tensors, produce, notes));
  CHECK(contents_of(path) == once);
  CHECK(folder.names().size() == 1);
  std::uint64_t header = 0;
  std::memcpy(&header, once.data(), 8);
  CHECK(header % 8 == 0);

  const auto f = safetensors_file::open(path.c_str()).value();
  REQUIRE(f.tensors().size() == 6);
  CHECK(name_of(f.tensors()[0]) == "z.weight");
  CHECK(f.metadata().find("made \"by\"").equals("a\ttest"));
  CHECK(numbers_of(f.find("large")) == given);
  CHECK(dimensions_of(f.find("z.weight")) == std::vector<std::size_t>{3, 5});
  CHECK(numbers_of(f.find("z.weight")) == std::vector<float>(given.begin(), given.begin() + 15));
  const auto bf = numbers_of(f.find("\"a\"\\\n\xC3\xA9"));
  for (std::size_t i = 0; i < 3; ++i) CHECK(bf[i] == static_cast<float>(bfloat::from(given[i])));
  const auto hf = numbers_of(f.find("half"));
  for (std::size_t i = 0; i < 2000; ++i) CHECK(hf[i] == static_cast<float>(half::from(given[i])));
  double third = 0;
  std::memcpy(&third, f.find("scalar")->bytes.data(), 8);
  CHECK(third == 1.0 / 3);
  CHECK(numbers_of(f.find("nothing")).empty());

  REQUIRE(save_safetensors(path.c_str(), {}, produce));
  CHECK(safetensors_file::open(path.c_str()).value().tensors().size() == 0);
}

TEST_CASE("what cannot be a safetensors file is not saved, and the old file stays", "[io]") {
  const scratch_folder folder;
  const std::string path = folder / "model.safetensors";
  put_contents(path, "old");
  auto nothing = [](std::size_t, safetensors_writer&) { return result<void>(); };
  auto refuses = [&](const std::vector<tensor_to_save>& tensors, const char* words) {
    const auto r = save_safetensors(path.c_str(), tensors, nothing);
    REQUIRE_FALSE(r);
    CHECK(r.error().code == errc::invalid_argument);
    CHECK_THAT(std::string(explain(r.error())), Catch::Contains(words));
  };
  constexpr auto f32 = safetensors_type::f32;
  refuses({{"a", f32, 1, {1}}, {"a", f32, 1, {1}}}, "this name is to be saved twice: a");
  refuses({{"__metadata__", f32, 1, {1}}}, "__metadata__ is no name");
  refuses({{nullptr, f32, 1, {1}}}, "number 0 of those to be saved has no name");
  refuses({{"\xFF", f32, 1, {1}}}, "not UTF-8");
  refuses({{"a", f32, 9, {1}}}, "a has 9 dimensions, at most 8");
  refuses({{"a", f32, 2, {~std::size_t{0} / 8, 8}}}, "a would have more numbers than this machine can address");
  refuses({{"a", f32, 3, {0, ~std::size_t{0}, 8}}}, "more numbers");
  refuses({{"a", f32, 2, {2, 3}}}, "6 numbers of a were not given");
  const tensor_to_save one[] = {{"a", f32, 1, {3}}};
  const float four[4]{};
  const auto too_many =
      save_safetensors(path.c_str(), one, [&](std::size_t, safetensors_writer& w) { return w.put(four, 4); });
  REQUIRE_FALSE(too_many);
  CHECK((too_many.error().needed == 3 && too_many.error().had == 4));
  const auto own = save_safetensors(path.c_str(), one, [&](std::size_t, safetensors_writer&) -> result<void> {
    return failure{errc::context_full, "ctlm: mine"};
  });
  CHECK(own.error().code == errc::context_full);
  const safetensors_note twice[] = {{"k", "a"}, {"k", "b"}}, wrong[] = {{"k", "\xFF"}};
  CHECK(save_safetensors(path.c_str(), {}, nothing, twice).error().code == errc::invalid_argument);
  CHECK(save_safetensors(path.c_str(), {}, nothing, wrong).error().code == errc::invalid_argument);
  CHECK(contents_of(path) == "old");
  CHECK(folder.names().size() == 1);
}

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

TEST_CASE("a model in several safetensors files is opened by its index or its folder", "[io]") {
  const scratch_folder folder;
  auto put = [&](const std::string& name, const std::string& bytes) { put_contents(folder / name, bytes); };
  const std::string index = folder / "model.safetensors.index.json";
  auto opens = [&](const std::string& map) {
    put("model.safetensors.index.json", "{\"metadata\":{\"total_size\":12},\"weight_map\":" + map + "}");
    return safetensors_file::open(index.c_str());
  };
  auto refuses = [&](const std::string& map, errc code, const char* words) {
    const auto r = opens(map);
    INFO(map);
    REQUIRE_FALSE(r);
    CHECK(r.error().code == code);
    CHECK_THAT(std::string(explain(r.error())), Catch::Contains(words));
  };
  CHECK_THAT(std::string(explain(safetensors_file::open(folder.path.c_str()).error())),
             Catch::Contains("neither model.safetensors nor"));
  put("1.safetensors",
      with_length("{" + entry("a", "U8", "[3]", "[1,4]") + "," + entry("b", "U8", "[1]", "[0,1]") + "}",
                  "\x09\x01\x02\x03"));
  put("2.safetensors", with_length("{" + entry("c\\n", "U8", "[2]", "[0,2]") + "}", "\x07\x08"));
  put("3.safetensors", with_length("{" + entry("b", "U8", "[0]", "[0,0]") + "}"));
  put("broken", "x");

  const std::string good = R"({"a":"1.safetensors","c\u000a":"2.safetensors","b":"1.safetensors"})";
  const auto f = opens(good);
  REQUIRE(f);
  CHECK(description(*f) == "b U8 1\na U8 3\nc\n U8 2\n");
  CHECK(numbers_of(f->find("a")) == std::vector<float>{1, 2, 3});
  CHECK(numbers_of(f->find("c\n")) == std::vector<float>{7, 8});
  CHECK(description(safetensors_file::open(folder.path.c_str()).value()) == description(*f));

  refuses("{\"a\":\"../1.safetensors\"}", errc::corrupt, "not name a file of its own folder: ../1.safetensors");
  for (const char* outside :
       {"..", ".", "", "/etc/passwd", "a/../b", "a/b", "1.safetensors\\u0000", "\\u002e\\u002e\\u002fa"})
    refuses(std::string("{\"a\":\"") + outside + "\"}", errc::corrupt, "not name a file of its own folder");
  refuses("{\"a\":1}", errc::corrupt, "not name a file");
  refuses("{\"a\":null}", errc::corrupt, "not name a file");
  refuses("[]", errc::corrupt, "has no weight_map");
  refuses("{\"a\":\"none.safetensors\"}", errc::not_found, "is not there: none.safetensors");
  refuses("{\"a\":\"broken\"}", errc::truncated, "cut off");
  refuses("{\"a\":\"1.safetensors\",\"a\":\"2.safetensors\"}", errc::corrupt, "twice");
  refuses("{\"c\\n\":\"2.safetensors\",\"a\":\"2.safetensors\"}", errc::corrupt, "a is not in the file");
  refuses("{\"c\\n\":\"1.safetensors\",\"a\":\"2.safetensors\"}", errc::corrupt, "is not in the file");
  refuses("{\"a\":\"1.safetensors\",\"b\":\"3.safetensors\"}", errc::corrupt, "b is in more than one");
  put("model.safetensors.index.json", "{\"weight_map\":{}");
  CHECK(safetensors_file::open(index.c_str()).error().code == errc::truncated);
  CHECK(safetensors_file::open(folder.path.c_str()).error().code == errc::truncated);

  put("model.safetensors", with_length("{}"));  // a whole file comes before an index
  CHECK(safetensors_file::open(folder.path.c_str()).value().tensors().empty());
  put("model.safetensors", "x");
  CHECK(safetensors_file::open(folder.path.c_str()).error().code == errc::truncated);
}
