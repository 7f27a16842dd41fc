// SPDX-License-Identifier: MIT
// ctlm: numbers apart from all else, and digits from each other.
#pragma once

#include "piece.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace pre_tokenizer_detail {

struct digits {
  static constexpr const char* type = "Digits";
  bool individual_digits = false;

  static result<digits> read(const json::value& v) {
    return digits{tokenizer_json_detail::flag(v, "individual_digits", false)};
  }
  template <class F>
  void cut(const piece& p, F f) const {
    cut_at(p, is_number, individual_digits ? behaviour::isolated : behaviour::contiguous, f);
  }
};

}}}  // namespace ctlm::pre_tokenizer_detail
