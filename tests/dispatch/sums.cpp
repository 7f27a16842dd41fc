// A file that is compiled for several levels.
#include "shared.hpp"

int count_a_call();

namespace {

std::int32_t sum(const std::vector<std::int32_t>& values) {
  ++calls();
  std::vector<std::int32_t> copy = values;
  copy.push_back(1);
  return sum_of_squares(copy);
}
void refuse() {
  try {
    throw refused("inside");
  } catch (const std::runtime_error&) {
    throw refused("as it should");
  }
}

}  // namespace

CTLM_VARIANT(sums) = {.sum = sum, .count = count_a_call, .refuse = refuse};
