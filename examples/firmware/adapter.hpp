// The adapter that firmware_adapt learns, as the device and the computer that takes it from there know it.
#pragma once

#include MODEL_HEADER

#include <ctlm/train/adapters.hpp>

using lm = MODEL::lm<ctlm::backend<ctlm::portable>>;
struct recipe {
  static constexpr ctlm::train_config config{.batch = 1, .sequence = 20};
};
struct rank4 {
  static constexpr ctlm::lora_config config{.alpha = 8};
};
using queries_and_values = ctlm::tensors::any<ctlm::tensors::queries, ctlm::tensors::values>;
using trainer = ctlm::trainer<lm, recipe, ctlm::train_only<ctlm::lora<4, queries_and_values, rank4>>,
                              ctlm::recompute<lm::shape.layers>>;
