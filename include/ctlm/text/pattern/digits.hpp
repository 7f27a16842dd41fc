// SPDX-License-Identifier: MIT
// ctlm: groups of digits, as patterns beside others cut them; what lies between is not matched.
#pragma once

#include "basic_reader.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace pattern_detail {

template <std::size_t Most>
struct groups_of_digits {
  template <class Reader>
  static constexpr std::size_t end_of(const Reader& t, std::size_t i) {
    return t.run(i, numbers, Most);
  }
};
struct single_digits : groups_of_digits<1> {
  static constexpr const char* written = R"(\p{N})";
};
struct three_digits : groups_of_digits<3> {
  static constexpr const char* written = R"(\p{N}{1,3})";
};

}}}  // namespace ctlm::pattern_detail
