// Trainings that begin with whole matrices and go on with factored ones.
#include "catch.hpp"

#include <ctlm/ctlm.hpp>
#include <ctlm/train/progressive.hpp>

#include "runs.hpp"
#include "worse.hpp"

#include <cmath>
#include <cstring>

using namespace ctlm;
using namespace models;
using namespace runs;

namespace {

struct recipe {
  static constexpr train_config config{.batch = 2, .sequence = 16};
};
struct forgetful : sgd {
  static constexpr moment_kind moment_kinds[] = {moment_kind::other};
};
/// The state of the trainer that there is now.
template <class T>
std::vector<std::vector<std::byte>> state_now(T& t) {
  return t.visit([](auto& one) { return state_of(one); });
}
template <class T>
std::vector<std::byte> saved(T& t) {
  std::vector<std::byte> kept;
  REQUIRE(t.save([&](auto& one, span<const checkpoint_section> extra) {
    return put_checkpoint(one, extra, [&](const void* p, std::size_t n) {
      kept.insert(kept.end(), static_cast<const std::byte*>(p), static_cast<const std::byte*>(p) + n);
    });
  }));
  return kept;
}
template <class T>
result<void> load(T& t, const std::vector<std::byte>& kept) {
  return t.resume([&](auto& one, span<const checkpoint_section> extra) {
    return take_checkpoint(span<const std::byte>(kept.data(), kept.size()), one, extra);
  });
}

}  // namespace

TEST_CASE("a progressive trainer: whole, then factored", "[factored][train]") {
  using t = progressive_trainer<causal_lm<wide, factored<24>>, recipe>;
  using whole = trainer<causal_lm<wide>, recipe>;
  heap_arena memory(t::train_bytes), other(whole::train_bytes);
  t one(memory, {.optimizer = {.lr = 3e-3f}}, {.switch_at = 40, .rate = 0.5f});
  whole w(other, {.optimizer = {.lr = 3e-3f}});
  CHECK(memory.remaining() == 0);
  float before = 0;
  for (int i = 0; i < 40; ++i) {
    before = one_step(one).loss;
    CHECK(before == one_step(w).loss);
  }
  CHECK(!one.is_factored());
  const step_result first = one_step(one);
  CHECK(one.is_factored());
  CHECK(first.step == 40);
  CHECK(first.lr == 1.5e-3f);
  float last = 0;
  for (int i = 0; i < 80; ++i) last = one_step(one).loss;
  CHECK(last < 0.7f * before);
  CHECK(one.steps() == 121);
}

TEST_CASE("the optimizer's state goes through the chain rule", "[factored][train]") {
  // Without a step's change, the first momentum is the gradient: of whole matrices, and carried over, of factors.
  using lm = causal_lm<wide, weights<f64>, factored<30>>;
  using t = progressive_trainer<lm, recipe, optimizer<sgd>>;
  heap_arena memory(t::train_bytes), other(t::factored_trainer::train_bytes);
  t one(memory, {.optimizer = {.lr = 0, .momentum = 0.9f}, .clip_norm = 0}, {.switch_at = 1});
  // Weights of rank 30, so that factors lose nothing.
  t::factored_trainer beside(other, {.seed = 5});
  heap_arena merged_memory(lm::whole_model::weight_bytes);
  lm::whole_model::weights merged(merged_memory);
  merge_factors(beside.weights(), merged);
  one.visit([&](auto& trainer) {
    if constexpr (std::is_same_v<std::remove_cvref_t<decltype(trainer)>, t::whole_trainer>) trainer.start_from(merged);
  });
  one_step(one);
  one.factorise();
  beside.start_from(one.weights());
  beside.forward_backward(random_tokens(t::step_tokens, 300, 1), random_tokens(t::step_tokens, 300, 101));
  lm::weights carried;
  one.visit([&](auto& trainer) {
    trainer.for_each_state([&](const char* name, void* data, std::size_t bytes) {
      if (std::strcmp(name, "moment1") == 0 && bytes == lm::weight_bytes)
        carried = lm::weights::bind({static_cast<std::byte*>(data), bytes}).value();
    });
  });
  for (const tensor_info& info : lm::tensors) {
    double worst = 0, largest = 0;
    const auto a = carried.numbers(info);
    const auto b = beside.gradients().numbers(info);
    for (std::size_t i = 0; i < a.size(); ++i) {
      worst = worse(worst, std::fabs(a[i] - b[i]));
      largest = worse(largest, std::fabs(b[i]));
    }
    INFO(info.name);
    CHECK(largest > 0);
    CHECK(worst < 1e-6 * largest);
  }
}

TEST_CASE("a number of an optimizer's state begins again where the optimizer says so", "[factored][train]") {
  const auto largest_momentum = []<class O>(O) {
    using t = progressive_trainer<causal_lm<wide, factored<24>>, recipe, optimizer<O>>;
    heap_arena memory(t::train_bytes);
    t one(memory, {}, {});
    one_step(one);
    one.factorise();
    double largest = 0;
    one.visit([&](auto& trainer) {
      trainer.for_each_state([&](const char* name, void* data, std::size_t bytes) {
        if (std::strcmp(name, "moment1") != 0) return;
        const auto w = t::model::weights::bind({static_cast<std::byte*>(data), bytes}).value();
        for (float x : w.numbers(t::model::tensors.of(tensor_id::up_u)))
          largest = worse(largest, std::fabs(static_cast<double>(x)));
      });
    });
    return largest;
  };
#if !CTLM_FEW_KINDS  // carried over above
  CHECK(largest_momentum(sgd{}) > 0);
#endif
  CHECK(largest_momentum(forgetful{}) == 0);
}

TEST_CASE("means of squares are never below squares of means", "[factored][train]") {
  using lm = causal_lm<wide, factored<24>>;
  using t = progressive_trainer<lm, recipe>;
  heap_arena memory(t::train_bytes);
  t one(memory, {}, {});
  for (int i = 0; i < 3; ++i) one_step(one);
  one.factorise();
  lm::weights mean, square;
  one.visit([&](auto& trainer) {
    trainer.for_each_state([&](const char* name, void* data, std::size_t bytes) {
      if (bytes != lm::weight_bytes) return;
      const auto views = lm::weights::bind({static_cast<std::byte*>(data), bytes}).value();
      if (std::strcmp(name, "moment1") == 0) mean = views;
      if (std::strcmp(name, "moment2") == 0) square = views;
    });
  });
  for (const tensor_id id : {tensor_id::up_u, tensor_id::up_s, tensor_id::down_v, tensor_id::qkv_d}) {
    const auto m = mean.numbers(lm::tensors.of(id)), s = square.numbers(lm::tensors.of(id));
    std::size_t below = 0, zeros = 0;
    for (std::size_t i = 0; i < m.size(); ++i) {
      below += s[i] < m[i] * m[i];
      zeros += m[i] == 0;
    }
    CHECK(below == 0);
    CHECK(zeros < m.size() / 10);
  }
}

TEST_CASE("a progressive run resumes to the bit, on both sides of the switch", "[factored][train]") {
  using t = progressive_trainer<causal_lm<wide, factored<24>>, recipe>;
#if CTLM_FEW_KINDS  // one that another case has
  using other = progressive_trainer<causal_lm<wide, weights<f64>, factored<30>>, recipe, optimizer<sgd>>;
#else
  using other = progressive_trainer<causal_lm<wide, factored<25>>, recipe>;
#endif
  const progression when{.switch_at = 2, .patience = 3};
  heap_arena memory(t::train_bytes), again(t::train_bytes), later(t::train_bytes), wrong(other::train_bytes);
  t one(memory, {}, when), early(again, {}, when), late(later, {}, when);
  one_step(one, 1);
  one.judge(5.0);
  const auto before = saved(one);
  for (std::uint64_t s = 2; s <= 4; ++s) one_step(one, s);
  const auto after = saved(one);
  one_step(one, 5);
  REQUIRE(load(early, before));
  CHECK(!early.is_factored());
  for (std::uint64_t s = 2; s <= 5; ++s) one_step(early, s);
  CHECK(state_now(early) == state_now(one));
  REQUIRE(load(late, after));
  CHECK(late.is_factored());
  one_step(late, 5);
  CHECK(state_now(late) == state_now(one));
  // Back again, and a file of another model.
  REQUIRE(load(late, before));
  CHECK(!late.is_factored());
  CHECK(late.steps() == 1);
  other not_this(wrong, {}, when);
  const auto r = load(not_this, after);
  REQUIRE(!r);
  CHECK(r.error().code == errc::wrong_model);
  CHECK_THROWS_AS(one_step(not_this), error);
}

TEST_CASE("a progressive run has the same bits for 1, 2 and 3 threads", "[factored][train][threads]") {
  using alone = progressive_trainer<causal_lm<wide, factored<24>>, recipe>;
  using shared = progressive_trainer<causal_lm<wide, factored<24>, threads<pool<3>>>, recipe>;
  heap_arena first(alone::train_bytes), second(shared::train_bytes), third(shared::train_bytes);
  pool<3> two(2), three(3);
  alone a(first, {}, {.switch_at = 2});
  shared b(second, {}, {.switch_at = 2}, two), c(third, {}, {.switch_at = 2}, three);
  for (std::uint64_t s = 1; s <= 4; ++s) {
    one_step(a, s);
    one_step(b, s);
    one_step(c, s);
  }
  CHECK(state_now(a) == state_now(b));
  CHECK(state_now(a) == state_now(c));
}

TEST_CASE("validation decides when a run goes on with factors", "[factored][train]") {
  using t = progressive_trainer<causal_lm<wide, factored<24>>, recipe, optimizer<muon>>;
  heap_arena memory(t::train_bytes);
  t one(memory, {}, {.patience = 2, .gain = 0.1f});
  one_step(one);
  CHECK(!one.judge(5.0));
  CHECK(!one.judge(4.6));  // better, but by less than a tenth
  CHECK(!one.judge(4.4));  // better
  CHECK(!one.judge(4.3));
  CHECK_THROWS_AS(one.weights(), error);
  CHECK(one.judge(4.2));
  CHECK(one.is_factored());
  CHECK(!one.judge(9));
  one_step(one);
  CHECK(one.steps() == 2);
  CHECK_THROWS_AS(t(memory, {}, {.rate = 0}), error);
}
