// Adapters over bases in few bits: what the passes see is the decoded base, which never lies in memory as a whole; what
// is in memory is said exactly; threads change no bit; what cannot be trained is refused.
#include "catch.hpp"

#include "adapters.hpp"

#include <cstring>

using namespace models;
using namespace adapter_models;

namespace {

struct tag {
  static constexpr llama_config config{
      .vocab = 99, .d_model = 72, .layers = 2, .heads = 6, .kv_heads = 2, .d_ff = 100, .context = 24};
};
struct long_recipe {
  static constexpr train_config config{.batch = 3, .accumulate = 2};
};
template <class M, class... More>
using learner = trainer<M, long_recipe, train_only<lora<3>, tensors::gains>, More...>;

template <class T>
std::vector<float> losses_of(T& t) {
  std::vector<float> all;
  for (std::uint64_t s = 0; s < 8; ++s) {
    const auto tokens = random_tokens(T::step_tokens + 1, T::shape.vocab, 1 + s % 2);
    const span<const token> read = tokens;
    all.push_back(t.step(read.first(T::step_tokens), read.subspan(1)).loss);
  }
  return all;
}

/// The losses over a base, and over its decoded numbers.
template <class F, class... Keeps>
void compare_with_decoded() {
  using small = causal_lm<tag, weights<F, Keeps...>>;
  using full = causal_lm<tag>;
  heap_arena small_memory(small::weight_bytes), full_memory(full::weight_bytes);
  typename small::weights base(small_memory);
  full::weights decoded_base(full_memory);
  randomise<small>(base);
  decode_weights(base, decoded_base);
  const std::vector<std::byte> before(base.bytes().begin(), base.bytes().end());
  using T = learner<small>;
  using U = learner<full>;
  heap_arena memory(T::train_bytes), other(U::train_bytes);
  typename T::options options;
  options.optimizer.lr = 1e-2f;
  T t(base, memory, options);
  U u(decoded_base, other, {.optimizer = {.lr = 1e-2f}});
  CHECK(memory.remaining() == 0);  // train_bytes, to the byte
  const auto mine = losses_of(t), expected = losses_of(u);
  double worst = 0;
  for (std::size_t i = 0; i < mine.size(); ++i)
    worst = worse(worst, std::fabs(static_cast<double>(mine[i]) - static_cast<double>(expected[i])));
  CHECK(worst < 1e-4);
  CHECK(mine.back() < mine.front() - 0.1f);
  CHECK(std::memcmp(before.data(), base.bytes().data(), before.size()) == 0);  // the base is as it was
}

}  // namespace

TEST_CASE("adapters learn over a base in few bits as over its decoded numbers", "[train][adapters]") {
  compare_with_decoded<int4<32, range::asymmetric>>();
  compare_with_decoded<f8_e4m3>();
#if !CTLM_FEW_KINDS  // in the last one there are these three
  compare_with_decoded<int8<32>>();
  compare_with_decoded<int4<32>>();
  compare_with_decoded<bf16>();
#endif
  compare_with_decoded<int4<32>, keep<int8<32>, tensors::embedding>, keep<bf16, tensors::both<tensors::down>>>();
}

TEST_CASE("adapters have the same bits for any number of threads", "[train][adapters][threads]") {
  auto run = [](std::size_t threads) {
    using lm = causal_lm<tag, weights<int4<32>>, ctlm::threads<pool<4>>>;
    using T = learner<lm>;
    heap_arena base_memory(lm::weight_bytes), memory(T::train_bytes);
    lm::weights base(base_memory);
    randomise<lm>(base);
    pool<4> workers(threads);
    T t(base, memory, {}, workers);
    losses_of(t);
    const auto all = t.learned().bytes();
    return std::vector<std::byte>(all.begin(), all.end());
  };
  const auto expected = run(1);
  CHECK(run(2) == expected);
  CHECK(run(4) == expected);
}

TEST_CASE("what does not learn has neither gradients nor state", "[train][adapters]") {
  using lm = causal_lm<tag, weights<int4<32>>>;
  using T = trainer<lm, long_recipe, train_only<lora<3>>>;
  // A and B of q, k, v, out, gate, up and down, of two layers.
  constexpr std::size_t numbers = 2 * 3 * (3 * 72 + 72 + 2 * 24 + 72 + 72 + 2 * 72 + 2 * 100 + 100 + 72);
  STATIC_REQUIRE(learned_of<lm::shape_type, chosen_tensors<lora<3>>>.parameters() == numbers);
  // Two moments, each with its tensors padded to memory_alignment.
  STATIC_REQUIRE(T::state_bytes >= 2 * 4 * numbers);
  STATIC_REQUIRE(T::state_bytes < 2 * (4 * numbers + 8 * memory_alignment));
  using full = trainer<causal_lm<tag>, long_recipe>;
  STATIC_REQUIRE(T::train_bytes + 3 * full::model::weight_bytes < full::train_bytes);
}

TEST_CASE("a checkpoint of adapters goes on with the same bits", "[train][adapters]") {
#if CTLM_FEW_KINDS  // a base that another case has
  using lm = causal_lm<tag, weights<int4<32, range::asymmetric>>>;
#else
  using lm = causal_lm<tag, weights<int8<32>>>;
#endif
  using T = learner<lm>;
  heap_arena base_memory(lm::weight_bytes), memory(T::train_bytes), other(T::train_bytes);
  lm::weights base(base_memory);
  randomise<lm>(base);
  T t(base, memory, {}), u(base, other, {.seed = 3});
  losses_of(t);
  std::vector<std::byte> kept;
  REQUIRE(put_checkpoint(t, {}, [&](const void* p, std::size_t n) {
    const auto* bytes = static_cast<const std::byte*>(p);
    kept.insert(kept.end(), bytes, bytes + n);
  }));
  CHECK(kept.size() < 3 * T::state_bytes);  // the base is not in it
  REQUIRE(take_checkpoint(kept, u, {}));
  CHECK(losses_of(t) == losses_of(u));
}

namespace {

using small_lm = causal_lm<tag>;
struct with_alpha {
  static constexpr lora_config config{.alpha = 16};
};
#if !CTLM_FEW_KINDS
struct by_root {
  static constexpr lora_config config{.rank_stabilised = true};
};
#endif
template <class... Parts>
using part_trainer = trainer<small_lm, long_recipe, train_only<Parts...>>;

/// Bytes of a checkpoint; `old` leaves out what those of earlier versions did not have.
template <class T>
std::vector<std::byte> checkpoint_of(T& t, bool old = false) {
  std::vector<checkpoint_section> sections;
  t.for_each_state([&](const char* name, void* data, std::size_t bytes) {
    if (!old || bytes > 0) sections.push_back({name, data, bytes});
  });
  std::vector<std::byte> kept;
  const auto put = [&](const void* p, std::size_t n) {
    const auto* bytes = static_cast<const std::byte*>(p);
    kept.insert(kept.end(), bytes, bytes + n);
  };
  REQUIRE(put_checkpoint(weights_fingerprint<small_lm>(), sections, put));
  return kept;
}

/// What a trainer says of a checkpoint of another one, whose state has as many bytes.
template <class T, class U>
std::string words_of_another() {
  heap_arena base_memory(small_lm::weight_bytes), memory(T::train_bytes), other(U::train_bytes);
  small_lm::weights base(base_memory);
  randomise<small_lm>(base);
  T t(base, memory, {});
  U u(base, other, {});
  REQUIRE(T::state_bytes == U::state_bytes);
  const auto before = checkpoint_of(u);
  const auto r = take_checkpoint(checkpoint_of(t), u, {});
  REQUIRE(!r);
  CHECK(r.error().code == errc::wrong_model);
  CHECK(checkpoint_of(u) == before);
  return explain(r.error()).text;
}

}  // namespace

TEST_CASE("checkpoints of adapters of equal sizes are told apart", "[train][adapters]") {
  namespace ts = tensors;
  const std::string words =
      "ctlm: in this checkpoint something else has learned than in this trainer: other tensors, layers or projections, "
      "or an adapter of another rank, alpha or kind";
  CHECK(words_of_another<part_trainer<lora<2>>, part_trainer<lora<2, ts::projections, with_alpha>>>() == words);
#if !CTLM_FEW_KINDS  // the same ways, at the cost of a compiler's time
  CHECK(words_of_another<part_trainer<lora<2, ts::both<ts::out, ts::layers<0>>>>,
                         part_trainer<lora<2, ts::both<ts::out, ts::layers<1>>>>>() == words);
  CHECK(words_of_another<part_trainer<lora<2, ts::keys>>, part_trainer<lora<2, ts::values>>>() == words);
  CHECK(words_of_another<part_trainer<lora<2, ts::gate>>, part_trainer<lora<2, ts::gated>>>() == words);
  CHECK(words_of_another<part_trainer<lora<2>>, part_trainer<lora<2, ts::projections, by_root>>>() == words);
  CHECK(words_of_another<part_trainer<ts::both<ts::gains, ts::layers<0>>>,
                         part_trainer<ts::both<ts::gains, ts::layers<1>>>>() == words);
#endif
}

TEST_CASE("a checkpoint that does not say what learned is refused", "[train][adapters]") {
  using T = part_trainer<lora<2>>;
  heap_arena base_memory(small_lm::weight_bytes), memory(T::train_bytes);
  small_lm::weights base(base_memory);
  randomise<small_lm>(base);
  T t(base, memory, {});
  REQUIRE(take_checkpoint(checkpoint_of(t), t, {}));
  const auto r = take_checkpoint(checkpoint_of(t, true), t, {});
  REQUIRE(!r);
  CHECK(std::string(explain(r.error()).text) ==
        "ctlm: this checkpoint does not say what of the model has learned: it is of a trainer without train_only<>, or "
        "was written before checkpoints said so");
}
