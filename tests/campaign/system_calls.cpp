// Every system call of saving and loading fails once, with each error that a disk or a system gives: there is a clear
// failure or a whole result, never a half of one, and nothing stays behind.
#include "../io/scratch.hpp"
#include "faults.hpp"
#include "number_file.hpp"

namespace {

using namespace ctlm;

constexpr int errors[] = {ENOSPC, EIO, EINTR, EMFILE, fault_plan::cut_short};
bool is_harmless(int error) { return error == EINTR || error == fault_plan::cut_short; }

std::size_t open_files() {
  std::error_code none;
  std::size_t n = 0;
  for (std::filesystem::directory_iterator i("/proc/self/fd", none), end; !none && i != end; i.increment(none)) ++n;
  return n;
}

/// A failure's words, checked to be a whole sentence of ctlm's.
std::string words_of(const failure& f) {
  const std::string words = explain(f).text;
  CHECK(words.substr(0, 6) == "ctlm: ");
  CHECK(words.find('{') == std::string::npos);
  return words;
}

/// Runs action() again and again, each time with another call failing, and judges what it returned.
template <class Action, class Judge>
void fail_every_call(Action action, Judge judge) {
  faults.arm(fault_plan::never, 0);
  REQUIRE(action());
  const int all = faults.disarm();
  CHECK(all >= 3);
  const std::size_t files = open_files();
  for (int error : errors) {
    for (int call = 0;; ++call) {
      INFO("call " << call << " of " << all << ", error " << error);
      faults.arm(call, error);
      const auto r = action();
      const int made = faults.disarm();
      if (is_harmless(error)) CHECK(r);
      if (!r) words_of(r.error());
      judge(r);
      CHECK(open_files() == files);
      if (call >= made) break;
    }
  }
}

/// Fails every call of replacing `path`, which holds `before` and gets `after`.
template <class Action>
void fail_every_call_of_saving(const scratch_folder& folder, const std::string& path, const std::string& before,
                               const std::string& after, Action action) {
  std::vector<std::string> names = folder.names();
  fail_every_call(
      [&] {
        const bool armed = faults.armed.exchange(false);
        std::ofstream(path, std::ios::binary | std::ios::trunc) << before;
        faults.armed = armed;
        return action();
      },
      [&](const result<void>& r) {
        const bool replaced = r || words_of(r.error()).find("the file was replaced, but") != std::string::npos;
        CHECK(contents_of(path) == (replaced ? after : before));
        CHECK(folder.names() == names);
      });
}

struct small_model {
  static constexpr llama_config config{.vocab = 5, .d_model = 16, .layers = 6, .heads = 2, .d_ff = 16, .context = 8};
};
using lm = causal_lm<small_model, weights<int4<16>>>;

struct image_on_disk {
  heap_arena memory{lm::weight_bytes};
  lm::weights weights{memory};
  explicit image_on_disk(const std::string& path) {
    rng random{5};
    for (std::byte& b : weights.bytes()) b = static_cast<std::byte>(random.below(48));
    write_image<lm>(path.c_str(), weights).value();
  }
};

}  // namespace

TEST_CASE("every system call of saving a checkpoint may fail once", "[campaign]") {
  scratch_folder folder;
  const std::string path = folder / "run.ctlm";
  number_file state(1, 300);
  REQUIRE(state.save(path.c_str()));
  const std::string before = contents_of(path);
  state.set(2);
  REQUIRE(state.save(path.c_str()));
  const std::string after = contents_of(path);
  fail_every_call_of_saving(folder, path, before, after, [&] { return state.save(path.c_str()); });

  REQUIRE(::chmod(path.c_str(), 0640) == 0);  // other permissions, through links
  std::filesystem::create_symlink("run.ctlm", folder / "link");
  fail_every_call_of_saving(folder, path, before, after, [&] { return state.save((folder / "link").c_str()); });
  struct stat s {};
  REQUIRE(::stat(path.c_str(), &s) == 0);
  CHECK((s.st_mode & 0777) == 0640);
}

TEST_CASE("every system call of saving beside a killed writer's file may fail once", "[campaign]") {
  scratch_folder folder;
  const std::string path = folder / "run.ctlm";
  number_file state(1, 300);
  const std::string left = file_detail::temporary_name(file_detail::temporary_stem("run.ctlm", false), 0);
  fail_every_call(
      [&] {
        const bool armed = faults.armed.exchange(false);
        put_contents(folder / left, "half");
        faults.armed = armed;
        return state.save(path.c_str());
      },
      [&](const result<void>&) {
        number_file read(0, 300);
        CHECK(read.load(path.c_str()));
        CHECK(read.last == 1);
        REQUIRE(state.save(path.c_str()));
        CHECK(folder.names() == std::vector<std::string>{"run.ctlm"});
      });
}

TEST_CASE("every system call of writing a flash image may fail once", "[campaign]") {
  scratch_folder folder;
  const std::string path = folder / "model.ctlm";
  image_on_disk image(path);
  const std::string after = contents_of(path);
  fail_every_call_of_saving(folder, path, "what was there", after,
                            [&] { return write_image<lm>(path.c_str(), image.weights); });
}

TEST_CASE("every system call of writing a model for other programs may fail once", "[campaign]") {
  using M = causal_lm<small_model>;
  scratch_folder folder;
  heap_arena memory{M::weight_bytes};
  M::weights weights{memory};
  initialise(weights, 5);
  const auto words = to_gguf(byte_tokenizer());
  auto fail_all = [&](const char* name, auto save) {
    const std::string path = folder / name;
    REQUIRE(save(path));
    const std::string after = contents_of(path);
    fail_every_call_of_saving(folder, path, "what was there", after, [&] { return save(path); });
  };
  fail_all("model.gguf", [&](const std::string& path) { return save_gguf<M>(path.c_str(), weights); });
  fail_all("model.safetensors", [&](const std::string& path) { return save_weights(path.c_str(), weights); });
}

TEST_CASE("every system call of writing a folder of Hugging Face may fail once", "[campaign]") {
  using M = causal_lm<small_model>;
  scratch_folder folder;
  heap_arena memory{M::weight_bytes};
  M::weights weights{memory};
  initialise(weights, 5);
  const auto save = [&]() -> result<void> {
    if (const auto r = save_hf<M>(folder.path.c_str(), weights); !r) return r;
    return save_hf_tokenizer(folder.path.c_str(), byte_tokenizer());
  };
  REQUIRE(save());
  const auto names = folder.names();
  REQUIRE(names.size() == 5);
  std::vector<std::string> after;
  for (const std::string& n : names) after.push_back(contents_of(folder / n));
  fail_every_call(
      [&] {
        const bool armed = faults.armed.exchange(false);
        for (const std::string& n : names) put_contents(folder / n, "before");
        faults.armed = armed;
        return save();
      },
      [&](const result<void>& r) {
        CHECK(folder.names() == names);
        for (std::size_t i = 0; i < names.size(); ++i) {  // each file is a whole one
          const std::string now = contents_of(folder / names[i]);
          CHECK((now == after[i] || (!r && now == "before")));
        }
      });
}

TEST_CASE("every system call of reading a folder's tokenizer may fail once", "[campaign]") {
  scratch_folder folder;
  put_contents(folder / "tokenizer.json",
               R"({"pre_tokenizer": {"type": "ByteLevel"}, "model": {"type": "BPE", "vocab": {"a": 0, "b": 1},
                   "merges": []}})");
  put_contents(folder / "tokenizer_config.json", R"({"eos_token": "b"})");
  fail_every_call([&] { return read_hf_tokenizer(folder.path.c_str()); },
                  [&](const result<gguf_tokenizer>& r) { CHECK((!r || r->eos == 1)); });
}

TEST_CASE("saving and loading byte by byte is slow and right", "[campaign]") {
  scratch_folder folder;
  const std::string path = folder / "run.ctlm";
  number_file state(3, 50), read(0, 50);
  faults.most = 7;
  faults.arm(fault_plan::never, 0);
  const auto saved = state.save(path.c_str());
  const auto loaded = read.load(path.c_str());
  auto text = read_file(path.c_str());
  faults.disarm();
  faults.most = SIZE_MAX;
  CHECK(saved);
  CHECK(loaded);
  CHECK(read.words == state.words);
  CHECK(text.value() == contents_of(path));
}

TEST_CASE("every system call of loading a checkpoint may fail once", "[campaign]") {
  scratch_folder folder;
  const std::string path = folder / "run.ctlm";
  REQUIRE(number_file(1, 200'000).save(path.c_str()));  // more than a block
  number_file read(0, 200'000);
  bool half = false;
  std::size_t halves = 0;
  fail_every_call(
      [&] {
        read.set(0);
        return read_checkpoint(path.c_str(), number_file::layout, read.sections(), number_file::layout, &half);
      },
      [&](const result<void>& r) {
        if (r) CHECK(read.last == 1);
        if (!r && !half) CHECK(read.last == 0);
        if (!half) CHECK(read.whole());
        CHECK_FALSE((r && half));
        halves += half;
        CHECK(half == (!r && words_of(r.error()).find("a mixture of old and new") != std::string::npos));
      });
  CHECK(halves > 0);
}

TEST_CASE("every system call of reading, mapping and reserving files may fail once", "[campaign]") {
  scratch_folder folder;
  const std::string path = folder / "model.ctlm";
  image_on_disk image(path);
  const std::string good = contents_of(path);
  fail_every_call([&] { return read_file(path.c_str()); },
                  [&](const result<std::string>& r) { CHECK((!r || *r == good)); });
  auto mapped = [&]() -> result<void> {
    const auto file = mapped_file::open(path.c_str());
    if (!file) return file.error();
    return bind_image<lm>(file->bytes()).error();
  };
  faults.arm(fault_plan::never, 0);
  REQUIRE(mapped());
  const int calls = faults.disarm();
  for (int call = 0; call < calls; ++call) {
    faults.arm(call, EIO);
    const auto r = mapped();
    faults.disarm();
    if (!r) words_of(r.error());
  }
  fail_every_call(
      [&]() -> result<void> {
        auto disk = spill_arena::create(folder.path.c_str(), 100'000);
        if (!disk) return disk.error();
        return disk->allocate<char>(99'000) != nullptr ? result<void>() : failure{errc::corrupt, "ctlm: no room"};
      },
      [&](const result<void>&) { CHECK(folder.names() == std::vector<std::string>{"model.ctlm"}); });
}

TEST_CASE("every system call of opening offloaded weights may fail once, and reads while they are used", "[campaign]") {
  using M = causal_lm<small_model, weights<int4<16>>, memory<offloaded<(300 << 10)>>>;
  using kept = causal_lm<small_model, weights<int4<16>>, memory<offloaded<(1 << 20)>>>;
  STATIC_REQUIRE(offloaded_weights<kept>::buffers == 0);
  scratch_folder folder;
  const std::string path = folder / "model.ctlm";
  image_on_disk image(path);
  heap_arena kept_memory(offloaded_weights<kept>::bytes_needed());
  offloaded_weights<kept> all(kept_memory);
  REQUIRE(all.open(path.c_str()));  // its file stays open, as it does after each success
  fail_every_call(
      [&] {
        const auto r = all.open(path.c_str());
        const bool armed = faults.armed.exchange(false);
        if (!r) all.open(path.c_str()).value();
        faults.armed = armed;
        return r;
      },
      [](const result<void>&) {});

#if CTLM_EXCEPTIONS
  STATIC_REQUIRE(offloaded_weights<M>::buffers > 0);
  heap_arena memory(offloaded_weights<M>::bytes_needed() + M::session_bytes);
  offloaded_weights<M> streamed(memory);
  M::session session(streamed, memory);
  std::size_t raised = 0;
  for (int call = 0; call < 60; ++call) {
    faults.arm(call, EIO);
    try {
      const auto r = streamed.open(path.c_str());
      for (token t = 0; r && t < 3; ++t) session.decode(t);
      if (!r) words_of(r.error());
    } catch (const error& e) {
      ++raised;
      CHECK_THAT(e.what(), Catch::Contains("could not be read"));
      CHECK_THROWS_AS(session.decode(0), error);
    }
    session.reset();
    faults.disarm();
  }
  CHECK(raised > 0);
  REQUIRE(streamed.open(path.c_str()));
  session.decode(1);
#endif
}
