// A run, which a checkpoint can take up again.
#pragma once

#include <ctlm/ctlm.hpp>

#include <vector>

namespace demo {

/// What a checkpoint keeps besides the trainer's state.
struct run_state {
  std::uint64_t seed = 0;
  std::uint64_t steps = 0;
  std::uint64_t text_hash = 0;
  std::uint64_t batches = 0;
  std::uint64_t merge_count = 0;
  std::uint64_t points = 0;
};
constexpr std::size_t max_points = 4096;  // of the loss curve

struct run {
  run_state state;
  std::vector<ctlm::bpe::merge> merge_table;
  std::vector<ctlm::loss_point> training = std::vector<ctlm::loss_point>(max_points);
  std::vector<ctlm::loss_point> validation = std::vector<ctlm::loss_point>(max_points);
  std::uint64_t validations = 0;

  explicit run(std::size_t merges) : merge_table(merges) {}

  std::vector<ctlm::checkpoint_section> sections() {
    return {{"run", &state, sizeof state},
            {"merges", merge_table.data(), merge_table.size() * sizeof(ctlm::bpe::merge)},
            {"training curve", training.data(), training.size() * sizeof(ctlm::loss_point)},
            {"validation curve", validation.data(), validation.size() * sizeof(ctlm::loss_point)},
            {"validations", &validations, sizeof validations}};
  }
  /// Do its counts fit their tables? A checkpoint whose checksum is right can still be made by somebody else.
  bool fits() const {
    return state.merge_count <= merge_table.size() && state.points <= max_points && validations <= max_points &&
           state.steps > 0;
  }
  void add(const ctlm::step_result& r) {
    const std::size_t stride = ctlm::ceil_div(state.steps, max_points);
    if (r.step % stride == 0 && state.points < max_points)
      training[state.points++] = {static_cast<std::uint32_t>(r.step), r.loss};
  }
  void add_validation(std::size_t step, double loss) {
    if (validations < max_points)
      validation[validations++] = {static_cast<std::uint32_t>(step), static_cast<float>(loss)};
  }
  ctlm::loss_curve curve() const {
    return {{training.begin(), training.begin() + static_cast<std::ptrdiff_t>(state.points)},
            {validation.begin(), validation.begin() + static_cast<std::ptrdiff_t>(validations)}};
  }
};

}  // namespace demo
