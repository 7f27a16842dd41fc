// Models for other programs, flash images and tokenizers that two processes write to one file at once: every load finds
// the whole work of one of them.
#include "../io/scratch.hpp"

#include <ctlm/ctlm.hpp>

#include <sys/wait.h>
#include <chrono>
#include <cstring>

namespace {

using namespace ctlm;
using clock_type = std::chrono::steady_clock;

struct small_model {
  static constexpr llama_config config{
      .vocab = 300, .d_model = 64, .layers = 3, .heads = 4, .kv_heads = 2, .d_ff = 96, .context = 16};
};
using M = causal_lm<small_model, weights<bf16>>;  // numbers that no writer changes

/// Weights that are all the same number: a mixture of two is seen at once.
struct model_of_one_number {
  heap_arena memory{M::weight_bytes};
  M::weights weights{memory};

  explicit model_of_one_number(float x) { set(x); }
  void set(float x) {
    weights.for_each([&](const tensor_info& t, auto values) {
      if constexpr (std::is_same_v<decltype(values), span<float>>)
        std::fill(values.begin(), values.end(), x);
      else
        std::fill(values.data, values.data + t.size(), bf16::from(x));
    });
  }
  /// The number, or 0 if there are several.
  float only() const {
    float first = 0;
    bool same = true, begun = false;
    auto take = [&](float x) {
      if (!begun) first = x;
      begun = true;
      same = same && x == first;
    };
    weights.for_each([&](const tensor_info& t, auto values) {
      if constexpr (std::is_same_v<decltype(values), span<float>>)
        for (const float x : values) take(x);
      else
        for (std::size_t i = 0; i < t.size(); ++i) take(static_cast<float>(values.data[i]));
    });
    return same ? first : 0;
  }
};

/// Two processes write, each its own number again and again, for a second; this one reads meanwhile.
template <class Write, class Read>
void write_at_once(const std::string& path, Write write, Read read) {
  REQUIRE(write(path, 1.0f));
  const auto end = clock_type::now() + std::chrono::milliseconds(1000);
  pid_t writers[2];
  for (int i = 0; i < 2; ++i) {
    writers[i] = ::fork();
    REQUIRE(writers[i] >= 0);
    if (writers[i] != 0) continue;
    while (clock_type::now() < end)
      if (!write(path, static_cast<float>(2 + i))) ::_exit(1);
    ::_exit(0);
  }
  std::size_t loads = 0, seen[4] = {};
  while (clock_type::now() < end) {
    const float x = read(path);
    REQUIRE(x >= 1);
    REQUIRE(x <= 3);
    ++seen[static_cast<std::size_t>(x)];
    ++loads;
  }
  for (const pid_t w : writers) {
    int status = 0;
    while (::waitpid(w, &status, 0) < 0 && errno == EINTR) {
    }
    CHECK(status == 0);
  }
  CHECK(loads > 5);
  CHECK(seen[2] + seen[3] > 0);
}

/// The same of a file of weights: save(path, weights), load(path, weights).
template <class Save, class Load>
void write_weights_at_once(const std::string& path, Save save, Load load) {
  model_of_one_number mine(0), read(0);
  write_at_once(
      path,
      [&](const std::string& to, float x) {
        mine.set(x);
        return static_cast<bool>(save(to.c_str(), mine.weights));
      },
      [&](const std::string& from) {
        read.set(0);
        const result<void> r = load(from.c_str(), read.weights);
        INFO(explain(r.error()).text);
        REQUIRE(r);
        return read.only();
      });
}

result<void> load_image(const char* path, const M::weights& to) {
  const auto file = mapped_file::open(path);
  if (!file) return file.error();
  const auto bound = bind_image<M>(file->bytes());
  if (!bound) return bound.error();
  std::memcpy(to.bytes().data(), bound->bytes().data(), to.bytes().size());
  return {};
}

}  // namespace

TEST_CASE("two processes that write one model at once: every load is the whole work of one", "[campaign]") {
  const scratch_folder folder;
  const auto from_safetensors = [](const char* path, const M::weights& w) { return load_safetensors<M>(path, w); };
  write_weights_at_once(
      folder / "model.gguf",
      [](const char* path, const M::weights& w) { return save_gguf<M>(path, w, {.encoding = gguf_encoding::bf16}); },
      [](const char* path, const M::weights& w) { return load_gguf<M>(path, w); });
  write_weights_at_once(
      folder / "model.safetensors",
      [](const char* path, const M::weights& w) { return save_weights(path, w, safetensors_type::bf16); },
      from_safetensors);
  write_weights_at_once(
      folder / "model.ctlm", [](const char* path, const M::weights& w) { return write_image<M>(path, w); }, load_image);
  CHECK(folder.names() == std::vector<std::string>{"model.ctlm", "model.gguf", "model.safetensors"});
  write_weights_at_once(
      folder / "folder",
      [](const char* path, const M::weights& w) { return save_hf<M>(path, w, safetensors_type::bf16); },
      from_safetensors);
}

TEST_CASE("two processes that write one tokenizer at once: every file is the whole work of one", "[campaign]") {
  const scratch_folder folder;
  auto write = [](const std::string& path, float x) {
    const std::string text(40, static_cast<char>('a' + static_cast<int>(x)));
    return static_cast<bool>(save_hf_tokenizer(path.c_str(), bpe::train(text.c_str(), 258), {.eos = 10}));
  };
  std::string whole[4];
  for (int x = 1; x <= 3; ++x) {
    REQUIRE(write(folder / "expected", static_cast<float>(x)));
    whole[x] = contents_of(folder / "expected/tokenizer.json");
    REQUIRE(whole[x] != whole[x - 1]);
  }
  write_at_once(folder / "words", write, [&](const std::string& path) {
    const std::string read = contents_of(path + "/tokenizer.json");
    for (int x = 1; x <= 3; ++x)
      if (read == whole[x]) return static_cast<float>(x);
    return 0.0f;
  });
}
