// Sessions whose work is shared among threads: no bit of any logit depends on how many there are.
#include "catch.hpp"

#include "models.hpp"

using namespace ctlm;
using namespace models;

namespace {

/// Wide enough that every kernel is shared among threads.
struct wide {
  static constexpr llama_config config{
      .vocab = 300, .d_model = 96, .layers = 2, .heads = 6, .kv_heads = 3, .d_ff = 200, .context = 32};
};
/// Windows of 70, whose caches are rings that wrap.
struct windowed {
  static constexpr mistral_config config{
      .vocab = 23, .d_model = 32, .layers = 2, .heads = 4, .kv_heads = 2, .d_ff = 40, .context = 640, .window = 70};
};

/// All logits of some prompts and of a token after each.
template <class Session>
std::vector<float> logits_of_prompts(Session& s, std::size_t vocab, std::size_t prompt, std::size_t prompts) {
  std::vector<float> all;
  const auto keep_all = [&](auto logits) { all.insert(all.end(), logits.begin(), logits.end()); };
  const auto tokens = random_tokens(prompts * prompt, vocab, 4);
  for (std::size_t i = 0; i < prompts; ++i) {
    keep_all(s.prefill(span<const token>(tokens).subspan(i * prompt, prompt - 1)));
    keep_all(s.decode(tokens[i * prompt + prompt - 1]));
  }
  return all;
}

/// With 1, 2 and 4 threads, and as of a model that knows none.
template <class Tag, class... Slots>
void compare(std::size_t prompt, std::size_t prompts) {
  using alone = causal_lm<Tag, Slots...>;
  using M = causal_lm<Tag, Slots..., threads<pool<4>>>;
  running<alone> r;
  randomise<alone>(r.weights, 0.1);
  const auto expected = logits_of_prompts(r.session, M::shape.vocab, prompt, prompts);
  for (std::size_t n : {1, 2, 4}) {
    pool<4> workers(n);
    heap_arena memory(M::session_bytes);
    typename M::weights same = M::weights::bind(r.weights.bytes()).value();
    typename M::session s(same, memory, workers);
    CHECK(logits_of_prompts(s, M::shape.vocab, prompt, prompts) == expected);
  }
}

}  // namespace

TEST_CASE("sessions give the same bits for any number of threads", "[model][threads]") {
  compare<wide, weights<int8<32>>>(20, 1);
  compare<wide, weights<f32>>(20, 1);
}

TEST_CASE("threads change no bit where rings wrap", "[model][threads]") { compare<windowed, prompt_chunk<64>>(64, 10); }

TEST_CASE("threads change no bit of a model in several formats", "[model][format][threads]") {
  compare<wide, weights<int4<32, asymmetric>, keep<int8<32>, tensors::embedding, tensors::head>,
                        keep<bf16, tensors::layers<0, 1>>>>(12, 2);
}
