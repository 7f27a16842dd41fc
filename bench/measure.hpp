// How benchmarks measure: medians of interleaved rounds, in one run, as a table and as JSON.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace bench {

inline double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

inline double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

/// One of several programs for the same work; `work` units are done by one call.
struct candidate {
  std::string name;
  std::function<void()> run;
  double work = 1;
};

/// Units of work per second of each candidate: medians over rounds in which all take their turn, so that what else the
/// machine does meets all of them. A turn lasts at least `seconds`; before it, what the one before left spinning (the
/// threads of OpenBLAS wait so for 30 ms) has time to fall asleep, and one call wakes those of this one.
inline std::vector<double> rates(const std::vector<candidate>& candidates, double seconds = 0.15, int rounds = 5) {
  std::vector<std::vector<double>> seen(candidates.size());
  for (const candidate& c : candidates) c.run();  // caches, page tables, threads
  for (int round = 0; round < rounds; ++round)
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      if (candidates.size() > 1) std::this_thread::sleep_for(std::chrono::milliseconds(60));
      candidates[i].run();
      const double start = now();
      double elapsed = 0;
      int calls = 0;
      while (elapsed < seconds) {
        candidates[i].run();
        ++calls;
        elapsed = now() - start;
      }
      seen[i].push_back(candidates[i].work * calls / elapsed);
    }
  std::vector<double> result;
  for (auto& s : seen) result.push_back(median(s));
  return result;
}

/// Lines of a table that are kept for the JSON as well.
class report {
 public:
  explicit report(bool json) : json_(json) {}

  void title(const std::string& text) {
    section_ = text;
    if (!json_) std::printf("\n%s\n", text.c_str());
  }
  /// A figure, and optionally what share of which limit, or how many times which peer, it is.
  void line(const std::string& name, double value, const std::string& unit, double share = 0,
            const std::string& of = "") {
    if (json_) {
      std::printf(
          "%s{\"section\": \"%s\", \"name\": \"%s\", \"value\": %.6g, \"unit\": \"%s\", \"ratio\": %.4g, \"to\": "
          "\"%s\"}",
          first_ ? "[\n" : ",\n", section_.c_str(), name.c_str(), value, unit.c_str(), share, of.c_str());
      first_ = false;
    } else if (of.empty()) {
      std::printf("  %-44s %12.4g %-12s\n", name.c_str(), value, unit.c_str());
    } else {
      std::printf("  %-44s %12.4g %-12s %5.2f of %s\n", name.c_str(), value, unit.c_str(), share, of.c_str());
    }
    std::fflush(stdout);
  }
  void end() {
    if (json_) std::printf("\n]\n");
  }

 private:
  bool json_, first_ = true;
  std::string section_;
};

}  // namespace bench
