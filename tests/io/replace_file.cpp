// Replacing files: links, permissions, names, leftovers, limits. Faults of the disk are in tests/campaign.
#include "scratch.hpp"

#include <ctlm/ctlm.hpp>

#include <sys/resource.h>
#include <sys/wait.h>
#include <stdexcept>

namespace {

using namespace ctlm;

mode_t mode_of(const std::string& path) {
  struct stat s {};
  REQUIRE(::lstat(path.c_str(), &s) == 0);
  return s.st_mode;
}

/// What a writer of `target` leaves behind when it is killed.
std::string leave_temporary(const scratch_folder& folder, const std::string& target, bool short_name = false) {
  const std::string name = file_detail::temporary_name(file_detail::temporary_stem(target, short_name), 0);
  put_contents(folder / name, "half of a file");
  return name;
}

std::string refusal(const char* path) {
  const auto r = replace_file(path, std::string("new"));
  CHECK_FALSE(r);
  return explain(r.error()).text;
}

}  // namespace

TEST_CASE("replacing a file leaves the file and nothing else", "[io]") {
  scratch_folder folder;
  REQUIRE(replace_file((folder / "a").c_str(), std::string("old")));
  REQUIRE(replace_file((folder / "a").c_str(), std::string("new")));
  CHECK(contents_of(folder / "a") == "new");
  CHECK(folder.names() == std::vector<std::string>{"a"});
}

TEST_CASE("a file called like the temporary ones of old is not touched", "[io]") {
  scratch_folder folder;
  put_contents(folder / "a.tmp", "mine");
  put_contents(folder / "victim", "mine too");
  std::filesystem::create_symlink("victim", folder / "b.tmp");
  REQUIRE(replace_file((folder / "a").c_str(), std::string("new")));
  REQUIRE(replace_file((folder / "b").c_str(), std::string("new")));
  CHECK(contents_of(folder / "a.tmp") == "mine");
  CHECK(contents_of(folder / "victim") == "mine too");
  CHECK(folder.names() == std::vector<std::string>{"a", "a.tmp", "b", "b.tmp", "victim"});
}

TEST_CASE("a symbolic link stays, and what it points to is replaced", "[io]") {
  scratch_folder folder;
  std::filesystem::create_directory(folder / "runs");
  put_contents(folder / "runs/first", "old");
  std::filesystem::create_symlink("runs/first", folder / "relative");
  std::filesystem::create_symlink(std::filesystem::absolute(folder / "relative"), folder / "chain");
  for (const char* name : {"relative", "chain"}) {
    REQUIRE(replace_file((folder / name).c_str(), std::string(name)));
    CHECK(S_ISLNK(mode_of(folder / name)));
    CHECK(contents_of(folder / "runs/first") == name);
  }
  std::filesystem::create_symlink("runs/second", folder / "dangling");
  REQUIRE(replace_file((folder / "dangling").c_str(), std::string("new")));
  CHECK(S_ISLNK(mode_of(folder / "dangling")));
  CHECK(contents_of(folder / "runs/second") == "new");
  CHECK(folder.names() == std::vector<std::string>{"chain", "dangling", "relative", "runs"});

  std::filesystem::create_symlink("absent/file", folder / "nowhere");
  CHECK(refusal((folder / "nowhere").c_str()) == "ctlm: no such file or folder");
  std::filesystem::create_symlink("loop", folder / "loop");
  CHECK(refusal((folder / "loop").c_str()) == "ctlm: too many symbolic links lead to this file");
  std::filesystem::create_symlink("runs", folder / "to folder");
  CHECK(refusal((folder / "to folder").c_str()) == "ctlm: this is a folder, not a file");
}

TEST_CASE("permissions of a replaced file stay, those of a new one follow the umask", "[io]") {
  scratch_folder folder;
  const mode_t before = ::umask(027);
  const auto fresh = replace_file((folder / "new").c_str(), std::string("x"));
  ::umask(before);
  REQUIRE(fresh);
  CHECK((mode_of(folder / "new") & 0777) == 0640);
  for (mode_t mode : {mode_t{0600}, mode_t{0444}, mode_t{0666}}) {
    REQUIRE(::chmod((folder / "new").c_str(), mode) == 0);
    REQUIRE(replace_file((folder / "new").c_str(), std::string("y")));
    CHECK((mode_of(folder / "new") & 0777) == mode);
  }
}

TEST_CASE("what killed writers left is removed by the next one; what is in use, or of others, stays", "[io]") {
  scratch_folder folder;
  const std::string abandoned = leave_temporary(folder, "a"), with_short_name = leave_temporary(folder, "a", true);
  const std::string living = leave_temporary(folder, "a"), of_another_file = leave_temporary(folder, "aa");
  std::string of_another_host = abandoned;
  char& digit = of_another_host[std::string("a.tmp-").size()];
  digit = digit == '0' ? '1' : '0';
  put_contents(folder / of_another_host, "x");
  put_contents(folder / (abandoned + "x"), "x");
  put_contents(folder / "a.tmp-backup", "x");
  const ctlm::file_handle held(::open((folder / living).c_str(), O_WRONLY | O_CLOEXEC));
  REQUIRE(::flock(held.get(), LOCK_EX | LOCK_NB) == 0);

  REQUIRE(replace_file((folder / "a").c_str(), std::string("new")));
  std::vector<std::string> expected{"a", "a.tmp-backup", abandoned + "x", living, of_another_file, of_another_host};
  std::sort(expected.begin(), expected.end());
  CHECK(folder.names() == expected);
}

#if CTLM_EXCEPTIONS
TEST_CASE("a write that throws leaves the old file and nothing else", "[io]") {
  scratch_folder folder;
  const std::string path = folder / "a";
  REQUIRE(replace_file(path.c_str(), std::string("old")));
  const auto r = replace_file(path.c_str(), [](int) -> result<void> { throw std::bad_alloc(); });
  CHECK(r.error().code == errc::out_of_memory);
  CHECK_THROWS_AS(replace_file(path.c_str(), [](int) -> result<void> { throw std::runtime_error("stop"); }),
                  std::runtime_error);
  CHECK(contents_of(path) == "old");
  CHECK(folder.names() == std::vector<std::string>{"a"});
}
#endif

TEST_CASE("the file size limit is a failure with numbers, whatever the program does with its signal", "[io]") {
  scratch_folder folder;
  const std::string path = folder / "a";
  REQUIRE(replace_file(path.c_str(), std::string("old")));
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {  // the signal's default is to end the process
    ::signal(SIGXFSZ, SIG_DFL);
    rlimit small{};
    ::getrlimit(RLIMIT_FSIZE, &small);
    small.rlim_cur = 1000;
    ::setrlimit(RLIMIT_FSIZE, &small);
    const auto r = replace_file(path.c_str(), std::string(3000, 'x'));
    sigset_t now;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &now);
    const bool worded =
        std::string(explain(r.error()).text).find("3000 bytes were to be written, 1000") != std::string::npos;
    const bool restored = sigismember(&now, SIGXFSZ) == 0 && ::sigpending(&now) == 0 && sigismember(&now, SIGXFSZ) == 0;
    ::_exit((r.error().code == errc::disk_full ? 0 : 1) + (worded ? 0 : 2) + (restored ? 0 : 4));
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(contents_of(path) == "old");
  CHECK(folder.names() == std::vector<std::string>{"a"});
}

TEST_CASE("paths that name no file are refused in words", "[io]") {
  scratch_folder folder;
  CHECK(refusal(nullptr) == "ctlm: a file's path is a null pointer");
  CHECK(refusal("") == "ctlm: a file's path is empty");
  CHECK(refusal(folder.path.c_str()) == "ctlm: this is a folder, not a file");
  CHECK(refusal((folder / "..").c_str()) == "ctlm: this is a folder, not a file");
  CHECK(refusal((folder / "a/").c_str()) == "ctlm: this path ends in a slash: it names a folder, not a file");
  CHECK(refusal((folder.path + "/").c_str()) == "ctlm: this path ends in a slash: it names a folder, not a file");
  CHECK(refusal((folder / "absent/a").c_str()) == "ctlm: no such file or folder");
  put_contents(folder / "file", "");
  CHECK(refusal((folder / "file/a").c_str()) == "ctlm: a part of the path is not a folder");
  CHECK(refusal("/dev/null") == "ctlm: this is a device or a pipe, which cannot be replaced by a file");
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK(refusal((folder / "pipe").c_str()) == "ctlm: this is a device or a pipe, which cannot be replaced by a file");
  CHECK(folder.names() == std::vector<std::string>{"file", "pipe"});
}

TEST_CASE("a name is too long when the file system says so, not earlier", "[io]") {
  scratch_folder folder;
  const auto longest = static_cast<std::size_t>(::pathconf(folder.path.c_str(), _PC_NAME_MAX));
  for (std::size_t n : {longest - 40, longest - 1, longest}) {
    const std::string name(n, 'n');
    REQUIRE(replace_file((folder / name).c_str(), std::string("text")));
    CHECK(folder.names() == std::vector<std::string>{name});
    std::filesystem::remove(folder / name);
  }
  CHECK(refusal((folder / std::string(longest + 1, 'n')).c_str()) ==
        "ctlm: the file's name, or its path, is longer than the system allows");
}
