// SPDX-License-Identifier: MIT
// ctlm: small letters.
#pragma once

#include "step.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace normalizer_detail {

struct lowercase {
  static constexpr const char* type = "Lowercase";

  static result<lowercase> read(const json::value&) { return lowercase{}; }
  std::string_view apply(std::string_view text, std::string& buffer) const {
    std::uint32_t then = 0;
    return each_character(
        text, buffer, [&](std::uint32_t c) { return lower_of(c, then) != c; },
        [&](std::uint32_t c, std::string& to) {
          append(to, lower_of(c, then));
          if (then != 0) append(to, then);
        });
  }
};

}}}  // namespace ctlm::normalizer_detail
