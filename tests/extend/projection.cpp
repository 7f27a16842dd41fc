// A projection of your own for GaLore: which directions of a gradient keep a state.
#include "catch.hpp"

#include <ctlm/ctlm.hpp>
#include <ctlm/policy/optimizer/galore.hpp>

#include <vector>

namespace {

/// The same random directions for every gradient of a step: no decomposition at all ("Flora", Hao et al. 2024, projects
/// so). Its rows are orthonormal, as factorisations have them.
struct random_projection {
  template <class T>
  struct scratch {
    ctlm::reflections<T> basis;
    T* products;
    std::size_t stride;
  };
  template <class T, class A, class Backend>
  static constexpr scratch<T> place_scratch(A& a, Backend backend, std::size_t workers, std::size_t rows,
                                            std::size_t cols, std::size_t rank) {
    scratch<T> lent{};
    const std::size_t length = ctlm::smaller(rows, cols);
    lent.basis.place(a, rank, length);
    lent.stride = ctlm::reflections<T>::workspace(backend, rank, length);
    lent.products = a.template allocate<T>(workers * lent.stride);
    return lent;
  }
  template <class Backend, ctlm::executor E, class T>
  static constexpr bool find(Backend backend, E& exec, std::size_t rows, std::size_t cols, const T*, std::size_t rank,
                             T* to, const scratch<T>& lent, std::uint64_t seed) {
    ctlm::reflections<T> basis = lent.basis;
    const std::size_t length = ctlm::smaller(rows, cols);
    basis.start(length, lent.products, lent.stride);
    for (std::size_t i = 0; i < rank * length; ++i)
      basis.next()[i] = static_cast<T>(ctlm::nearly_normal(ctlm::mix(seed, i)));
    basis.append(backend, exec, rank);
    basis.vectors(backend, exec, 0, rank, to);
    return true;
  }
};
static_assert(ctlm::projection_policy<random_projection>);

struct tiny {
  static constexpr ctlm::gpt2_config config{.vocab = 23, .d_model = 16, .layers = 1, .heads = 4, .context = 9};
};
struct recipe {
  static constexpr ctlm::train_config config{.batch = 2};
};
using lm = ctlm::causal_lm<tiny>;
using own = ctlm::galore<ctlm::adamw, 4, random_projection>;

}  // namespace

TEST_CASE("a projection of your own: a step stays in its directions, and training learns", "[extend]") {
  using trainer = ctlm::trainer<lm, recipe, ctlm::optimizer<own>>;
  ctlm::heap_arena memory{trainer::train_bytes};
  trainer t{memory, {.optimizer = {.lr = 1e-2f, .scale = 1, .period = 10, .inner = {.weight_decay = 0}}}};
  std::vector<ctlm::token> inputs(trainer::step_tokens), targets(trainer::step_tokens);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    inputs[i] = static_cast<ctlm::token>(i % 9);
    targets[i] = static_cast<ctlm::token>(i * 5 % 9);
  }
  const auto up = [&] {
    std::vector<float> all;
    for (const ctlm::tensor_info& info : lm::tensors)
      if (info.id == ctlm::tensor_id::up_weight) {
        const auto n = t.weights().numbers(info);
        all.assign(n.begin(), n.end());
      }
    return all;
  };
  const auto before = up();
  const float first = t.step(inputs, targets).loss;
  auto change = up();
  double squares = 0;
  for (std::size_t i = 0; i < change.size(); ++i) {
    change[i] -= before[i];
    squares += static_cast<double>(change[i]) * static_cast<double>(change[i]);
  }
  REQUIRE(squares > 0);
  // The change has four directions, and no more.
  ctlm::serial exec;
  const ctlm::factor_limits limits{64, 16, 8};
  ctlm::heap_arena scratch{ctlm::factor_workspace_bytes<float>(ctlm::native{}, 1, limits)};
  ctlm::factor_workspace<float> w;
  w.place(scratch, ctlm::native{}, 1, limits);
  std::vector<float> u(64 * 8), s(8), v(8 * 16);
  REQUIRE(change.size() == 64 * 16);
  ctlm::factorise(ctlm::native{}, exec, 64, 16, change.data(), 16, ctlm::factors<float>{u.data(), s.data(), v.data()},
                  w)
      .value();
  CHECK(s[3] > 1e-2f * s[0]);
  CHECK(s[4] < 1e-4f * s[0]);
  float last = first;
  for (int i = 0; i < 100; ++i) last = t.step(inputs, targets).loss;
  CHECK(last < first / 2);
}
