// Every allocation of the functions that read, write, tokenise and draw fails once: they say so, leave nothing behind
// in the heap or open, and no file half written.
#include "catch.hpp"

#include "../heap.hpp"
#include "../model/models.hpp"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <unistd.h>

#if CTLM_EXCEPTIONS

namespace fs = std::filesystem;
using namespace ctlm;

namespace {

struct folder {
  fs::path path = fs::temp_directory_path() / ("ctlm_allocation_test_" + std::to_string(::getpid()));
  folder() { fs::create_directories(path); }
  ~folder() { fs::remove_all(path); }
  std::string at(const char* name) const { return (path / name).string(); }
  void write(const char* name, const std::string& text) const { std::ofstream(path / name, std::ios::binary) << text; }
  std::string read(const char* name) const {
    std::ifstream in(path / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::size_t files() const { return static_cast<std::size_t>(std::distance(fs::directory_iterator(path), {})); }
};

std::size_t open_files() {
  std::size_t n = 0;
  for (int d = 0; d < 256; ++d) n += ::lseek(d, 0, SEEK_CUR) != -1 || errno != EBADF;
  return n;
}

enum class outcome { success, failed, threw };

template <class T>
outcome of(const result<T>& r) {
  if (r) return outcome::success;
  return r.error().code == errc::out_of_memory ? outcome::failed : outcome::threw;
}

/// Calls operation() -> outcome with its 1st, 2nd, 3rd... allocation failing, until none of them does. After each
/// failure, which must be `expected`, unharmed() must hold. Returns the number of failures.
template <class Operation, class Unharmed>
std::size_t fail_each(outcome expected, Operation operation, Unharmed unharmed) {
  for (std::size_t n = 0; n < 100'000; ++n) {
    const std::size_t blocks = heap::blocks(), files = open_files();
    outcome o = outcome::success;
    heap::fail_after(n);
    try {
      o = operation();
    } catch (const std::bad_alloc&) {
      o = outcome::threw;
    }
    const bool failed = heap::stop_failing();
    const std::size_t blocks_after = heap::blocks(), files_after = open_files();
    INFO("allocation " << n);
    REQUIRE(blocks_after == blocks);
    REQUIRE(files_after == files);
    if (!failed) {
      REQUIRE(o == outcome::success);
      return n;
    }
    REQUIRE(o == expected);
    REQUIRE(unharmed());
  }
  return 0;
}
template <class Operation>
std::size_t fail_each(outcome expected, Operation operation) {
  return fail_each(expected, operation, [] { return true; });
}

template <class T>
std::string number(T n) {
  return {reinterpret_cast<const char*>(&n), sizeof n};
}

const std::string text = "the cat sat on the mat, the other cat sat on the other mat; 12 cats, 12 mats\n";

struct small {
  static constexpr llama_config config{.vocab = 11,
                                       .d_model = 8,
                                       .layers = 1,
                                       .heads = 2,
                                       .kv_heads = 1,
                                       .d_ff = 12,
                                       .context = 4,
                                       .tie_embeddings = true};
};
using lm = causal_lm<small>;

struct recipe {
  static constexpr train_config config{.batch = 1, .sequence = 4};
};

}  // namespace

namespace {

struct of_two_million {
  static constexpr llama_config config{
      .vocab = 1000, .d_model = 256, .layers = 2, .heads = 4, .d_ff = 512, .context = 16};
};

}  // namespace

TEST_CASE("loading into few bits takes the result and some rows, not the numbers of the file", "[io]") {
  using exact = causal_lm<of_two_million>;
  using M = causal_lm<of_two_million, weights<int4<32>>>;
  const folder f;
  heap_arena memory(exact::weight_bytes + M::weight_bytes);
  exact::weights numbers(memory);
  M::weights small(memory);
  models::randomise<exact>(numbers);
  REQUIRE(save_weights(f.at("model.safetensors").c_str(), numbers));
  REQUIRE(save_gguf<exact>(f.at("model.gguf").c_str(), numbers));
  pool<2> workers(2);
  for (const char* name : {"model.safetensors", "model.gguf"}) {
    const std::size_t before = heap::bytes();
    REQUIRE(load_weights<M>(f.at(name).c_str(), small, workers));
    CHECK(heap::bytes() - before < exact::weight_bytes / 10);  // all allocations together
  }
}

TEST_CASE("byte pair encoding survives every allocation that fails", "[io]") {
  CHECK(fail_each(outcome::threw,
                  [] { return bpe::train(text, 280).vocab() > 256 ? outcome::success : outcome::failed; }) > 20);
  const bpe b = bpe::train(text, 280);
  const std::vector<bpe::merge> merges = b.merges();
  CHECK(fail_each(outcome::failed, [&] { return of(bpe::from_merges(merges)); }) > 10);
  const std::vector<token> tokens = b.encode(text);
  CHECK(fail_each(outcome::threw, [&] { return b.encode(text) == tokens ? outcome::success : outcome::failed; }) > 10);
  CHECK(fail_each(outcome::threw, [&] { return b.decode(tokens) == text ? outcome::success : outcome::failed; }) > 0);
}

TEST_CASE("reading llama2.c files survives every allocation that fails", "[io]") {
  const folder f;
  std::string model;
  for (const std::int32_t n : {8, 12, 1, 2, 1, 11, 4}) model += number(n);
  while (model.size() < llama2c_detail::file_bytes<lm>(4)) model += number(0.5f);
  f.write("model.bin", model);
  const std::string path = f.at("model.bin");
  heap_arena memory(lm::weight_bytes);
  const lm::weights w(memory);
  std::memset(w.bytes().data(), 0, w.bytes().size());
  CHECK(fail_each(
            outcome::failed, [&] { return of(load_llama2c<lm>(path.c_str(), w)); },
            [&] {
              for (std::byte b : w.bytes())
                if (b != std::byte{0}) return false;
              return true;
            }) > 1);

  std::string pieces = number(std::int32_t{6});
  for (int i = 0; i < 262; ++i) {
    const std::string piece = i < 259 ? "a word of the vocabulary " + std::to_string(i) : i < 261 ? " a" : " ab";
    pieces += number(static_cast<float>(i)) + number(static_cast<std::int32_t>(piece.size())) + piece;
  }
  f.write("tokenizer.bin", pieces);
  const std::string tokenizer_path = f.at("tokenizer.bin");
  CHECK(fail_each(outcome::failed, [&] { return of(llama2c_tokenizer::load(tokenizer_path.c_str(), 262)); }) > 262);
  const auto t = llama2c_tokenizer::load(tokenizer_path.c_str(), 262).value();
  const std::vector<token> tokens = t.encode(text);
  CHECK(fail_each(outcome::threw, [&] { return t.encode(text) == tokens ? outcome::success : outcome::failed; }) > 5);
  CHECK(fail_each(outcome::threw, [&] { return t.decode(tokens).empty() ? outcome::failed : outcome::success; }) > 0);
}

TEST_CASE("safetensors survive every allocation that fails", "[io]") {
  const folder f;
  f.write("model.safetensors", "old");
  const std::string path = f.at("model.safetensors");
  const tensor_to_save tensors[] = {{"first\n", safetensors_type::f32, 1, {3}},
                                    {"second", safetensors_type::bf16, 1, {3}}};
  auto produce = [](std::size_t, safetensors_writer& out) {
    const float numbers[3] = {1, 2, 3};
    return out.put(numbers, 3);
  };
  CHECK(fail_each(
            outcome::failed, [&] { return of(save_safetensors(path.c_str(), tensors, produce)); },
            [&] { return f.files() == 1 && f.read("model.safetensors") == "old"; }) > 3);
  fs::rename(f.path / "model.safetensors", f.path / "a file with a long name of its own.safetensors");
  f.write("model.safetensors.index.json",
          R"({"weight_map":{"second":"a file with a long name of its own.safetensors","first\n":)"
          R"("a file with a long name of its own.safetensors"}})");
  const std::string all = f.path.string();
  CHECK(fail_each(outcome::failed, [&] { return of(safetensors_file::open(all.c_str())); }) > 8);
}

TEST_CASE("reading text survives every allocation that fails", "[io]") {
  const folder f;
  f.write("a.txt", text);
  f.write("b.txt", text);
  fs::create_directories(f.path / "sub");
  f.write("sub/c.txt", text);
  const std::string all = f.path.string(), one = f.at("a.txt");
  CHECK(fail_each(outcome::failed, [&] { return of(read_text(one)); }) > 0);
  CHECK(fail_each(outcome::failed, [&] { return of(read_text(all)); }) > 5);
}

TEST_CASE("drawing and metrics survive every allocation that fails", "[io]") {
  loss_curve c;
  c.training = {{0, 3.0f}, {1, 2.0f}, {2, 1.5f}};
  c.validation = {{2, 1.75f}};
  CHECK(fail_each(outcome::threw, [&] { return c.svg("title").empty() ? outcome::failed : outcome::success; }) > 20);
  CHECK(fail_each(outcome::threw, [] { return to_json({}).empty() ? outcome::failed : outcome::success; }) > 0);
}

TEST_CASE("a model's header survives every allocation that fails", "[io]") {
  const folder f;
  f.write("x.hpp", "old");
  const std::string path = f.at("x.hpp"), name = "model";
  CHECK(fail_each(
            outcome::failed, [&] { return of(write_model_header<lm>(path.c_str(), name)); },
            [&] { return f.files() == 1 && f.read("x.hpp") == "old"; }) > 5);
  CHECK(f.files() == 1);
}

TEST_CASE("a file that is read whole survives every allocation that fails", "[io]") {
  const folder f;
  f.write("a.txt", text);
  const std::string path = f.at("a.txt");
  CHECK(fail_each(outcome::failed, [&] { return of(read_file(path.c_str())); }) > 0);
}

TEST_CASE("GGUF files survive every allocation that fails", "[io]") {
  folder f;
  const std::string path = f.at("model.gguf");
  f.write("model.gguf", "old");
  gguf_writer out;
  out.set("general.architecture", "a name that is longer than what a string keeps in itself");
  out.add_tensor("another name that is longer than what a string keeps in itself", {3, 32}, gguf_encoding::q8_0);
  const auto row = [](std::size_t, std::size_t, float* to) { std::fill(to, to + 32, 1.0f); };
  CHECK(fail_each(
            outcome::failed, [&] { return of(out.write(path.c_str(), row)); },
            [&] { return f.files() == 1 && f.read("model.gguf") == "old"; }) > 1);
  CHECK(fail_each(outcome::failed, [&] { return of(gguf_file::open(path.c_str())); }) > 1);
}

TEST_CASE("a flash image survives every allocation that fails", "[io]") {
  const folder f;
  f.write("x.ctlm", "old");
  const std::string path = f.at("x.ctlm");
  heap_arena memory(lm::weight_bytes);
  const lm::weights w(memory);
  CHECK(fail_each(
            outcome::failed, [&] { return of(write_image<lm>(path.c_str(), w)); },
            [&] { return f.files() == 1 && f.read("x.ctlm") == "old"; }) > 0);
  CHECK(f.files() == 1);
}

TEST_CASE("checkpoints survive every allocation that fails", "[io]") {
  using T = trainer<lm, recipe>;
  const folder f;
  heap_arena memory(T::train_bytes);
  T t(memory, {});
  const std::string path = f.at("x.ctlm");
  f.write("x.ctlm", "old");
  CHECK(fail_each(
            outcome::failed, [&] { return of(save_checkpoint(path.c_str(), t)); },
            [&] { return f.files() == 1 && f.read("x.ctlm") == "old"; }) > 2);
  CHECK(f.files() == 1);
  const auto weights = t.weights().bytes();
  const std::string saved = f.read("x.ctlm"), before(reinterpret_cast<const char*>(weights.data()), weights.size());
  CHECK(fail_each(
            outcome::failed, [&] { return of(load_checkpoint(path.c_str(), t)); },
            [&] {
              return f.read("x.ctlm") == saved && std::memcmp(weights.data(), before.data(), before.size()) == 0;
            }) > 2);
}

#endif
