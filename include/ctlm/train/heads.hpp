// SPDX-License-Identifier: MIT
// ctlm: heads with weights of their own: the slot head<classification<classes>>, or head<regression<outputs>>, of a
// trainer. A program that trains them includes this file by name.
#pragma once

#include "../policy/head/classification.hpp"
#include "../policy/head/regression.hpp"
#include "head_trainer.hpp"
