// Others at work in the same folder while a file is saved or loaded: what they change, remove or plant in the worst
// moment.
#include "../io/scratch.hpp"
#include "faults.hpp"
#include "number_file.hpp"

#include <cstring>

namespace {

using namespace ctlm;

struct small_model {
  static constexpr gpt2_config config{.vocab = 5, .d_model = 16, .layers = 2, .heads = 2, .context = 8};
};
struct recipe {
  static constexpr train_config config{.batch = 1};
};

}  // namespace

TEST_CASE("a file that changes in place while it is read does not pass for a sound one", "[campaign]") {
  scratch_folder folder;
  const std::string path = folder / "run.ctlm";
  REQUIRE(number_file(1, 1000).save(path.c_str()));
  const std::string good = contents_of(path);
  for (int seek = 1; seek <= 2; ++seek)  // before the file is verified, and between that and filling the sections
    for (std::size_t at : {std::size_t(20), std::size_t(33), good.size() / 2, good.size() - 1}) {
      put_contents(path, good);
      int seeks = 0;
      faults.before = [&](const char* call, const char*) {
        if (std::strcmp(call, "seek") != 0 || ++seeks != seek) return;
        std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
        file.seekp(static_cast<std::streamoff>(at));
        file.put('\x55');
      };
      number_file read(0, 1000);
      bool half = false;
      faults.arm(fault_plan::never, 0);
      const auto r = read_checkpoint(path.c_str(), number_file::layout, read.sections(), number_file::layout, &half);
      faults.disarm();
      faults.before = nullptr;
      CHECK_FALSE(r);
      CHECK(half == (seek == 2));
    }
}

#if CTLM_EXCEPTIONS
TEST_CASE("a trainer that is half loaded neither steps nor is saved, until it is loaded", "[campaign]") {
  using T = trainer<causal_lm<small_model>, recipe>;
  scratch_folder folder;
  const std::string path = folder / "run.ctlm";
  heap_arena memory(T::train_bytes);
  T t(memory, {});
  const std::vector<token> tokens(T::step_tokens, 1);
  t.step(tokens, tokens);
  REQUIRE(save_checkpoint(path.c_str(), t));
  int seeks = 0;
  bool damaged = false;
  faults.before = [&](const char* call, const char*) {
    seeks += std::strcmp(call, "seek") == 0;
    if (seeks == 2 && std::strcmp(call, "read") == 0 && !damaged) {
      damaged = true;
      std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
      file.seekp(3000);
      file.put('\x55');
    }
  };
  faults.arm(fault_plan::never, 0);
  const auto r = load_checkpoint(path.c_str(), t);
  faults.disarm();
  faults.before = nullptr;
  REQUIRE_FALSE(r);
  CHECK_THAT(std::string(explain(r.error())), Catch::Contains("a mixture of old and new"));
  CHECK_FALSE(t.usable());
  CHECK_THROWS_WITH(t.step(tokens, tokens), Catch::Contains("half loaded"));
  CHECK_THROWS_WITH(t.evaluate(tokens, tokens), Catch::Contains("half loaded"));
  CHECK_THAT(std::string(explain(save_checkpoint((folder / "other").c_str(), t).error())),
             Catch::Contains("half loaded"));
  CHECK(load_checkpoint(path.c_str(), t).error().code == errc::corrupt);
  CHECK_FALSE(t.usable());  // nothing was read: still half loaded

  heap_arena fresh_memory(T::train_bytes);
  T fresh(fresh_memory, {});
  REQUIRE(save_checkpoint(path.c_str(), fresh));
  REQUIRE(load_checkpoint(path.c_str(), t));
  t.step(tokens, tokens);
}
#endif

TEST_CASE("a link or file that somebody plants under the temporary name is neither followed nor used", "[campaign]") {
  scratch_folder folder;
  const std::string path = folder / "run.ctlm";
  put_contents(folder / "victim", "precious");
  int planted = 0;
  faults.before = [&](const char* call, const char* name) {
    if (std::strcmp(call, "create") == 0 && planted++ < 3) std::filesystem::create_symlink("victim", folder / name);
  };
  faults.arm(fault_plan::never, 0);
  const auto r = number_file(5, 100).save(path.c_str());
  faults.disarm();
  faults.before = nullptr;
  CHECK(r);
  CHECK(planted == 4);
  CHECK(contents_of(folder / "victim") == "precious");
  CHECK(number_file(0, 100).load(path.c_str()));
}

TEST_CASE("a temporary file that is taken for an abandoned one before it is locked is made again", "[campaign]") {
  scratch_folder folder;
  const std::string path = folder / "run.ctlm";
  std::string name;
  int locks = 0;
  faults.before = [&](const char* call, const char* created) {
    if (std::strcmp(call, "create") == 0) name = created;
    if (std::strcmp(call, "lock") == 0 && locks++ < 2) std::filesystem::remove(folder / name);
  };
  faults.arm(fault_plan::never, 0);
  const auto r = number_file(5, 100).save(path.c_str());
  faults.disarm();
  faults.before = nullptr;
  CHECK(r);
  CHECK(locks == 3);
  CHECK(number_file(0, 100).load(path.c_str()));
  CHECK(folder.names() == std::vector<std::string>{"run.ctlm"});
}

TEST_CASE("where a file system has no locks, files are replaced all the same", "[campaign]") {
  scratch_folder folder;
  const std::string path = folder / "run.ctlm";
  REQUIRE(number_file(4, 100).save(path.c_str()));
  int calls = 0, lock = -1;
  faults.before = [&](const char* call, const char*) {
    if (std::strcmp(call, "lock") == 0) lock = calls;
    ++calls;
  };
  faults.arm(fault_plan::never, 0);
  REQUIRE(number_file(5, 100).save(path.c_str()));
  faults.disarm();
  faults.before = nullptr;
  faults.arm(lock, ENOLCK);
  const auto r = number_file(6, 100).save(path.c_str());
  faults.disarm();
  CHECK(r);
  CHECK(folder.names() == std::vector<std::string>{"run.ctlm"});
}
