// Each architecture computes what transformers computes: from its config.json and its file of weights to the same
// logits and the same greedy tokens. make_architectures.py made the files.
#include "architectures_golden.hpp"

using namespace architecture_files;

namespace {

constexpr std::size_t positions = 64, prompt = 16;
constexpr double close = 1e-4;  // logits vary by units

template <class Tag, std::size_t Chunk, class... Slots>
struct running {
  using model = causal_lm<Tag, prompt_chunk<Chunk>, Slots...>;
  heap_arena weight_memory{model::weight_bytes}, session_memory{model::session_bytes};
  typename model::weights weights{weight_memory};
  typename model::session session{weights, session_memory};

  running() { load<model>(Tag::folder, weights); }
};

/// The largest difference of all logits, where the ids enter in chunks.
template <class Session>
double worst_logit(Session& session, const golden& expected, std::size_t chunk) {
  const std::vector<token> ids = expected.tokens("ids");
  const std::vector<float> logits = expected.numbers("logits");
  REQUIRE(ids.size() == positions);
  REQUIRE(logits.size() == positions * Session::shape.vocab);
  session.reset();
  double worst = 0;
  for (std::size_t first = 0; first < positions; first += chunk)
    session.score(span<const token>(ids).subspan(first, smaller(chunk, positions - first)),
                  [&](std::size_t i, auto ours) {
                    for (std::size_t v = 0; v < ours.size(); ++v)
                      worst = worse(worst, std::fabs(static_cast<double>(ours[v]) -
                                                     static_cast<double>(logits[(first + i) * ours.size() + v])));
                  });
  return worst;
}

template <class Session>
std::vector<token> greedy(Session& session, const golden& expected) {
  const std::vector<token> ids = expected.tokens("ids");
  std::vector<token> tokens;
  sampler how;
  session.reset();
  generate(session, span<const token>(ids).first(prompt), how, 32, [&](token t) { tokens.push_back(t); });
  return tokens;
}

/// With bfloat16 weights, which are the file's own bits, as well.
template <class Tag>
void equals_transformers() {
  INFO(Tag::folder);
  CHECK(contents_of(path_of(Tag::folder, "config.json")) == Tag::text);
  const golden expected(Tag::folder);
  running<Tag, positions> single;
  for (const std::size_t chunk : {1, 7, 64}) CHECK(worst_logit(single.session, expected, chunk) < close);
  CHECK(greedy(single.session, expected) == expected.tokens("greedy"));
  running<Tag, positions, weights<bf16>> half_size;
  CHECK(worst_logit(half_size.session, expected, positions) < close);
}

/// A session that takes fewer tokens at once: its layers with a window keep a ring of positions, and the tokens go
/// round it several times.
template <class Tag, std::size_t Chunk>
void ring_equals_transformers() {
  INFO(Tag::folder << ", " << Chunk << " tokens at once");
  const golden expected(Tag::folder);
  running<Tag, Chunk> r;
  using layout = cache_layout<typename decltype(r)::model::shape_type, Chunk>;
  static_assert(layout::forgets && 2 * layout::ring < positions);
  CHECK(worst_logit(r.session, expected, positions) < close);
  CHECK(greedy(r.session, expected) == expected.tokens("greedy"));
}
template <class Tag>
void rings_equal_transformers() {
  ring_equals_transformers<Tag, 1>();
  ring_equals_transformers<Tag, 7>();
}

}  // namespace

TEST_CASE("GPT-2 and Llama equal transformers", "[io]") {
  equals_transformers<gpt2>();
  equals_transformers<llama>();
}

// Of dynamic scaling, transformers gives each position its own base only where texts enter token by token; with ctlm,
// it makes no difference how they enter.
TEST_CASE("Llama with scaled rotary angles equals transformers", "[io]") {
  equals_transformers<llama_linear>();
  equals_transformers<llama_dynamic>();
  equals_transformers<llama_llama3>();
  equals_transformers<llama_yarn>();
}

TEST_CASE("Mistral, Qwen, SmolLM3 and Phi-3 equal transformers", "[io]") {
  equals_transformers<mistral>();
  equals_transformers<qwen2>();
  equals_transformers<qwen3>();
  equals_transformers<smollm3>();
  equals_transformers<phi3>();
  equals_transformers<phi3_partial>();
}

TEST_CASE("Gemma equals transformers", "[io]") {
  equals_transformers<gemma>();
  equals_transformers<gemma2>();
  equals_transformers<gemma3_text>();
}

TEST_CASE("models with a window equal transformers where a ring wraps", "[io]") {
  rings_equal_transformers<mistral>();
  rings_equal_transformers<phi3_partial>();
  rings_equal_transformers<gemma2>();
  rings_equal_transformers<gemma3_text>();
}

TEST_CASE("models with experts equal transformers", "[io]") {
  equals_transformers<mixtral>();
  equals_transformers<qwen3_moe>();
}

TEST_CASE("experts in one tensor, as transformers holds them, are the same weights", "[io]") {
  running<qwen3_moe> apart, together;
  for (std::byte& b : together.weights.bytes()) b = std::byte{0};
  load<running<qwen3_moe>::model>("qwen3_moe", together.weights, "fused.safetensors");
  const auto a = apart.weights.bytes(), b = together.weights.bytes();
  CHECK(std::equal(a.begin(), a.end(), b.begin(), b.end()));
}

// A rounded activation may choose another expert: single logits differ by more than in other models, most do not.
TEST_CASE("experts in few bits keep most of what they say", "[io]") {
  const golden expected("mixtral");
  const std::vector<token> ids = expected.tokens("ids");
  const std::vector<float> logits = expected.numbers("logits");
  running<mixtral, weights<int8<>>> few;
  double total = 0;
  few.session.score(span<const token>(ids), [&](std::size_t i, auto ours) {
    for (std::size_t v = 0; v < ours.size(); ++v)
      total += std::fabs(static_cast<double>(ours[v]) - static_cast<double>(logits[i * ours.size() + v]));
  });
  CHECK(total / static_cast<double>(logits.size()) < 0.1);  // logits have a standard deviation of 1.7
}
