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

TEST_CASE("a checkpoint cut off anywhere, or with any bit changed, is refused and nothing is read", "[io]") {
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
    for (int bit = 1; bit <= 128; bit *= 2) {
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
}

namespace {

/// The words with which sections are refused, the same at writing and at reading; neither touches anything.
std::string refusal(const std::vector<checkpoint_section>& sections) {
  const auto written = write_checkpoint("never_written.ctlm", layout, sections);
  CHECK(written.error().code == errc::invalid_argument);
  CHECK_FALSE(std::ifstream("never_written.ctlm"));
  const auto read = read_checkpoint(path, layout, sections);
  CHECK(std::strcmp(explain(read.error()), explain(written.error())) == 0);
  return explain(written.error()).text;
}

/// The words with which a sound file is refused for these sections.
std::string mismatch(const std::vector<checkpoint_section>& sections) {
  const auto r = read_checkpoint(path, layout, sections);
  CHECK(r.error().code == errc::wrong_model);
  return explain(r.error()).text;
}

}  // namespace

TEST_CASE("sections that no file can hold are refused at writing, in words", "[io]") {
  const cleanup c;
  content saved;
  REQUIRE(write_checkpoint(path, layout, saved.sections()));
  char byte = 0;
  std::vector<std::string> names;
  for (int i = 0; i < 65; ++i) names.push_back("section " + std::to_string(i));
  std::vector<checkpoint_section> many;
  for (const std::string& name : names) many.push_back({name.c_str(), &byte, 1});
  CHECK(refusal(many) == "ctlm: a checkpoint has at most 64 sections, and 65 were given");
  many.pop_back();
  REQUIRE(write_checkpoint(path, layout, many));
  CHECK(read_checkpoint(path, layout, many));

  const std::string longest(39, 'n'), longer(40, 'n');
  CHECK(refusal({{longer.c_str(), &byte, 1}}) ==
        "ctlm: the name of a checkpoint's section has 40 characters, at most 39 fit: " + longer);
  CHECK(refusal({{"a", &byte, 1}, {nullptr, &byte, 1}}) == "ctlm: section number 1 of a checkpoint has no name");
  CHECK(refusal({{"", &byte, 1}}) == "ctlm: section number 0 of a checkpoint has no name");
  CHECK(refusal({{"a", &byte, 1}, {"b", &byte, 1}, {"a", &byte, 1}}) ==
        "ctlm: sections number 0 and 2 of a checkpoint have the same name: a");
  CHECK(refusal({{"a", nullptr, 4}}) == "ctlm: section a of a checkpoint has 4 bytes, but no memory");
  const std::size_t half = std::size_t(1) << (8 * sizeof(std::size_t) - 2);
  CHECK(refusal({{"a", &byte, half}, {"b", &byte, half}, {"c", &byte, 2 * half}}) ==
        "ctlm: the sections of a checkpoint are larger than memory can be: b has " + std::to_string(half) + " bytes");
  REQUIRE(
      write_checkpoint(path, layout, std::vector<checkpoint_section>{{longest.c_str(), &byte, 1}, {"b", nullptr, 0}}));
  CHECK(read_checkpoint(path, layout, std::vector<checkpoint_section>{{longest.c_str(), &byte, 1}, {"b", nullptr, 0}}));
}

TEST_CASE("a checkpoint that does not fit says which section, what was needed and what there is", "[io]") {
  const cleanup c;
  content saved;
  REQUIRE(write_checkpoint(path, layout, saved.sections()));
  auto sections = saved.sections();
  std::swap(sections[0], sections[1]);
  CHECK(mismatch(sections) ==
        "ctlm: this checkpoint belongs to another recipe: section weights is in another place than number 0");
  sections = saved.sections();
  sections[1].bytes = 8;
  CHECK(mismatch(sections) ==
        "ctlm: this checkpoint belongs to another recipe: section weights has 12 bytes, 8 are asked for");
  sections[1].name = "moments";
  CHECK(mismatch(sections) ==
        "ctlm: this checkpoint belongs to another recipe: among its 3 sections there is no moments "
        "(of 3 that are asked for)");
  sections = saved.sections();
  sections.pop_back();
  CHECK(mismatch(sections) == "ctlm: this checkpoint belongs to another recipe: it has 3 sections, 2 are asked for");
  CHECK(explain(read_checkpoint(path, 78, saved.sections()).error()).text ==
        std::string("ctlm: this checkpoint belongs to another model: its shape, activation or weight format differs "
                    "(fingerprint 77, this model's is 78)"));
  const std::string good = bytes_of(path);
  write_bytes(good.substr(0, good.size() - 11));
  CHECK(explain(read_checkpoint(path, layout, saved.sections()).error()).text ==
        std::string("ctlm: this checkpoint is cut off in its section number 1, which needs 12 bytes: 2 are there"));
}

TEST_CASE("a checkpoint from before failures had names still reads: the layout is the same", "[io]") {
  const cleanup c;
  content saved, read = blank();
  std::string file("CTLMCKPT");
  auto number = [&](std::uint64_t n) { file.append(reinterpret_cast<const char*>(&n), 8); };
  for (std::uint64_t n : {std::uint64_t(2), layout, std::uint64_t(3)}) number(n);
  for (const auto& s : saved.sections()) {
    file += std::string(s.name) + std::string(40 - std::strlen(s.name), '\0');
    number(s.bytes);
  }
  for (const auto& s : saved.sections()) file.append(static_cast<const char*>(s.data), s.bytes);
  checksum sum;
  sum.add(file.data(), file.size());
  number(sum.value());
  write_bytes(file);
  REQUIRE(read_checkpoint(path, layout, read.sections()));
  CHECK(read == saved);
  REQUIRE(write_checkpoint(path, layout, saved.sections()));
  CHECK(bytes_of(path) == file);
}
