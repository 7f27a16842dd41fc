// Models whose speed is measured, with random weights, and what this machine can do at most.
#pragma once

#include "limits.hpp"
#include "random_weights.hpp"
#include "shapes.hpp"

#include <memory>

using workers = ctlm::pool<2>;

struct machine {
  bench::read_limits read;
  double fma[2], bfloats[2], integers[2];  // with 1 and 2 threads: operations per second
};

inline std::string threads_text(std::size_t n) { return n == 1 ? ", 1 thread" : ", " + std::to_string(n) + " threads"; }

template <class M>
struct random_model {
  ctlm::heap_arena memory{M::weight_bytes + M::session_bytes};
  typename M::weights weights{memory};
  std::unique_ptr<typename M::session> session;

  explicit random_model(workers& exec) {
    bench::fill_weights(weights);
    session = std::make_unique<typename M::session>(weights, memory, exec);
  }
};

template <class Tag, class F>
using decoder = ctlm::causal_lm<Tag, ctlm::weights<F>, ctlm::threads<workers>, ctlm::prompt_chunk<128>>;

/// Operations of a prompt's token on average, of `length` tokens: two for each weight but those of the embedding and of
/// the head, and four for each number of every key that attention looks at.
template <class M>
constexpr double operations_per_token(std::size_t length) {
  return 2.0 * static_cast<double>(M::parameters - M::shape.vocab * M::shape.d_model) +
         4.0 * static_cast<double>(M::shape.layers * M::shape.q_dim()) * static_cast<double>(length) / 2;
}
