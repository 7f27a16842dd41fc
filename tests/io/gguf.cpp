// GGUF files: decoded and quantised as the Python package gguf does it (golden.gguf, by make_gguf.py), and what is
// written is read again.
#include "../paths.hpp"
#include "gguf_bytes.hpp"
#include "scratch.hpp"

#include <limits>

namespace {

using namespace ctlm;

const gguf_file& golden() {
  static const gguf_file f = gguf_file::open((std::string(paths::source) + "/tests/io/golden.gguf").c_str()).value();
  return f;
}
std::string words(span<const char> s) { return {s.begin(), s.end()}; }

std::vector<float> numbers(const stored_tensor& t) {
  std::vector<float> x(t.count());
  t.decode(0, x.size(), x.data());
  return x;
}
const stored_tensor& tensor(const tensor_source auto& file, const std::string& name) {
  INFO(name);
  const stored_tensor* const t = file.find(name);
  REQUIRE(t != nullptr);
  return *t;
}
bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}
const gguf_value& value(const char* key) {
  INFO(key);
  const gguf_value* const v = golden().metadata().find(key);
  REQUIRE(v != nullptr);
  return *v;
}

}  // namespace

TEST_CASE("every encoding of a GGUF file is decoded as its reference does it", "[io]") {
  std::size_t compared = 0;
  for (const stored_tensor& decoded : golden().tensors()) {
    const std::string name = words(decoded.name);
    if (!name.ends_with(".decoded")) continue;
    const stored_tensor& t = tensor(golden(), name.substr(0, name.find('.')));
    CAPTURE(name);
    CHECK(name == std::string(t.encoding->name) + ".decoded");
    CHECK(t.rank == 2);
    CHECK(t.dimensions[0] == 2);
    CHECK(t.dimensions[1] == decoded.dimensions[1]);
    CHECK(same_bits(numbers(t), numbers(decoded)));
    std::vector<float> second_row(t.dimensions[1]);  // also from the middle
    t.decode(t.dimensions[1], t.dimensions[1], second_row.data());
    CHECK(std::memcmp(second_row.data(), decoded.bytes.data() + decoded.bytes.size() / 2, 4 * second_row.size()) == 0);
    ++compared;
  }
  CHECK(compared == 15);  // all but F32, which the others are compared in
}

TEST_CASE("blocks of a GGUF file are quantised as its reference does it", "[io]") {
  for (const gguf_encoding e : {gguf_encoding::q8_0, gguf_encoding::q4_0, gguf_encoding::q4_1}) {
    const std::string name = numbers_of(e).name;
    CAPTURE(name);
    const std::vector<float> x = numbers(tensor(golden(), name + ".numbers"));
    const stored_tensor& expected = tensor(golden(), name + ".quantised");
    std::vector<std::byte> bytes(expected.bytes.size());
    gguf_detail::find_encoding(static_cast<std::uint32_t>(e))->encode(x.data(), x.size() / 32, bytes.data());
    CHECK(std::memcmp(bytes.data(), expected.bytes.data(), bytes.size()) == 0);
  }
}

TEST_CASE("a GGUF block with a number that is not finite is read as NaN", "[io]") {
  for (const gguf_encoding e : {gguf_encoding::q8_0, gguf_encoding::q4_0, gguf_encoding::q4_1})
    for (const float bad : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN()}) {
      const auto& entry = *gguf_detail::find_encoding(static_cast<std::uint32_t>(e));
      float x[64] = {1, 2, 3, bad};
      x[40] = 5;
      std::byte bytes[80];
      entry.encode(x, 2, bytes);
      entry.numbers.decode(bytes, 2, x);
      for (int i = 0; i < 64; ++i) CHECK((x[i] != x[i]) == (i < 32));
    }
}

TEST_CASE("metadata of a GGUF file: numbers of every type", "[io]") {
  CHECK(golden().metadata().values().size() == 18);
  CHECK(words(*value("general.architecture").as_string()) == "golden");
  CHECK(value("golden.u8").as_integer().value() == 200);
  CHECK(value("golden.i8").as_integer().value() == -100);
  CHECK(value("golden.u16").as_integer().value() == 60000);
  CHECK(value("golden.i16").as_integer().value() == -30000);
  CHECK(value("golden.u32").as_integer().value() == 4000000000);
  CHECK(value("golden.i32").as_integer().value() == -2000000000);
  CHECK(value("golden.i64").as_integer().value() == -(std::int64_t{1} << 62));
  CHECK(value("golden.f32").as_number().value() == 0.5);
  CHECK(value("golden.f64").as_number().value() == 1e-300);
  CHECK(value("golden.u8").as_number().value() == 200);
  CHECK(value("golden.u64").as_number().value() == 0x1p63);
  CHECK(value("golden.yes").as_bool().value());
  CHECK_FALSE(value("golden.no").as_bool().value());
  CHECK(words(*value("golden.text").as_string()) ==
        "Gr\xC3\xBC\xC3\x9F"
        "e");
  CHECK(golden().metadata().find("golden") == nullptr);
  CHECK(golden().metadata().find(std::string("golden.u8")) == &value("golden.u8"));
}

TEST_CASE("metadata of a GGUF file: arrays", "[io]") {
  const auto all = value("golden.words").as_array().value();
  CHECK(all.type() == gguf_type::string);
  CHECK(all.size() == 3);
  std::string joined;
  for (const gguf_value& word : all) joined += words(*word.as_string()) + ",";
  CHECK(joined == "one,,three,");
  CHECK(words(*all[2].as_string()) == "three");

  const auto integers = value("golden.integers").as_array().value();
  std::vector<std::int64_t> found;
  for (const gguf_value& n : integers) found.push_back(n.as_integer().value());
  CHECK(found == std::vector<std::int64_t>{1, -2, 3});
  CHECK(integers[1].as_integer().value() == -2);
  CHECK(value("golden.numbers").as_array().value()[1].as_number().value() == -0.25);
  const auto bools = value("golden.bools").as_array().value();
  CHECK(bools.size() == 3);
  CHECK_FALSE(bools[1].as_bool().value());
}

TEST_CASE("metadata of a GGUF file that is asked for as what it is not", "[io]") {
  auto said = [](const auto& r) {
    REQUIRE_FALSE(r);
    return std::string(explain(r.error()).text);
  };
  CHECK(said(value("golden.text").as_integer()) == "ctlm: golden.text (string) in this GGUF file should be an integer");
  CHECK(said(value("golden.f32").as_integer()) == "ctlm: golden.f32 (float32) in this GGUF file should be an integer");
  CHECK(said(value("golden.yes").as_number()) == "ctlm: golden.yes (boolean) in this GGUF file should be a number");
  CHECK(said(value("golden.u8").as_bool()) == "ctlm: golden.u8 (uint8) in this GGUF file should be true or false");
  CHECK(said(value("golden.words").as_string()) == "ctlm: golden.words (array) in this GGUF file should be a string");
  CHECK(said(value("golden.i64").as_array()) == "ctlm: golden.i64 (int64) in this GGUF file should be an array");
  CHECK(said(value("golden.u64").as_integer()) ==
        "ctlm: golden.u64 (uint64) in this GGUF file is larger than 2^63 - 1");
}

namespace {

float written_number(std::size_t tensor, std::size_t row, std::size_t i) {
  return static_cast<float>(tensor + 1) * (static_cast<float>(row) - 1) + static_cast<float>(i) / 8;
}

/// A file with a tensor of each encoding that is written; tensor i has i + 1 rows of 64 numbers.
gguf_writer small_writer() {
  gguf_writer out;
  out.set("general.architecture", "llama");
  out.set("a.u8", std::uint8_t{200});
  out.set("a.i8", std::int8_t{-100});
  out.set("a.u16", std::uint16_t{60000});
  out.set("a.i16", std::int16_t{-30000});
  out.set("a.u32", std::uint32_t{4000000000});
  out.set("a.i32", -2000000000);
  out.set("a.u64", std::uint64_t{1} << 63);
  out.set("a.i64", -(std::int64_t{1} << 62));
  out.set("a.f32", 0.5f);
  out.set("a.f64", 1e-300);
  out.set("a.bool", true);
  out.set("a.text", std::string("with a \0 inside", 15));
  out.set("a.words", std::vector<std::string>{"one", "", "three"});
  out.set("a.integers", std::vector<std::int32_t>{1, -2});
  out.set("a.numbers", std::vector<float>{0.5f, -0.25f, 1.0f});
  std::size_t rows = 1;
  for (const gguf_encoding e : {gguf_encoding::f32, gguf_encoding::f16, gguf_encoding::bf16, gguf_encoding::q8_0,
                                gguf_encoding::q4_0, gguf_encoding::q4_1})
    out.add_tensor(std::string("t.") + numbers_of(e).name, {rows++, 64}, e);
  out.add_tensor("t.cube", {2, 3, 5}, gguf_encoding::f32);
  out.add_tensor("t.scalar", {}, gguf_encoding::f32);
  return out;
}
void write_small(const std::string& path) {
  const auto row_of = [](std::size_t tensor, std::size_t row, float* to) {
    const std::size_t n = tensor < 6 ? 64 : tensor == 6 ? 5 : 1;
    for (std::size_t i = 0; i < n; ++i) to[i] = written_number(tensor, row, i);
  };
  small_writer().write(path.c_str(), row_of).value();
}

}  // namespace

TEST_CASE("a GGUF file that was written is read again", "[io]") {
  scratch_folder folder;
  write_small(folder / "a.gguf");
  const auto file = gguf_file::open((folder / "a.gguf").c_str()).value();
  const auto integer = [&](const char* key) { return file.metadata().find(key)->as_integer().value(); };
  CHECK(integer("a.u8") == 200);
  CHECK(integer("a.i8") == -100);
  CHECK(integer("a.u16") == 60000);
  CHECK(integer("a.i16") == -30000);
  CHECK(integer("a.u32") == 4000000000);
  CHECK(integer("a.i32") == -2000000000);
  CHECK(integer("a.i64") == -(std::int64_t{1} << 62));
  CHECK(file.metadata().find("a.u64")->as_number().value() == 0x1p63);
  CHECK(file.metadata().find("a.f32")->type() == gguf_type::float32);
  CHECK(file.metadata().find("a.f64")->as_number().value() == 1e-300);
  CHECK(file.metadata().find("a.bool")->as_bool().value());
  CHECK(words(*file.metadata().find("a.text")->as_string()) == std::string("with a \0 inside", 15));
  CHECK(words(*file.metadata().find("a.words")->as_array().value()[2].as_string()) == "three");
  CHECK(file.metadata().find("a.integers")->as_array().value()[1].as_integer().value() == -2);
  CHECK(file.metadata().find("a.numbers")->as_array().value().size() == 3);

  REQUIRE(file.tensors().size() == 8);
  for (std::size_t i = 0; i < 6; ++i) {
    const stored_tensor& t = file.tensors()[i];
    CAPTURE(words(t.name));
    CHECK(words(t.name) == std::string("t.") + t.encoding->name);
    REQUIRE(t.count() == (i + 1) * 64);
    const std::vector<float> x = numbers(t);
    const double off = i == 0 ? 0 : i < 3 ? 0.05 : i == 3 ? 0.08 : 1.7;  // half a step
    for (std::size_t k = 0; k < x.size(); ++k) REQUIRE(std::abs(x[k] - written_number(i, k / 64, k % 64)) <= off);
  }
  const stored_tensor& cube = tensor(file, "t.cube");
  CHECK((cube.rank == 3 && cube.dimensions[0] == 2 && cube.dimensions[1] == 3 && cube.dimensions[2] == 5));
  CHECK(numbers(cube)[29] == written_number(6, 5, 4));
  CHECK((tensor(file, "t.scalar").rank == 0 && tensor(file, "t.scalar").count() == 1));

  write_small(folder / "b.gguf");
  CHECK(contents_of(folder / "a.gguf") == contents_of(folder / "b.gguf"));
  CHECK(folder.names() == std::vector<std::string>{"a.gguf", "b.gguf"});
}

TEST_CASE("a GGUF file without tensors, and one without anything", "[io]") {
  scratch_folder folder;
  const auto no_rows = [](std::size_t, std::size_t, float*) {};
  gguf_writer out;
  out.write((folder / "a").c_str(), no_rows).value();
  CHECK(gguf_file::open((folder / "a").c_str()).value().tensors().size() == 0);
  out.set("k", 1);
  out.write((folder / "a").c_str(), no_rows).value();
  CHECK(gguf_file::open((folder / "a").c_str()).value().metadata().find("k")->as_integer().value() == 1);
}

TEST_CASE("a GGUF writer's rows may fail, and then the file stays as it was", "[io]") {
  scratch_folder folder;
  put_contents(folder / "a", "old");
  gguf_writer out;
  out.add_tensor("t", {2, 3}, gguf_encoding::f32);
  const auto r = out.write((folder / "a").c_str(), [](std::size_t, std::size_t row, float* to) -> result<void> {
    to[0] = to[1] = to[2] = 1;
    if (row == 1) return failure{errc::io_error, "no second row"};
    return {};
  });
  CHECK(std::string(r.error().what) == "no second row");
  CHECK(contents_of(folder / "a") == "old");
  CHECK(folder.names() == std::vector<std::string>{"a"});
}

TEST_CASE("what does not fit a GGUF file is not written", "[io]") {
  scratch_folder folder;
  auto refusal = [&](auto fill) {
    gguf_writer out;
    fill(out);
    const auto r = out.write((folder / "a").c_str(), [](std::size_t, std::size_t, float*) {});
    CHECK(r.error().code == errc::invalid_argument);
    CHECK(folder.names().empty());
    return std::string(explain(r.error()).text);
  };
  using w = gguf_writer;
  constexpr auto f32 = gguf_encoding::f32;
  CHECK(refusal([](w& o) { o.set("", 1); }) == "ctlm: the GGUF key  has 0 bytes; 1 to 65535 are allowed");
  CHECK(refusal([](w& o) { o.set("k\xFF", 1); }) == "ctlm: the GGUF key k? is not UTF-8");
  CHECK(refusal([](w& o) { o.set("k\n", 1); }) == "ctlm: the GGUF key k? holds a control character");
  CHECK(refusal([](w& o) { o.add_tensor("t\t", {2}, f32); }) == "ctlm: the tensor name t? holds a control character");
  CHECK(refusal([](w& o) { o.set("k", 1), o.set("k", "x"); }) == "ctlm: the GGUF key k was set twice");
  CHECK(refusal([](w& o) { o.set("general.alignment", 64u); }) ==
        "ctlm: general.alignment is not to be set: tensors are aligned to 32 bytes");
  CHECK(refusal([](w& o) { o.add_tensor("", {2}, f32); }) ==
        "ctlm: the tensor name  has 0 bytes; 1 to 63 are allowed in a GGUF file");
  CHECK_THAT(refusal([](w& o) { o.add_tensor(std::string(64, 'n'), {2}, f32); }), Catch::Contains("has 64 bytes"));
  CHECK(refusal([](w& o) { o.add_tensor("\xC0\x80", {2}, f32); }) == "ctlm: the tensor name ?? is not UTF-8");
  CHECK(refusal([](w& o) { o.add_tensor("t", {2}, f32), o.add_tensor("t", {3}, f32); }) ==
        "ctlm: the tensor t was added twice");
  CHECK(refusal([](w& o) {
          o.add_tensor("t", {1, 1, 1, 1, 2}, f32);
        }) == "ctlm: tensor t has 5 dimensions; a GGUF file can have 4");
  CHECK(refusal([](w& o) { o.add_tensor("t", {0, 2}, f32); }) == "ctlm: tensor t has a dimension of 0");
  CHECK(refusal([](w& o) {
          o.add_tensor("t", {std::size_t{1} << 40, std::size_t{1} << 40}, f32);
        }) == "ctlm: tensor t would have 2^63 bytes or more");
  CHECK(refusal([](w& o) {
          o.add_tensor("t", {2, 33}, gguf_encoding::q8_0);
        }) == "ctlm: tensor t has rows of 33 numbers, which are no whole blocks of 32");
  CHECK(refusal([](w& o) { o.add_tensor("t", {256}, gguf_encoding::q6_k); }) ==
        "ctlm: tensor t was to be written in GGUF encoding 14, which is only read or unknown");
}
