// SPDX-License-Identifier: MIT
// ctlm: declarations for headers that only name a model: nothing is defined, nothing is included but the types.
#pragma once

#include "core/types.hpp"

namespace ctlm { inline namespace CTLM_ABI {

struct gpt2_config;
struct llama_config;
struct f32;
struct f64;
struct f16;
struct bf16;
struct portable;
struct serial;
struct sampler;

template <class Tag, class... Slots>
struct causal_lm;
template <class M>
class basic_session;
template <class M, class Recipe, class... Slots>
class trainer;
template <std::size_t Bytes>
class static_arena;
class span_arena;

}}  // namespace ctlm
