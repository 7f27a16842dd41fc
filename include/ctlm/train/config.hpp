// SPDX-License-Identifier: MIT
// ctlm: the part of a training recipe that decides the size of buffers.
#pragma once

#include "../core/types.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The sizes of a training step: the value of `config` in a recipe. They decide train_bytes; everything else about
/// training is an option at run time (trainer::options).
struct train_config {
  std::size_t batch;           ///< sequences that go through the model together (a micro-batch), at least 1
  std::size_t sequence = 0;    ///< tokens in a sequence, at most the model's context; 0: the context
  std::size_t accumulate = 1;  ///< micro-batches in a step, at least 1: their gradients are added up before the update
};

}}  // namespace ctlm
