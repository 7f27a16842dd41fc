// SPDX-License-Identifier: MIT
// ctlm: how far a student's distribution is from a teacher's, in either direction and at a temperature, and gradients.
#pragma once

#include "../core/executor.hpp"
#include "cross_entropy.hpp"
#include "divergence.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Of `rows` rows of n logits: losses[r] is temperature^2 times the divergence of Kullback and Leibler between what the
/// teacher's and the student's logits become by softmax(logits / temperature), in nats: from the teacher to the
/// student, sum p log(p / q), or, where `reverse`, from the student to the teacher, sum q log(q / p). The square keeps
/// gradients as large as at temperature 1 (Hinton, Vinyals, Dean 2015). The student's logits become scale * gradients;
/// the teacher's are used up.
template <class Backend, executor E, class T>
constexpr void distillation(Backend backend, E& exec, std::size_t rows, std::size_t n, T* logits, T* teacher,
                            T temperature, bool reverse, T scale, T* losses) {
  const T cold = T(1) / temperature, factor = temperature * scale, square = temperature * temperature;
  parallel_for(exec, rows, larger(1, 8192 / n), [&](std::size_t first, std::size_t count, std::size_t) {
    for (std::size_t r = first; r < first + count; ++r) {
      T* x = logits + r * n;
      T* t = teacher + r * n;
      elementwise(
          backend, n, [=](auto& a, auto& b) { a *= cold, b *= cold; }, x, t);
      const T of_x = T(log_of_sum(backend, n, static_cast<const T*>(x)));
      const T of_t = T(log_of_sum(backend, n, static_cast<const T*>(t)));
      // From here on t is log(p) or, reversed, log(q / p).
      if (reverse)
        elementwise(
            backend, n, [=](auto& a, const auto& b) { a = (b - of_x) - (a - of_t); }, t, static_cast<const T*>(x));
      else
        elementwise(
            backend, n, [=](auto& a) { a -= of_t; }, t);
      const T apart = reverse ? T(0)
                              : sum(
                                    backend, n,
                                    [=](const auto& b, const auto& a) {
                                      using math::exp;
                                      return exp(a) * (a - (b - of_x));
                                    },
                                    static_cast<const T*>(x), static_cast<const T*>(t));
      softmax(backend, n, x);
      if (!reverse) {
        losses[r] = square * apart;
        elementwise(
            backend, n,
            [=](auto& q, const auto& a) {
              using math::exp;
              q = (q - exp(a)) * factor;
            },
            x, static_cast<const T*>(t));
        continue;
      }
      const T back = sum(
          backend, n, [](const auto& q, const auto& ratio) { return q * ratio; }, static_cast<const T*>(x),
          static_cast<const T*>(t));
      losses[r] = square * back;
      elementwise(
          backend, n, [=](auto& q, const auto& ratio) { q = q * (ratio - back) * factor; }, x,
          static_cast<const T*>(t));
    }
  });
}

}}  // namespace ctlm
