// SPDX-License-Identifier: MIT
// ctlm: the part of a training recipe that decides the size of buffers.
#pragma once

#include "../core/types.hpp"

namespace ctlm { inline namespace CTLM_ABI {

struct train_config {
  std::size_t batch;           ///< sequences in a micro-batch
  std::size_t sequence = 0;    ///< tokens in a sequence; 0: the model's context
  std::size_t accumulate = 1;  ///< micro-batches in a step
};

}}  // namespace ctlm
