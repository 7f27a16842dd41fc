// Optimizers: the same bits whoever runs their updates. Each executor makes a compiler write the update once more;
// where it merges a product with a sum in one of them and not in another, bits differ.
#include "catch.hpp"

#include "runs.hpp"

#include <ctlm/policy/optimizer/galore.hpp>
#include <ctlm/policy/optimizer/stabilised.hpp>

using namespace ctlm;
using namespace models;
using namespace runs;

namespace {

/// Five updates of all weights of M by O, from gradients that a seed gives; Groups are none, or gains alone.
template <class M, class O, class Groups>
std::vector<typename M::real> updated(const typename O::options& o, typename M::executor_policy& exec) {
  using update_type = weight_update<M, O>;
  const auto place = [](auto& a, update_type& u) { u.place(a, a); };
  heap_arena memory(measure([&](auto&a) {
    update_type u;
    place(a, u);
  })),
      numbers(2 * M::weight_bytes);
  typename M::weights w(numbers), g(numbers);
  update_type u;
  place(memory, u);
  kernel_context<M> c;
  c.exec = &exec;
  rng random{3};
  for (const tensor_info& t : M::tensors)
    for (auto& x : w.numbers(t)) x = static_cast<typename M::real>(random.uniform() - 0.5);
  for (std::size_t step = 1; step <= 5; ++step) {
    for (const tensor_info& t : M::tensors)
      for (auto& x : g.numbers(t)) x = static_cast<typename M::real>(random.uniform() - 0.5);
    const update how{.lr = static_cast<double>(o.lr), .step = step, .gradient_scale = 0.7, .decay = true};
    if constexpr (Groups::count > 0) {
      const typename Groups::options groups{{.rate = 0.5f, .decay = 2}};
      u.template apply<true, Groups>(c, w, g, o, how, groups);
    } else {
      u.template apply<true>(c, w, g, o, how);
    }
  }
  return numbers_of<M>(w);
}

/// Whether executors of any number of threads leave the bits of the one without threads.
template <class O, class F, class Groups = weight_groups<>>
void same_bits(const typename O::options& o) {
  using alone = causal_lm<wide, weights<F>>;
  using shared = causal_lm<wide, weights<F>, threads<pool<3>>>;
  serial one;
  const auto expected = updated<alone, O, Groups>(o, one);
  for (std::size_t n : {1u, 2u, 3u}) {
    pool<3> workers(n);
    INFO(n << " threads, " << sizeof(typename alone::real) << " bytes a number, " << Groups::count << " groups");
    CHECK(updated<shared, O, Groups>(o, workers) == expected);
  }
}

}  // namespace

TEMPLATE_TEST_CASE("optimizers: the same bits for 1, 2 and 3 threads, without threads, and in groups",
                   "[train][threads]", sgd, adam, adamw, lion, rmsprop, centered_rmsprop, adafactor, muon, adam8,
                   (galore<adamw, 24>), (galore<adam8, 24>), (galore<muon, 24>), (stabilised<adamw>),
                   (stabilised<adafactor>)) {
  typename TestType::options o{};
  if constexpr (requires { o.weight_decay; }) o.weight_decay = 0.1f;
  if constexpr (requires { o.period; }) o.period = 2;
  if constexpr (requires { o.inner.weight_decay; }) o.inner.weight_decay = 0.1f;
  same_bits<TestType, f32>(o);
  same_bits<TestType, f32, weight_groups<tensors::gains>>(o);
  if constexpr (requires { o.dampening; }) {
    o.nesterov = true;
    same_bits<TestType, f32>(o);
    o.nesterov = false;
    o.dampening = 0.5f;
    same_bits<TestType, f32>(o);
  }
  if constexpr (requires { o.match_adamw; }) {
    o.match_adamw = !o.match_adamw;
    same_bits<TestType, f32>(o);
  }
  if constexpr (!requires { o.inner; }) same_bits<TestType, f64>(o);
}
