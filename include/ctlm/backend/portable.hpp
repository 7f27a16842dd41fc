// SPDX-License-Identifier: MIT
// ctlm: the backend that every machine and every constant expression can run; the oracle for all others.
#pragma once

#include "../core/types.hpp"

namespace ctlm { inline namespace CTLM_ABI {

struct portable {
  static constexpr const char* name = "portable";
};

}}  // namespace ctlm
