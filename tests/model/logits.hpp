// All logits of a model with random weights, and how far two lists of them are apart.
#pragma once

#include "catch.hpp"

#include "models.hpp"
#include "worse.hpp"

#include <cmath>
#include <vector>

namespace models {

using namespace ctlm;

/// All logits after each of the tokens, which enter `chunk` at a time.
template <class M>
std::vector<double> logits_of(const std::vector<token>& tokens, std::size_t chunk = 1000) {
  running<M> r;
  randomise<M>(r.weights, 0.3);
  CHECK(r.session_memory.remaining() == 0);
  std::vector<double> all;
  for (std::size_t i = 0; i < tokens.size(); i += chunk)
    r.session.score(span<const token>(tokens).subspan(i, smaller(chunk, tokens.size() - i)),
                    [&](std::size_t, auto logits) { all.insert(all.end(), logits.begin(), logits.end()); });
  return all;
}

inline double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  double w = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < smaller(a.size(), b.size()); ++i) w = worse(w, std::fabs(a[i] - b[i]));
  return w;
}

}  // namespace models
