// GGUF files that break a rule, each with the words of its refusal; files that are cut off, or have a bit turned over.
#include "gguf_bytes.hpp"
#include "scratch.hpp"

#include <cmath>
#include <functional>

namespace {

using namespace ctlm;
using file = gguf_bytes;
constexpr std::uint64_t huge = ~std::uint64_t{0};
constexpr std::uint32_t floats = 0, blocks = 2;

std::string refusal(const file& f, errc code = errc::corrupt) {
  const auto v = gguf_view::of(f.view());
  REQUIRE_FALSE(v);
  CHECK(v.error().code == code);
  const std::string words = explain(v.error()).text;
  CHECK(words.size() < 255);  // nothing was cut off
  return words;
}

/// A file with one value; `fill` writes type and value.
file with_value(const std::function<void(file&)>& fill) {
  file f = file::head(0, 1);
  f.text("k");
  fill(f);
  return f;
}
file with_array(gguf_type type, std::uint64_t count, const std::string& elements) {
  return with_value([&](file& f) { f.u32(9).u32(static_cast<std::uint32_t>(type)).u64(count).bytes += elements; });
}
/// A file with one tensor, at byte 96 or wherever its table ends, and 64 bytes of numbers.
file with_tensor(std::initializer_list<std::uint64_t> dimensions, std::uint32_t type = floats,
                 std::uint64_t offset = 0) {
  return file::head(1, 0).tensor("t", dimensions, type, offset).align().zeros(64);
}
file with_tensors(std::initializer_list<std::uint64_t> offsets, const std::string& second_name = "b") {
  file f = file::head(offsets.size(), 0);
  std::size_t i = 0;
  for (const std::uint64_t at : offsets) f.tensor(i++ == 0 ? "a" : second_name, {8}, floats, at);
  return f.align().zeros(offsets.size() * 32);
}
file with_alignment(std::uint32_t n) { return file::head(0, 1).key("general.alignment", gguf_type::uint32).u32(n); }

}  // namespace

TEST_CASE("GGUF files of other kinds are refused", "[io]") {
  file other;
  other.bytes = "GGML1234";
  CHECK(refusal(other) == "ctlm: this is not a GGUF file: it does not begin with these letters");
  CHECK(refusal(file::head(0, 0, 1), errc::unsupported) ==
        "ctlm: this GGUF file has version 1 of the format; 2 and 3 are read");
  CHECK(refusal(file::head(0, 0, 4), errc::unsupported) ==
        "ctlm: this GGUF file has version 4 of the format; 2 and 3 are read");
  CHECK(refusal(file::head(0, 0, 3u << 24), errc::unsupported) ==
        "ctlm: this GGUF file has the highest byte of its numbers first: not read");
  CHECK(gguf_view::of(file::head(0, 0, 2).view()));
  CHECK(gguf_view::of(with_tensor({16}).view()));
}

TEST_CASE("GGUF files with counts that they cannot hold are refused", "[io]") {
  CHECK(refusal(file::head(huge, 0)) == "ctlm: this GGUF file would have 18446744073709551615 tensors, in 0 bytes");
  CHECK(refusal(file::head(0, huge)) ==
        "ctlm: this GGUF file would have 18446744073709551615 values of metadata, in 0 bytes");
  CHECK(refusal(file::head(2, 0).zeros(49)) == "ctlm: this GGUF file would have 2 tensors, in 49 bytes");
  CHECK(refusal(file::head(0, 2).zeros(27)) == "ctlm: this GGUF file would have 2 values of metadata, in 27 bytes");
  CHECK_THAT(refusal(file::head(0, 40'000).zeros(40'000 * 14), errc::unsupported),
             Catch::Contains("at most its own size and a megabyte are spent, 1560024"));
  CHECK_THAT(refusal(file::head(10'000, 0).zeros(10'000 * 25), errc::unsupported),
             Catch::Contains("at most its own size and a megabyte are spent, 1250024"));
}

TEST_CASE("GGUF files with bad keys are refused", "[io]") {
  auto key = [](const std::string& k) { return file::head(0, 1).key(k, gguf_type::uint64).u64(0).u64(0); };
  CHECK(refusal(key("")) == "ctlm: a name in this GGUF file is empty (at byte 32)");
  CHECK(refusal(key(std::string(65536, 'k'))) ==
        "ctlm: a name in this GGUF file is 65536 bytes long (at byte 32); 65535 are allowed");
  for (const char* bad : {"a\x80", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF5", "\xE2\x82"})
    CHECK_THAT(refusal(key(bad)), Catch::Contains("is not UTF-8 (at byte 32)"));
  for (const char* good : {"\xC2\x80", "\xE0\xA0\x80", "\xF4\x8F\xBF\xBF", "\xED\x9F\xBF"})
    CHECK(gguf_view::of(file::head(0, 1).key(good, gguf_type::uint8).number(std::uint8_t{1}).view()));
  CHECK(refusal(key("a\nb")) == "ctlm: the name a?b in this GGUF file holds a control character (at byte 32)");
  CHECK(refusal(file::head(0, 1).u64(huge).zeros(20), errc::truncated) ==
        "ctlm: this GGUF file is cut off: 18446744073709551615 bytes are expected at byte 32, 20 are there");
  CHECK(refusal(file::head(0, 2).key("k", gguf_type::uint8).zeros(1).key("k", gguf_type::uint8).zeros(1)) ==
        "ctlm: this GGUF file has two values called k (the second at byte 46)");
}

TEST_CASE("GGUF files with bad values are refused", "[io]") {
  CHECK(refusal(with_value([](file& f) { f.u32(13).u64(0); })) ==
        "ctlm: k in this GGUF file has a value of type 13 (at byte 33); types end at 12");
  CHECK(refusal(with_value([](file& f) { f.u32(7).number(std::uint8_t{2}); })) ==
        "ctlm: k in this GGUF file is neither true nor false: its byte 37 is 2, not 0 or 1");
  CHECK(refusal(with_value([](file& f) { f.u32(8).u64(9).zeros(8); }), errc::truncated) ==
        "ctlm: this GGUF file is cut off: 9 bytes are expected at byte 45, 8 are there");
  CHECK(refusal(with_value([](file& f) { f.u32(10).zeros(7); }), errc::truncated) ==
        "ctlm: this GGUF file is cut off: 8 bytes are expected at byte 37, 7 are there");
}

TEST_CASE("GGUF files with bad arrays are refused", "[io]") {
  CHECK(refusal(with_array(gguf_type::array, 1, std::string(24, '\0')), errc::unsupported) ==
        "ctlm: k in this GGUF file is an array of arrays (at byte 37), which is not read");
  CHECK(refusal(with_array(static_cast<gguf_type>(99), 1, "x")) ==
        "ctlm: k in this GGUF file has a value of type 99 (at byte 37); types end at 12");
  CHECK(refusal(with_array(gguf_type::uint32, huge / 4 + 2, std::string(8, '\0'))) ==
        "ctlm: the array k of this GGUF file would have 4611686018427387905 elements, in the 8 bytes that are left at "
        "byte 49");
  CHECK_THAT(refusal(with_array(gguf_type::string, 2, std::string(15, '\0'))),
             Catch::Contains("2 elements, in the 15"));
  CHECK(refusal(with_array(gguf_type::string, 1, std::string("\x02\0\0\0\0\0\0\0x", 9)), errc::truncated) ==
        "ctlm: this GGUF file is cut off: 2 bytes are expected at byte 57, 1 are there");
  CHECK(refusal(with_array(gguf_type::boolean, 3, std::string("\1\0\3", 3))) ==
        "ctlm: k in this GGUF file is neither true nor false: its byte 51 is 3, not 0 or 1");
  CHECK(gguf_view::of(with_array(gguf_type::float64, 0, "").view()));
}

TEST_CASE("GGUF files with an alignment that is none are refused", "[io]") {
  for (const std::uint32_t n : {0u, 1u, 4u, 24u, 33u, 48u, ~0u})
    CHECK(refusal(with_alignment(n)) ==
          "ctlm: this GGUF file's alignment is " + std::to_string(n) + "; a power of two from 8 on is needed");
  for (const std::uint32_t n : {8u, 16u, 32u, 4096u, 1u << 31}) CHECK(gguf_view::of(with_alignment(n).view()));
  CHECK(refusal(file::head(0, 1).key("general.alignment", gguf_type::int32).u32(32)) ==
        "ctlm: general.alignment (int32) in this GGUF file should be a uint32");
}

TEST_CASE("GGUF files with bad shapes are refused", "[io]") {
  CHECK(refusal(with_tensor({4, 1, 1, 1, 4})) ==
        "ctlm: tensor t of this GGUF file has 5 dimensions (at byte 33); 4 are allowed");
  CHECK(refusal(with_tensor({4, 0})) == "ctlm: tensor t of this GGUF file has a dimension of 0 (at byte 45)");
  CHECK(refusal(with_tensor({1ull << 32, 1ull << 32})) ==
        "ctlm: tensor t of this GGUF file (at byte 53) would have 2^63 bytes or more");
  CHECK_THAT(refusal(with_tensor({huge})), Catch::Contains("2^63 bytes or more"));
  CHECK_THAT(refusal(with_tensor({1ull << 61})), Catch::Contains("2^63 bytes or more"));
  CHECK_THAT(refusal(with_tensor({1ull << 32, 1ull << 32, 1ull << 32, 1ull << 32})),
             Catch::Contains("2^63 bytes or more"));
  CHECK(refusal(with_tensor({31}, blocks)) ==
        "ctlm: tensor t of this GGUF file has rows of 31 numbers, which are no whole blocks of 32 (at byte 45)");
  CHECK(refusal(with_tensor({}, blocks)) ==
        "ctlm: tensor t of this GGUF file has rows of 1 numbers, which are no whole blocks of 32 (at byte 37)");
  for (const std::uint32_t type : {4u, 5u, 9u, 16u, 24u, 31u, 34u, 99u, ~0u})
    CHECK(refusal(with_tensor({16}, type), errc::unsupported) ==
          "ctlm: tensor t of this GGUF file has encoding " + std::to_string(type) + " (at byte 45), which is not read");
}

TEST_CASE("GGUF files with tensors in bad places are refused", "[io]") {
  CHECK(refusal(with_tensor({16}, floats, 8)) ==
        "ctlm: tensor t of this GGUF file begins 8 bytes behind byte 64, which is no multiple of 32");
  CHECK(refusal(with_tensor({16}, floats, 96)) ==
        "ctlm: tensor t of this GGUF file would begin 96 bytes behind byte 64, where 64 bytes are");
  CHECK(refusal(with_tensor({16}, floats, huge - 31)) ==
        "ctlm: tensor t of this GGUF file would begin 18446744073709551584 bytes behind byte 64, where 64 bytes are");
  CHECK(refusal(with_tensor({17}), errc::truncated) ==
        "ctlm: this GGUF file is cut off: tensor t needs 68 bytes at byte 64, 64 are there");
  CHECK(refusal(with_tensor({16}, floats, 64), errc::truncated) ==
        "ctlm: this GGUF file is cut off: tensor t needs 64 bytes at byte 128, 0 are there");
  CHECK(refusal(with_tensors({0, 0})) ==
        "ctlm: tensor b of this GGUF file overlaps another: it begins at byte 96, and the other's bytes and padding "
        "end at byte 128");
  CHECK(refusal(with_tensors({32, 64}).zeros(32)) ==
        "ctlm: this GGUF file has a hole before tensor a, which begins at byte 128 and not at byte 96");
  CHECK(refusal(with_tensors({0, 32}).zeros(1)) ==
        "ctlm: this GGUF file goes on behind its tensors, which end at byte 160: it has 1 bytes more");
  CHECK(refusal(with_tensors({0, 32}, "a")) == "ctlm: this GGUF file has two tensors called a (the second at byte 65)");
  const file backwards = with_tensors({32, 0});
  const auto v = gguf_view::of(backwards.view()).value();
  CHECK(v.find("a")->bytes.data() == v.find("b")->bytes.data() + 32);
  CHECK(v.tensors()[0].name[0] == 'a');
}

TEST_CASE("GGUF files: tensors begin where the file's own alignment says", "[io]") {
  file f = file::head(2, 1).key("general.alignment", gguf_type::uint32).u32(128);
  f.tensor("a", {3}, floats, 0).tensor("b", {2}, floats, 128).align(128).number(1.0f).number(2.0f).number(3.0f);
  f.align(128).number(4.0f).number(5.0f);  // without padding behind the last
  const auto v = gguf_view::of(f.view()).value();
  float x[2];
  v.find("b")->decode(0, 2, x);
  CHECK((x[0] == 4 && x[1] == 5));
}

namespace {

/// Whose every size shows: a wrong dimension, encoding or count is more or less than there is room for.
file small_file() {
  file f = file::head(3, 4);
  f.key("general.architecture", gguf_type::string).text("llama");
  f.key("a.list", gguf_type::array).u32(8).u64(2).text("one").text("two");
  f.key("a.flag", gguf_type::boolean).number(std::uint8_t{1});
  f.key("a.size", gguf_type::uint32).u32(7);
  f.tensor("first", {32, 4}, floats, 0).tensor("second", {64, 8}, blocks, 512).tensor("third", {16}, floats, 800);
  return f.align();
}
std::string shapes(const gguf_view& v) {
  std::string s;
  for (const stored_tensor& t : v.tensors()) {
    for (std::size_t i = 0; i < t.rank; ++i) s += std::to_string(t.dimensions[i]) + " ";
    s += std::to_string(t.bytes.size()) + "; ";
  }
  return s;
}
/// Reads all that the view holds.
double touch(const gguf_view& v) {
  double sum = 0;
  for (const gguf_value& x : v.metadata().values()) {
    if (const auto n = x.as_number(); n) sum += *n;
    if (const auto s = x.as_string(); s)
      for (const char c : *s) sum += c;
    if (const auto a = x.as_array(); a)
      for (const gguf_value& e : *a)
        if (const auto s = e.as_string(); s) sum += static_cast<double>(s->size());
  }
  for (const stored_tensor& t : v.tensors()) {
    std::vector<float> x(t.count());
    t.decode(0, x.size(), x.data());
    sum += static_cast<double>(x.size());
  }
  return sum;
}

}  // namespace

TEST_CASE("a GGUF file that is cut off anywhere is refused", "[io]") {
  file whole = small_file();
  whole.zeros(864);
  REQUIRE(gguf_view::of(whole.view()));
  for (std::size_t n = 0; n < whole.bytes.size(); ++n) {
    const std::string part = whole.bytes.substr(0, n);  // of its own size: reading beyond it is seen by sanitizers
    const std::vector<char> exact(part.begin(), part.end());
    const auto v = gguf_view::of({reinterpret_cast<const std::byte*>(exact.data()), exact.size()});
    INFO(n);
    REQUIRE_FALSE(v);
    REQUIRE(std::string(explain(v.error()).text).starts_with("ctlm: "));
  }
}

TEST_CASE("a GGUF file with any bit of its head turned over is refused, or has the same shapes", "[io]") {
  const std::size_t head = small_file().bytes.size();
  file whole = small_file();
  whole.zeros(864);
  const std::string good = shapes(gguf_view::of(whole.view()).value());
  CHECK(good == "4 32 512; 8 64 288; 16 64; ");
  std::size_t accepted = 0;
  for (std::size_t i = 0; i < head; ++i)
    for (int bit = 0; bit < 8; ++bit) {
      file bad = whole;
      bad.bytes[i] = static_cast<char>(bad.bytes[i] ^ (1 << bit));
      const auto v = gguf_view::of(bad.view());
      if (!v) {
        REQUIRE(std::string(explain(v.error()).text).starts_with("ctlm: "));
        continue;
      }
      INFO(i << "." << bit);
      REQUIRE(shapes(*v) == good);
      REQUIRE(std::isfinite(touch(*v) * 0));
      ++accepted;
    }
  CHECK(accepted > 100);  // letters of names and strings
  CHECK(accepted < head * 8 / 2);
}

TEST_CASE("a GGUF file that is not there, or is a folder, is refused", "[io]") {
  scratch_folder folder;
  CHECK(gguf_file::open((folder / "none").c_str()).error().code == errc::not_found);
  CHECK(gguf_file::open(folder.path.c_str()).error().code == errc::io_error);
  put_contents(folder / "empty", "");
  CHECK(gguf_file::open((folder / "empty").c_str()).error().code == errc::truncated);
}
