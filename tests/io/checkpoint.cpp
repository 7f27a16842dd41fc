// Checkpoints: nothing damaged is read, nothing good is lost.
#include "catch.hpp"

#include <ctlm/ctlm.hpp>

#include <sys/resource.h>
#include <sys/stat.h>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include <csignal>

using namespace ctlm;

namespace {

struct content {
  std::uint64_t number = 0x0123456789ABCDEF;
  std::vector<float> weights = {1.5f, -2.5f, 3.25f};
  char letter = 'x';

  std::vector<checkpoint_section> sections() {
    return {{"number", &number, sizeof number},
            {"weights", weights.data(), weights.size() * sizeof(float)},
            {"letter", &letter, 1}};
  }
  bool operator==(const content&) const = default;
};

constexpr const char* path = "checkpoint_test.ctlm";
constexpr std::uint64_t layout = 77;

struct cleanup {
  ~cleanup() { std::remove(path); }
};

std::string bytes_of(const char* file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void write_bytes(const std::string& bytes) { std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes; }

content blank() { return {.number = 0, .weights = {0, 0, 0}, .letter = 0}; }

}  // namespace

TEST_CASE("a checkpoint reads back what was written", "[io]") {
  const cleanup c;
  content saved, read = blank();
  REQUIRE(write_checkpoint(path, layout, saved.sections()));
  REQUIRE(read_checkpoint(path, layout, read.sections()));
  CHECK(read == saved);
}

TEST_CASE("a checkpoint cut off anywhere, or with any byte changed, is refused and nothing is read", "[io]") {
  const cleanup c;
  content saved;
  REQUIRE(write_checkpoint(path, layout, saved.sections()));
  const std::string good = bytes_of(path);
  for (std::size_t n = 0; n < good.size(); ++n) {
    write_bytes(good.substr(0, n));
    content read = blank();
    const auto r = read_checkpoint(path, layout, read.sections());
    REQUIRE_FALSE(r);
    REQUIRE((r.error().code == errc::truncated || r.error().code == errc::corrupt));
    REQUIRE(read == blank());
  }
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (int bit : {1, 128}) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ bit);
      write_bytes(bad);
      content read = blank();
      REQUIRE_FALSE(read_checkpoint(path, layout, read.sections()));
      REQUIRE(read == blank());
    }
  }
  write_bytes(good + "x");
  content read = blank();
  CHECK(read_checkpoint(path, layout, read.sections()).error().code == errc::corrupt);
}

TEST_CASE("foreign files and other models have errors of their own", "[io]") {
  const cleanup c;
  content saved;
  REQUIRE(write_checkpoint(path, layout, saved.sections()));
  CHECK(read_checkpoint(path, layout + 1, saved.sections()).error().code == errc::wrong_model);
  auto fewer = saved.sections();
  fewer.pop_back();
  CHECK(read_checkpoint(path, layout, fewer).error().code == errc::wrong_model);
  auto renamed = saved.sections();
  renamed[1].name = "other";
  CHECK(read_checkpoint(path, layout, renamed).error().code == errc::wrong_model);
  write_bytes("GGUF, a file of another program, long enough to have a header of some kind");
  CHECK(read_checkpoint(path, layout, saved.sections()).error().code == errc::corrupt);
  CHECK(read_checkpoint("no/such/file", layout, saved.sections()).error().code == errc::not_found);
  CHECK(read_checkpoint("/", layout, saved.sections()).error().code == errc::io_error);
  CHECK(write_checkpoint("no/such/folder/file", layout, saved.sections()).error().code == errc::not_found);
}

TEST_CASE("a full disk leaves the old checkpoint as it was", "[io]") {
  const cleanup c;
  content saved;
  REQUIRE(write_checkpoint(path, layout, saved.sections()));
  const std::string before = bytes_of(path);
  std::vector<char> large(3 << 20, 'y');
  const std::vector<checkpoint_section> more{{"large", large.data(), large.size()}};
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1 << 20, old.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const auto r = write_checkpoint(path, layout, more);
  setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  REQUIRE_FALSE(r);
  CHECK(r.error().code == errc::disk_full);
  CHECK(bytes_of(path) == before);
  CHECK_FALSE(std::ifstream(std::string(path) + ".tmp"));
}
