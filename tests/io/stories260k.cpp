// A real trained model, stories260K, against the results of llama2.c: logits, greedy tokens, text, and what
// quantisation costs it.
#include "data.hpp"
#include "model/models.hpp"
#include "worse.hpp"

#include <ctlm/ctlm.hpp>

#include <cmath>
#include <cstring>
#include <sstream>

namespace {

using namespace ctlm;
using models::stories;

using full = causal_lm<stories>;

template <class M>
struct loaded {
  heap_arena weight_memory{M::weight_bytes}, session_memory{M::session_bytes};
  typename M::weights weights{weight_memory};
  typename M::session session{weights, session_memory};

  loaded() { load_llama2c<M>(data::path("stories260K.bin").c_str(), weights).value(); }
};

std::vector<token> golden_tokens() {
  std::istringstream in(data::read(data::path("stories260K_greedy64_tokens.txt")));
  return {std::istream_iterator<token>(in), {}};
}

template <class M>
std::vector<token> greedy(loaded<M>& m, std::size_t n) {
  std::vector<token> tokens{llama2c_tokenizer::bos};
  sampler how;
  m.session.reset();
  generate(m.session, span<const token>(tokens.data(), 1), how, n - 1, [&](token t) { tokens.push_back(t); });
  return tokens;
}

constexpr std::size_t story_length = 256;

struct recipe {
  static constexpr train_config config{.batch = 8, .sequence = story_length};
};

/// Stories that the full model tells at temperature 1, one for each seed: text of the kind it was trained on.
std::vector<token> sampled_stories(std::uint64_t first_seed, std::size_t count) {
  loaded<full> m;
  std::vector<token> tokens;
  const token bos = llama2c_tokenizer::bos;
  for (std::uint64_t seed = first_seed; seed < first_seed + count; ++seed) {
    sampler how{.temperature = 1.0f, .seed = seed};
    m.session.reset();
    tokens.push_back(bos);
    generate(m.session, span<const token>(&bos, 1), how, story_length - 1, [&](token t) { tokens.push_back(t); });
  }
  return tokens;
}

/// 12,000 tokens: a sample of a quarter of that does not resolve a tenth of a percent.
const std::vector<token>& test_stories() {
  static const std::vector<token> text = sampled_stories(0, 48);
  return text;
}

/// By how many percent the perplexity of a session exceeds that of the full model.
template <class Session>
double percent_lost(Session& session) {
  static const double base = [] {
    loaded<full> m;
    return mean_nll(m.session, test_stories(), story_length);
  }();
  return (std::exp(mean_nll(session, test_stories(), story_length) - base) - 1) * 100;
}
template <class M>
double percent_lost() {
  loaded<M> m;
  return percent_lost(m.session);
}

bool available() { return data::present("stories260K.bin") && data::present("tok512.bin"); }

}  // namespace

TEMPLATE_TEST_CASE("stories260K: logits and greedy tokens of llama2.c", "[io]", full,
                   (causal_lm<stories, backend<portable>>), (causal_lm<stories, prompt_chunk<1>>)) {
  if (!available()) return;
  loaded<TestType> m;
  const auto tokens = golden_tokens();
  REQUIRE(tokens.size() == 64);
  const std::string bytes = data::read(data::path("stories260K_logits_greedy64_f32.bin"));
  REQUIRE(bytes.size() == 64 * 512 * sizeof(float));
  std::vector<float> expected(64 * 512);
  std::memcpy(expected.data(), bytes.data(), bytes.size());
  double worst = 0;
  m.session.score(tokens, [&](std::size_t i, auto logits) {
    for (std::size_t j = 0; j < 512; ++j)
      worst = worse(worst, std::fabs(static_cast<double>(logits[j]) - static_cast<double>(expected[i * 512 + j])));
  });
  CHECK(worst < 1e-4);
  CHECK(greedy(m, 64) == tokens);
}

TEST_CASE("stories260K: 200 greedy steps tell the golden story", "[io]") {
  if (!available()) return;
  loaded<full> m;
  const auto tokenizer = llama2c_tokenizer::load(data::path("tok512.bin").c_str(), 512).value();
  const auto tokens = greedy(m, 201);
  std::string golden = data::read(data::path("stories260K_golden_T0_n200.txt"));
  golden.erase(golden.find_last_not_of('\n') + 1);  // newlines that llama2.c and the shell added
  CHECK(tokenizer.decode(tokens) == golden);
}

TEST_CASE("stories260K: the tokenizer encodes what it decodes", "[io]") {
  if (!available()) return;
  const auto tokenizer = llama2c_tokenizer::load(data::path("tok512.bin").c_str(), 512).value();
  for (const char* text : {"Once upon a time", "Lily's dog, Max.", "caf\xC3\xA9 \xE4\xB8\xAD\n", "", "a"})
    CHECK(tokenizer.decode(tokenizer.encode(text)) == text);
  const auto golden = golden_tokens();
  CHECK(tokenizer.encode(tokenizer.decode(span<const token>(golden).first(20))) ==
        std::vector<token>(golden.begin(), golden.begin() + 20));
}

TEST_CASE("stories260K: int8 tells the same 32 tokens", "[io]") {
  if (!available()) return;
  const auto tokens = golden_tokens();
  loaded<causal_lm<stories, weights<int8<32>>>> grouped;
  CHECK(greedy(grouped, 32) == std::vector<token>(tokens.begin(), tokens.begin() + 32));
  loaded<causal_lm<stories, weights<int8<32>>, backend<portable>>> portable_;
  CHECK(greedy(portable_, 32) == std::vector<token>(tokens.begin(), tokens.begin() + 32));
}

TEST_CASE("stories260K: perplexity lost by quantisation", "[accuracy]") {
  if (!available()) return;
  CHECK(percent_lost<causal_lm<stories, weights<int8<32>>>>() <= 0.1);
  CHECK(percent_lost<causal_lm<stories, weights<int8<32>>, compute<decoded>>>() <= 0.1);
  CHECK(percent_lost<causal_lm<stories, weights<f16>>>() <= 0.02);
  CHECK(percent_lost<causal_lm<stories, kv_cache<int8<>>>>() <= 0.5);
  CHECK(percent_lost<causal_lm<stories, weights<int2<32>>>>() > percent_lost<causal_lm<stories, weights<int4<32>>>>());
}

// Three quarters of a million tokens of training: minutes, and the only proof that four bits are enough.
TEST_CASE("stories260K: int4 loses at most 3 % after learning its rounding from the full model", "[fine_tuning]") {
  if (!available()) return;
  using student = trainer<full, recipe, optimizer<adamw>, schedule<warmup_cosine>, trained_for<int4<32>>>;
  using teacher = trainer<full, recipe>;
  constexpr std::size_t steps = 700, stories_known = 1024;
  heap_arena student_memory(student::train_bytes), teacher_memory(teacher::train_bytes);
  student s(student_memory, {.optimizer = {.lr = 2e-4f, .weight_decay = 0},
                             .schedule = {.warmup = 10, .total = steps, .min_lr = 2e-6f}});
  teacher t(teacher_memory, {});
  s.start_from([](const auto& w) { load_llama2c<full>(data::path("stories260K.bin").c_str(), w).value(); });
  t.start_from([](const auto& w) { load_llama2c<full>(data::path("stories260K.bin").c_str(), w).value(); });

  using compact = causal_lm<stories, weights<int4<32>>>;
  heap_arena session_memory(compact::session_bytes);
  compact::session session(s.quantised(), session_memory);
  CHECK(percent_lost(session) > 3.0);  // rounding alone does not do

  const auto known = sampled_stories(100'000, stories_known);
  std::vector<token> batch;
  for (std::size_t i = 0; i < steps; ++i) {
    batch.clear();
    for (std::size_t row = 0; row < student::batch; ++row) {
      const auto from =
          known.begin() + static_cast<long>(mix(3, i * student::batch + row) % stories_known * story_length);
      batch.insert(batch.end(), from, from + story_length);
    }
    s.distil(batch, t);
  }
  s.quantised();  // rounds once more, into the weights that the session reads
  CHECK(percent_lost(session) <= 3.0);
}

TEST_CASE("stories260K: another model, a damaged file and a missing one are refused", "[io]") {
  if (!available()) return;
  struct scratch {
    std::string path = "stories260k_damaged.bin";
    ~scratch() { std::remove(path.c_str()); }
  } file;
  heap_arena memory(full::weight_bytes);
  full::weights w(memory);
  const std::string good = data::read(data::path("stories260K.bin"));
  auto code_of = [&](const std::string& bytes) {
    std::ofstream(file.path, std::ios::binary) << bytes;
    return load_llama2c<full>(file.path.c_str(), w).error().code;
  };
  CHECK(code_of(good) == errc::ok);
  CHECK(code_of(good.substr(0, good.size() - 1)) == errc::truncated);
  CHECK(code_of(good.substr(0, 10)) == errc::truncated);
  CHECK(code_of("") == errc::truncated);
  CHECK(code_of(good + "x") == errc::corrupt);
  for (std::size_t i = 0; i < 6; ++i) {
    std::string other = good;
    other[4 * i] = static_cast<char>(other[4 * i] ^ 1);
    CHECK(code_of(other) == errc::wrong_model);
  }
  CHECK(load_llama2c<full>("no such file", w).error().code == errc::not_found);
  CHECK(load_llama2c<full>("/", w).error().code == errc::io_error);
  CHECK(llama2c_tokenizer::load(file.path.c_str(), 512).error().code != errc::ok);
}
