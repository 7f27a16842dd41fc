// Checkpoints in memory: the bytes of the file, and what is refused leaves everything as it was.
#include "catch.hpp"

#include <ctlm/ctlm.hpp>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

using namespace ctlm;

namespace {

struct tiny {
  static constexpr gpt2_config config{.vocab = 16, .d_model = 8, .layers = 1, .heads = 2, .context = 8};
};
struct recipe {
  static constexpr train_config config{.batch = 2};
};
using tiny_trainer = trainer<causal_lm<tiny>, recipe>;

constexpr const char* path = "checkpoint_bytes_test.ctlm";

/// A run of some steps, with sections of sizes that are no multiples of a word.
struct run {
  heap_arena memory{tiny_trainer::train_bytes};
  tiny_trainer trainer{memory, {}};
  char note[13] = "not multiple";
  std::uint64_t position = 0;

  explicit run(std::size_t steps) {
    for (std::size_t i = 0; i < steps; ++i) step();
  }
  float step() {
    token inputs[tiny_trainer::step_tokens], targets[tiny_trainer::step_tokens];
    for (std::size_t i = 0; i < tiny_trainer::step_tokens; ++i) {
      inputs[i] = static_cast<token>((position + i) * 7 % 16);
      targets[i] = static_cast<token>((position + i + 1) * 7 % 16);
    }
    ++position;
    return trainer.step(inputs, targets).loss;
  }
  std::vector<checkpoint_section> sections() {
    return {{"note", note, sizeof note}, {"position", &position, sizeof position}};
  }
  std::string bytes() {
    std::string all;
    const auto put = [&](const void* data, std::size_t n) { all.append(static_cast<const char*>(data), n); };
    REQUIRE(put_checkpoint(trainer, sections(), put));
    return all;
  }
  result<void> take(const std::string& from) {
    return take_checkpoint({reinterpret_cast<const std::byte*>(from.data()), from.size()}, trainer, sections());
  }
};

std::string file() {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("a checkpoint in memory is the file's, byte for byte", "[io]") {
  run r(3);
  REQUIRE(save_checkpoint(path, r.trainer, r.sections()));
  CHECK(r.bytes() == file());

  run from_file(0), from_memory(0);
  REQUIRE(load_checkpoint(path, from_file.trainer, from_file.sections()));
  REQUIRE(from_memory.take(file()));
  const float next = r.step();
  CHECK(from_file.step() == next);
  CHECK(from_memory.step() == next);
  std::remove(path);
}

TEST_CASE("a checkpoint in memory that is cut off, changed or another's is refused, and nothing is touched", "[io]") {
  run saved(2), other(1);
  const std::string good = saved.bytes(), before = other.bytes();
  for (std::size_t n = 0; n < good.size(); n += n < 300 ? 1 : 97) {
    INFO(n);
    CHECK(!other.take(good.substr(0, n)));
    std::string changed = good;
    changed[n] = static_cast<char>(changed[n] ^ 4);
    CHECK(!other.take(changed));
  }
  CHECK(!other.take(good + "x"));
  CHECK(other.take(good.substr(0, good.size() - 9)).error().code == errc::truncated);
  std::string damaged = good;
  damaged[good.size() / 2] ^= 1;
  CHECK(other.take(damaged).error().code == errc::corrupt);

  run fewer(0);
  const auto alone = span<const std::byte>(reinterpret_cast<const std::byte*>(good.data()), good.size());
  CHECK(take_checkpoint(alone, fewer.trainer, {}).error().code == errc::wrong_model);
  CHECK(other.bytes() == before);
}
