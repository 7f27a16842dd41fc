// Reading files: sizes are believed only within limits, and only regular files are read.
#include "scratch.hpp"

#include <ctlm/ctlm.hpp>

namespace {

using namespace ctlm;

std::string refusal(const std::string& path, std::size_t most = largest_read) {
  const auto r = read_file(path.c_str(), most);
  CHECK_FALSE(r);
  return explain(r.error()).text;
}

}  // namespace

TEST_CASE("a file is read whole, up to a limit", "[io]") {
  scratch_folder folder;
  for (std::size_t n : {std::size_t(0), std::size_t(1), std::size_t(4096), std::size_t(100'000)}) {
    const std::string text(n, 't');
    put_contents(folder / "a", text);
    CHECK(read_file((folder / "a").c_str()).value() == text);
    CHECK(read_file((folder / "a").c_str(), n).value() == text);
  }
  CHECK(refusal(folder / "a", 99'999) ==
        "ctlm: this file is too large to be read at once: it has 100000 bytes or more, the limit is 99999");
}

TEST_CASE("a file that says it is enormous is refused before memory is asked for", "[io]") {
  scratch_folder folder;
  put_contents(folder / "sparse", "x");
  if (::truncate((folder / "sparse").c_str(), off_t(8) << 40) != 0) {
    WARN("SKIPPED: no sparse files of 8 TiB here");
    return;
  }
  CHECK(refusal(folder / "sparse") ==
        "ctlm: this file is too large to be read at once: it has 8796093022208 bytes or more, the limit is 1073741824");
  std::uint64_t number = 0;
  const std::vector<checkpoint_section> one{{"number", &number, 8}};
  CHECK(read_checkpoint((folder / "sparse").c_str(), 1, one).error().code == errc::corrupt);
}

TEST_CASE("devices, pipes and folders are not read", "[io]") {
  scratch_folder folder;
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  const std::string words = "ctlm: this is a device or a pipe, not a file";
  for (const std::string& path : {std::string("/dev/zero"), std::string("/dev/null"), folder / "pipe"}) {
    CHECK(refusal(path) == words);
    CHECK(explain(mapped_file::open(path.c_str()).error()).text == words);
    std::uint64_t number = 0;
    const std::vector<checkpoint_section> one{{"number", &number, 8}};
    CHECK(explain(read_checkpoint(path.c_str(), 1, one).error()).text == words);
  }
  CHECK(refusal(folder.path) == "ctlm: this is a folder, not a file");
  CHECK(refusal("") == "ctlm: a file's path is empty");
  CHECK(read_file(nullptr).error().code == errc::invalid_argument);
  CHECK(mapped_file::open(nullptr).error().code == errc::invalid_argument);
}

TEST_CASE("a file whose size the system does not tell is read all the same", "[io]") {
  if (!std::filesystem::exists("/proc/self/status")) {
    WARN("SKIPPED: this system has no /proc/self/status");
    return;
  }
  CHECK_THAT(read_file("/proc/self/status").value(), Catch::Contains("Pid:"));
  CHECK(refusal("/proc/self/status", 100).find("the limit is 100") != std::string::npos);
}
