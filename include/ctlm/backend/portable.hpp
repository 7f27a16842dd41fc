// SPDX-License-Identifier: MIT
// ctlm: the backend that every machine and every constant expression can run; the oracle for all others.
#pragma once

#include "../core/types.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Plain C++ loops: slower, complete, constexpr, and the same session_bytes on every machine.
struct portable {
  static constexpr const char* name = "portable";
};

}}  // namespace ctlm
