// SPDX-License-Identifier: MIT
// ctlm: every operation of a transformer, written once over the primitives of a backend.
#pragma once

#include "attention_backward.hpp"
#include "cross_entropy.hpp"
#include "dropout.hpp"
#include "embedding.hpp"
#include "feed_forward.hpp"
#include "linear.hpp"
#include "linear_mixed.hpp"
#include "logit_cap.hpp"
#include "norm.hpp"
#include "rope.hpp"
