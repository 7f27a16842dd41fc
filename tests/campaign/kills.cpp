// Savers that are killed at random moments, and savers that save to one file at once: every load finds one whole file.
//
//   CTLM_CAMPAIGN_KILLS    savers to kill (default 500)
//   CTLM_CAMPAIGN_SECONDS  how long two writers and a reader go on (default 2)
#include "../io/scratch.hpp"
#include "number_file.hpp"

#include <sys/wait.h>
#include <chrono>
#include <thread>

#include <csignal>

namespace {

using namespace ctlm;
using clock_type = std::chrono::steady_clock;

/// Runs f in a process of its own, which exits with its answer.
template <class F>
pid_t in_process(F f) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) ::_exit(f());
  return child;
}
int status_of(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

}  // namespace

TEST_CASE("savers killed at random moments never destroy a checkpoint, and the next save cleans up", "[campaign]") {
  scratch_folder folder;
  const std::string path = folder / "run.ctlm";
  const auto kills = static_cast<std::uint64_t>(setting("CTLM_CAMPAIGN_KILLS", 500));
  number_file state(0);
  REQUIRE(state.save(path.c_str()));
  rng random{20};  // the moments are random anyway: the machine is never twice as busy
  std::uint64_t latest = 0;
  std::size_t most_files = 0;
  for (std::uint64_t i = 1; i <= kills; ++i) {
    const pid_t saver = in_process([&] {
      for (std::uint64_t n = i << 32;; ++n) {
        state.set(n);
        if (!state.save(path.c_str())) return 1;
      }
    });
    std::this_thread::sleep_for(std::chrono::microseconds(random.below(6000)));
    ::kill(saver, SIGKILL);
    const int status = status_of(saver);
    REQUIRE(WIFSIGNALED(status));  // no save failed before
    const auto loaded = state.load(path.c_str());
    INFO(explain(loaded.error()).text);
    REQUIRE(loaded);
    REQUIRE(state.whole());
    REQUIRE(state.last >= latest);
    latest = state.last;
    most_files = std::max(most_files, folder.names().size());
  }
  CHECK(latest > 0);
  CHECK(most_files <= 2);  // what one killed saver left is gone before the next one leaves something
  REQUIRE(state.save(path.c_str()));
  CHECK(folder.names() == std::vector<std::string>{"run.ctlm"});
}

TEST_CASE("two processes that save to one file at once: every load is the whole work of one", "[campaign]") {
  scratch_folder folder;
  const std::string path = folder / "run.ctlm";
  const auto end = clock_type::now() + std::chrono::duration<double>(setting("CTLM_CAMPAIGN_SECONDS", 2));
  number_file state(0);
  REQUIRE(state.save(path.c_str()));
  auto writer = [&](std::uint64_t id) {
    return in_process([&, id] {
      for (std::uint64_t n = 1; clock_type::now() < end; ++n) {
        state.set(n << 8 | id);
        if (const auto r = state.save(path.c_str()); !r)
          return std::fprintf(stderr, "%s\n", explain(r.error()).text), 1;
      }
      return 0;
    });
  };
  const pid_t writers[] = {writer(1), writer(2)};
  std::size_t loads = 0, failed = 0, mixed = 0, seen[3] = {};
  std::uint64_t latest[3] = {}, back = 0;
  while (clock_type::now() < end) {
    ++loads;
    if (const auto r = state.load(path.c_str()); !r) {
      ++failed;
      WARN(explain(r.error()).text);
      continue;
    }
    mixed += !state.whole();
    const std::size_t id = state.last & 0xFF;
    REQUIRE(id < 3);
    ++seen[id];
    back += state.last < latest[id];
    latest[id] = state.last;
  }
  for (pid_t w : writers) CHECK(status_of(w) == 0);
  CHECK(failed == 0);
  CHECK(mixed == 0);
  CHECK(back == 0);  // of one writer, the newer after the older
  CHECK(loads > 10);
  CHECK(seen[1] + seen[2] > 0);
  CHECK(folder.names() == std::vector<std::string>{"run.ctlm"});
}

TEST_CASE("threads that save to one file at once: every load is the whole work of one", "[campaign][threads]") {
  scratch_folder folder;
  const std::string path = folder / "run.ctlm";
  REQUIRE(number_file(0, 999).save(path.c_str()));
  std::size_t failed[2] = {};
  auto writer = [&](std::size_t id) {
    return std::thread([&, id] {
      for (std::uint64_t n = 1; n <= 60; ++n) failed[id] += !number_file(n, 999).save(path.c_str());
    });
  };
  std::thread first = writer(0), second = writer(1);
  number_file state(0, 999);
  std::size_t bad = 0;
  for (int i = 0; i < 60; ++i) bad += !state.load(path.c_str()) || !state.whole();
  first.join();
  second.join();
  CHECK(failed[0] + failed[1] + bad == 0);
  CHECK(folder.names() == std::vector<std::string>{"run.ctlm"});
}
