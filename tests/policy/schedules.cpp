// Schedules against PyTorch's and Transformers' (make_schedules.py), and what they refuse.
#include "catch.hpp"
#include "paths.hpp"
#include "worse.hpp"

#include <ctlm/ctlm.hpp>

#include <cmath>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

using namespace ctlm;

namespace {

std::vector<double> stored(const std::string& name) {
  std::ifstream file(std::string(paths::source) + "/tests/policy/schedules.txt");
  REQUIRE(file.good());
  for (std::string line, first; std::getline(file, line);) {
    std::istringstream in(line);
    in >> first;
    if (first != name) continue;
    std::vector<double> rates;
    for (double r; in >> r;) rates.push_back(r);
    return rates;
  }
  return {};
}

/// Of two schedules that agree, the rates differ by the roundings of the file; `first` steps are not looked at.
template <class S>
void follows(const std::string& name, const typename S::options& o, std::size_t first = 0) {
  const std::vector<double> rates = stored(name);
  REQUIRE(rates.size() == 120);
  REQUIRE(options_problem<S>(o).code == errc::ok);
  double worst = 0;
  for (std::size_t s = first; s < rates.size(); ++s)
    worst = worse(worst, std::fabs(S::rate(o, 1e-3, s) / rates[s] - 1));
  INFO(name << ": worst relative difference " << worst);
  CHECK(worst < 1e-8);
}
template <class S>
std::string words_of(const typename S::options& o) {
  const failure f = options_problem<S>(o);
  return f.code == errc::ok ? "" : explain(f);
}

}  // namespace

TEST_CASE("schedules follow PyTorch's at every step", "[policy]") {
  follows<constant_rate>("constant", {});
  follows<linear_rate>("linear", {.total = 80, .end = 0.1f});
  follows<exponential_rate>("exponential", {.gamma = 0.97f});
  follows<step_rate>("step", {.every = 25, .gamma = 0.5f});
  follows<warmup_cosine>("cosine", {.warmup = 10, .total = 100, .min_lr = 1e-4f});
  follows<cosine_restarts>("restarts", {.period = 15, .longer = 2, .min_lr = 1e-4f});
  follows<cosine_restarts>("equal_restarts", {.period = 30});
  follows<warmed<stable_decay>>("stable_decay", {.warmup = 10, .then = {.stable = 60, .decay = 30, .min_lr = 5e-5f}});
  follows<warmed<step_rate>>("warmed_step", {.warmup = 10, .then = {.every = 25, .gamma = 0.5f}});
  follows<warmed<inverse_sqrt>>("inverse_sqrt", {.warmup = 20, .then = {.timescale = 40}}, 20);  // it warms up from 0
}

TEST_CASE("a warm-up rises in equal parts to the first rate of what follows", "[policy]") {
  using S = warmed<linear_rate>;
  const S::options o{.warmup = 4, .then = {.total = 10, .begin = 0.5f}};
  for (std::size_t s = 0; s < 4; ++s) CHECK(S::rate(o, 1, s) == Approx(0.125 * static_cast<double>(s + 1)));
  CHECK(S::rate(o, 1, 4) == Approx(0.5));
  CHECK(S::rate({.warmup = 0, .then = {.total = 10}}, 1, 0) == 1);
}

TEST_CASE("schedules refuse what has no rate", "[policy]") {
  CHECK(words_of<linear_rate>({.total = 0}) == "ctlm: schedule.total must be at least 1 step, not 0");
  CHECK(words_of<linear_rate>({.end = -1}) == "ctlm: schedule.end must be a finite number of at least 0");
  CHECK(words_of<exponential_rate>({.gamma = 0}) == "ctlm: schedule.gamma must be above 0 and at most 1");
  CHECK(words_of<step_rate>({.every = 0}) == "ctlm: schedule.every must be at least 1 step, not 0");
  CHECK(words_of<step_rate>({.gamma = 1.5f}) == "ctlm: schedule.gamma must be above 0 and at most 1");
  CHECK(words_of<cosine_restarts>({.period = 0}) == "ctlm: schedule.period must be at least 1 step, not 0");
  CHECK(words_of<cosine_restarts>({.longer = 0}) == "ctlm: schedule.longer must be at least 1, not 0");
  CHECK(words_of<stable_decay>({.decay = 0}) == "ctlm: schedule.decay must be at least 1 step, not 0");
  CHECK(words_of<inverse_sqrt>({.timescale = 0}) == "ctlm: schedule.timescale must be at least 1 step, not 0");
  CHECK(words_of<warmed<step_rate>>({.then = {.every = 0}}) == "ctlm: schedule.every must be at least 1 step, not 0");
}
