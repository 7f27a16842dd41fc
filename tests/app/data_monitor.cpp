// Text from files, batches, the progress line and the picture of the loss.
#include "catch.hpp"

#include <ctlm/ctlm.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <thread>

#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

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

TEST_CASE("text comes from a file, or from the text files of a folder in order", "[app]") {
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

TEST_CASE("paths without text are refused", "[app]") {
  const folder f;
  f.write("empty", "");
  f.write("binary", std::string("\0\1\2", 3));
  CHECK(read_text((f.path / "missing").string()).error().code == errc::not_found);
  CHECK(read_text((f.path / "empty").string()).error().code == errc::invalid_argument);
  CHECK(read_text((f.path / "binary").string()).error().code == errc::invalid_argument);
  CHECK(read_text((f.path / "sub").string()).error().code == errc::invalid_argument);
  CHECK(read_text("/dev/zero").error().code == errc::invalid_argument);  // never ends
}

namespace {

std::string words(const result<std::string>& r) { return std::string(explain(r.error())); }

}  // namespace

TEST_CASE("what is wrong with a path is said in words", "[app]") {
  const folder f;
  f.write("empty", "");
  f.write("binary", std::string("\0\1\2", 3));
  f.write("ten", "0123456789");
  fs::create_symlink(f.path / "loop", f.path / "loop");
  auto at = [&](const char* name) { return (f.path / name).string(); };
  CHECK(words(read_text(at("missing"))) == "ctlm: no such file or folder");
  CHECK(words(read_text(at("ten/below"))) == "ctlm: no such file or folder");
  CHECK(words(read_text(at("empty"))) == "ctlm: the file is empty");
  CHECK(words(read_text(at("binary"))) == "ctlm: the file is not text");
  CHECK(words(read_text(at("sub"))) == "ctlm: the folder holds no text");
  CHECK(words(read_text("/dev/zero")) == "ctlm: neither a file nor a folder");
  CHECK(words(read_text(at("loop"))) == "ctlm: the links of this path lead in a circle");
  CHECK(words(read_text(std::string(100'000, 'x'))) == "ctlm: this path is too long");
  CHECK(*read_text(at("ten"), {}, 10) == "0123456789");
  CHECK(words(read_text(at("ten"), {}, 9)) == "ctlm: this text is longer than the 9 bytes that are read at most");
}

TEST_CASE("a folder's links, however they lead, and its depth do no harm; its size has a limit", "[app]") {
  const folder f;
  f.write("a.txt", "12345");
  f.write("sub/b.txt", "6789");
  fs::create_directory_symlink(f.path, f.path / "sub" / "up");
  fs::create_symlink(f.path / "self", f.path / "self");
  CHECK(*read_text(f.path.string()) == "123456789");
  CHECK(*read_text(f.path.string(), {}, 9) == "123456789");
  CHECK(words(read_text(f.path.string(), {}, 8)) == "ctlm: this text is longer than the 8 bytes that are read at most");
  fs::path deep = f.path / "deep";
  for (int i = 0; i < 400; ++i) deep /= "d";
  fs::create_directories(deep);
  std::ofstream(deep / "c.txt") << "x";
  CHECK(*read_text((f.path / "deep").string()) == "x");
}

TEST_CASE("a file of a folder that cannot be read is not passed over in silence", "[app]") {
  if (::geteuid() == 0) return;  // who may read everything
  const folder f;
  f.write("a.txt", "text");
  f.write("b.txt", "secret");
  fs::permissions(f.path / "b.txt", fs::perms::none);
  CHECK(words(read_text((f.path / "b.txt").string())) == "ctlm: permission denied");
  CHECK(words(read_text(f.path.string())) == "ctlm: a file of this folder cannot be read");
  fs::remove(f.path / "b.txt");
  fs::permissions(f.path / "sub", fs::perms::none);
  CHECK(words(read_text(f.path.string())) == "ctlm: permission denied");
  fs::permissions(f.path / "sub", fs::perms::owner_all);
}

TEST_CASE("a pipe that never ends is read up to the limit", "[app]") {
  const folder f;
  const std::string pipe = (f.path / "pipe").string();
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(words(read_text(f.path.string())) == "ctlm: the folder holds no text");  // nobody waits for a pipe in a folder
  const auto handler = std::signal(SIGPIPE, SIG_IGN);
  std::thread writer([&] {
    const int d = ::open(pipe.c_str(), O_WRONLY);
    const std::string block(1 << 16, 'x');
    while (::write(d, block.data(), block.size()) > 0) {
    }
    ::close(d);
  });
  const auto r = read_text(pipe, {}, 1 << 20);
  writer.join();
  std::signal(SIGPIPE, handler);
  CHECK(words(r) == "ctlm: this text is longer than the 1048576 bytes that are read at most");
}

#if CTLM_EXCEPTIONS
TEST_CASE("a batch that does not fit its sequences or its targets is refused, and nothing is written", "[app]") {
  std::vector<token> stream(100, 7), x(32, -5), y(32, -5);
  auto refusal = [](auto f) -> std::string {
    try {
      f();
    } catch (const error& e) {
      return e.what();
    }
    return "";
  };
  CHECK(refusal([&] { batch_sampler(stream, 0, 1); }) == "ctlm: a sequence has at least 1 token, not 0");
  CHECK(refusal([&] { batch_sampler(stream, 100, 1); }) ==
        "ctlm: the text is shorter than one sequence and the token after it: it has 100 tokens, and more than 100 are "
        "needed");
  batch_sampler b(stream, 16, 1);
  CHECK(refusal([&] { b.next(x, span<token>(y).first(31)); }) ==
        "ctlm: a batch of 32 tokens has as many targets, not 31");
  CHECK(refusal([&] { b.next(span<token>(x).first(17), y); }) ==
        "ctlm: a batch is made of sequences of 16 tokens; 17 are no multiple");
  CHECK(x == std::vector<token>(32, -5));
  CHECK(y == std::vector<token>(32, -5));
  CHECK(b.position == 0);
  b.next(x, y);
  CHECK(b.position == 2);
}
#endif

TEST_CASE("batches are windows of the stream, the same for the same seed and position", "[app]") {
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

TEST_CASE("the progress line says what a person wants to know", "[app]") {
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

TEST_CASE("the progress line and the metrics of a trainer that scales its loss say the scale", "[app]") {
  std::FILE* out = std::tmpfile();
  REQUIRE(out != nullptr);
  progress_monitor m(2, 100, out);
  scaled_step_result r{{2.0f, 0.5f, 1e-3f, 0}, 65536};
  m.step(r, 1);
  r.step = 1, r.skipped = true, r.loss_scale = 0x1p-32f;
  m.step(r, 1);
  std::rewind(out);
  std::string text(4096, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), out));
  std::fclose(out);
  CHECK_THAT(text, Catch::Contains("  loss scale 65536\n"));
  CHECK_THAT(text, Catch::EndsWith("  loss scale 2.32831e-10\n"));
  CHECK(to_json(r) ==
        "{\"step\": 1, \"loss\": 2.000000, \"gradient_norm\": 0.500000, \"lr\": 0.00100000, "
        "\"loss_scale\": 2.32830644e-10, \"skipped\": true}\n");
  r.loss_scale = 0x1p32f, r.skipped = false, r.loss = std::numeric_limits<float>::infinity();
  CHECK(to_json(r) ==
        "{\"step\": 1, \"loss\": null, \"gradient_norm\": 0.500000, \"lr\": 0.00100000, "
        "\"loss_scale\": 4.2949673e+09, \"skipped\": false}\n");
}

TEST_CASE("a step that was skipped takes no part in the mean of the progress line", "[app]") {
  std::FILE* out = std::tmpfile();
  progress_monitor m(5, 100, out);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  m.step({nan, nan, 1e-3f, 0, true}, 1);  // there is no loss yet
  m.step({2.0f, 0.5f, 1e-3f, 1}, 1);
  m.step({nan, nan, 1e-3f, 2, true}, 1);
  m.step({1e30f, nan, 1e-3f, 3, true}, 1);  // a finite loss whose gradients were not
  m.step({4.0f, 0.5f, 1e-3f, 4}, 1);
  std::rewind(out);
  std::string text(4096, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), out));
  std::fclose(out);
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1)
    lines.push_back(text.substr(at, text.find('\n', at) - at));
  REQUIRE(lines.size() == 5);
  CHECK_THAT(lines[0], Catch::Contains("loss nan"));
  for (std::size_t i : {1, 2, 3}) CHECK_THAT(lines[i], Catch::Contains("loss 2.0000"));
  CHECK_THAT(lines[4], Catch::Contains("loss 2.1000"));
}

TEST_CASE("the loss curve is a picture with axes, whatever the numbers", "[app]") {
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

TEST_CASE("the picture of the loss ends and is small, however extreme the numbers", "[app]") {
  using limits = std::numeric_limits<float>;
  const float values[] = {0.0f,
                          -0.0f,
                          1.0f,
                          -5.0f,
                          1e-30f,
                          1e30f,
                          -1e30f,
                          1e31f,
                          16777216.0f,
                          limits::max(),
                          limits::lowest(),
                          limits::min(),
                          limits::denorm_min(),
                          limits::infinity(),
                          -limits::infinity(),
                          limits::quiet_NaN()};
  const std::uint32_t steps[] = {0, 1, 7, 1'000'000, std::numeric_limits<std::uint32_t>::max()};
  for (float a : values)
    for (float b : values)
      for (std::uint32_t step : steps) {
        loss_curve c;
        c.training = {{0, a}, {step, b}, {step, a}};
        c.validation = {{step, a}, {0, b}};
        const std::string svg = c.svg("extreme\x01 & long " + std::string(300, 'x'));
        REQUIRE(svg.size() < 12'000);
        for (const char* bad : {"nan", "inf", "\x01"}) REQUIRE(svg.find(bad) == std::string::npos);
        REQUIRE(svg.ends_with("</svg>\n"));
      }
  loss_curve same;
  same.training.assign(1000, {5, limits::max()});
  const std::string svg = same.svg("same");
  CHECK(svg.size() < 60'000);
  CHECK(svg.find("inf") == std::string::npos);
}

TEST_CASE("metrics are JSON whatever the numbers", "[app]") {
  using limits = std::numeric_limits<float>;
  CHECK(to_json({limits::quiet_NaN(), limits::infinity(), -limits::infinity(), 3}) ==
        "{\"step\": 3, \"loss\": null, \"gradient_norm\": null, \"lr\": null}\n");
  const std::string large = to_json({limits::max(), limits::lowest(), limits::max(), ~std::size_t{0}});
  CHECK(large.ends_with("}\n"));
  CHECK_THAT(large, Catch::Contains("\"lr\": 340282346638528859811704183484516925440.00000000}"));
}

TEST_CASE("the progress line survives totals of nothing and numbers of any size", "[app]") {
  using limits = std::numeric_limits<float>;
  constexpr std::size_t most = ~std::size_t{0};
  std::FILE* out = std::tmpfile();
  REQUIRE(out != nullptr);
  for (std::size_t total : {std::size_t{0}, std::size_t{1}, most})
    for (std::size_t tokens : {std::size_t{0}, most}) {
      progress_monitor m(total, tokens, out);
      for (float loss : {limits::quiet_NaN(), limits::infinity(), limits::max(), limits::lowest(), 1.0f})
        for (std::size_t step : {std::size_t{0}, std::size_t{1}, most - 1, most})
          for (std::size_t every : {std::size_t{0}, std::size_t{1}, most}) m.step({loss, loss, loss, step}, every);
      m.note(std::string(1000, 'x'));
      CHECK(m.tokens_per_second() >= 0);
    }
  std::fclose(out);
}
