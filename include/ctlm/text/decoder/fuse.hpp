// SPDX-License-Identifier: MIT
// ctlm: one text of all tokens.
#pragma once

#include "step.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace decoder_detail {

struct fuse {
  static constexpr const char* type = "Fuse";
  static constexpr bool fuses = true;

  static result<fuse> read(const json::value&) { return fuse{}; }
  template <class F>
  void push(state&, std::string_view token, F f) const {
    f(token);
  }
  template <class F>
  void finish(state&, F) const {}
};

}}}  // namespace ctlm::decoder_detail
