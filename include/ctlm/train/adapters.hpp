// SPDX-License-Identifier: MIT
// ctlm: training of a part of a model, or of adapters beside it: the slot train_only<> of a trainer, with lora<>. A
// program that uses them includes this file by name.
#pragma once

#include "adapted_learning.hpp"
#include "merge.hpp"
#include "trainer.hpp"
