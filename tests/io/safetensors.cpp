// safetensors: what another program wrote is read, what is written is read back, and models in several files.
#include "catch.hpp"
#include "paths.hpp"
#include "safetensors_files.hpp"

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

using namespace safetensors_files;

namespace {

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
