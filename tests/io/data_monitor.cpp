// Text from files, batches, the progress line and the picture of the loss.
#include "catch.hpp"

#include <ctlm/ctlm.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

namespace fs = std::filesystem;
using namespace ctlm;

namespace {

struct folder {
  fs::path path = fs::temp_directory_path() / ("ctlm_data_test_" + std::to_string(::getpid()));
  folder() { fs::create_directories(path / "sub"); }
  ~folder() { fs::remove_all(path); }
  void write(const char* name, const std::string& text) const { std::ofstream(path / name, std::ios::binary) << text; }
};

}  // namespace

TEST_CASE("text comes from a file, or from the text files of a folder in order", "[io]") {
  const folder f;
  f.write("b.txt", "second ");
  f.write("a.cpp", "first ");
  f.write("sub/c.txt", "third");
  f.write(".hidden", "never");
  f.write("binary", std::string("\0\1\2", 3));
  CHECK(*read_text((f.path / "b.txt").string()) == "second ");
  CHECK(*read_text(f.path.string()) == "first second third");
  static constexpr std::string_view only[] = {".txt"};
  CHECK(*read_text(f.path.string(), only) == "second third");
}

TEST_CASE("paths without text are refused", "[io]") {
  const folder f;
  f.write("empty", "");
  f.write("binary", std::string("\0\1\2", 3));
  CHECK(read_text((f.path / "missing").string()).error().code == errc::not_found);
  CHECK(read_text((f.path / "empty").string()).error().code == errc::invalid_argument);
  CHECK(read_text((f.path / "binary").string()).error().code == errc::invalid_argument);
  CHECK(read_text((f.path / "sub").string()).error().code == errc::invalid_argument);
  CHECK(read_text("/dev/zero").error().code == errc::invalid_argument);  // never ends
}

TEST_CASE("batches are windows of the stream, the same for the same seed and position", "[io]") {
  std::vector<token> stream(1000);
  for (std::size_t i = 0; i < stream.size(); ++i) stream[i] = static_cast<token>(i);
  batch_sampler a(stream, 16, 5), b(stream, 16, 5), c(stream, 16, 6);
  std::vector<token> x(64), y(64), x2(64), y2(64);
  a.next(x, y);
  for (std::size_t i = 0; i < 64; ++i) {
    CHECK(y[i] == x[i] + 1);
    if (i % 16 != 0) CHECK(x[i] == x[i - 1] + 1);
  }
  a.next(x, y);
  b.position = 4;
  b.next(x2, y2);
  CHECK(x == x2);
  c.position = 4;
  c.next(x2, y2);
  CHECK(x != x2);
  CHECK(x[0] != x[16]);
#if CTLM_EXCEPTIONS
  CHECK_THROWS_AS(batch_sampler(stream, 1000, 1), error);
#endif
}

TEST_CASE("the progress line says what a person wants to know", "[io]") {
  std::FILE* out = std::tmpfile();
  REQUIRE(out != nullptr);
  progress_monitor m(10, 100, out);
  for (std::size_t s = 0; s < 10; ++s) m.step({2.0f, 0.5f, 1e-3f, s}, 5);
  std::rewind(out);
  std::string text(4096, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), out));
  std::fclose(out);
  CHECK(std::count(text.begin(), text.end(), '\n') == 3);  // the first, the sixth and the last
  for (const char* word : {"step    10/10", "loss 2.0000", "perplexity     7.39", "lr 1.00e-03", "gradient norm  0.500",
                           "tokens/s", "ETA 0:00"})
    CHECK_THAT(text, Catch::Contains(word));
  CHECK(to_json({2.0f, 0.5f, 1e-3f, 7}) ==
        "{\"step\": 7, \"loss\": 2.000000, \"gradient_norm\": 0.500000, \"lr\": 0.00100000}\n");
}

TEST_CASE("the loss curve is a picture with axes, whatever the numbers", "[io]") {
  loss_curve c;
  for (std::uint32_t s = 0; s < 50; ++s) c.training.push_back({s, 5.0f / static_cast<float>(s + 1)});
  c.validation = {{10, 1.0f}, {49, 0.5f}};
  const std::string svg = c.svg("a < b & c");
  CHECK_THAT(svg, Catch::Contains("</svg>"));
  CHECK_THAT(svg, Catch::Contains("a &lt; b &amp; c"));
  CHECK_THAT(svg, Catch::Contains("validation loss"));
  CHECK(svg.find("nan") == std::string::npos);
  for (const auto& points : {std::vector<loss_point>{}, {{0, 1.0f}}, {{0, 1.0f}, {1, 1.0f}}, {{3, std::nanf("")}}}) {
    loss_curve odd;
    odd.training = points;
    const std::string picture = odd.svg("odd");
    CHECK(picture.find("nan") == std::string::npos);
    CHECK(picture.find("inf") == std::string::npos);
    CHECK(picture.size() < 20000);
  }
}
