// SPDX-License-Identifier: MIT
// ctlm: the list of activation functions; a new one is a new file and a line here.
#pragma once

#include "gelu.hpp"
#include "relu.hpp"
#include "sigmoid.hpp"
#include "silu.hpp"
#include "tanh.hpp"
