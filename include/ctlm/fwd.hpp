// SPDX-License-Identifier: MIT
// ctlm: declarations for headers that only name a model: nothing is defined, nothing is included but the types.
#pragma once

#include "core/types.hpp"

namespace ctlm { inline namespace CTLM_ABI {

// Specs and recipes.
struct gpt2_config;
struct llama_config;
struct mistral_config;
struct mixtral_config;
struct qwen2_config;
struct qwen3_config;
struct qwen3_moe_config;
struct smollm3_config;
struct phi3_config;
struct gemma_config;
struct gemma2_config;
struct gemma3_config;
namespace hf {
struct any_config;
}
struct rope_scaling;
struct train_config;
struct decoder_shape;
enum class norm_kind : std::uint8_t;
enum class position_kind : std::uint8_t;
enum class rope_kind : std::uint8_t;
enum class activation_kind : std::uint8_t;

// Formats. Their default arguments are in format/: here they are written out.
enum class range : std::uint8_t;
struct f32;
struct f64;
struct f16;
struct bf16;
struct f8_e4m3;
struct f8_e5m2;
template <std::size_t Group, range Range>
struct int8;
template <std::size_t Group, range Range>
struct int6;
template <std::size_t Group, range Range>
struct int5;
template <std::size_t Group, range Range>
struct int4;
template <std::size_t Group, range Range>
struct int3;
template <std::size_t Group, range Range>
struct int2;
template <std::size_t Group>
struct ternary;

// Policies.
struct portable;
struct serial;
template <std::size_t N, class Thread>
class pool;
struct resident;
template <std::size_t Budget>
struct offloaded;
struct decoded;
struct dynamic_int8;
struct relu;
struct gelu;
struct gelu_tanh;
struct silu;
struct sigmoid_activation;
struct tanh_activation;
struct swiglu;
struct geglu;
struct geglu_tanh;
struct layer_norm;
struct rms_norm;
struct vocabulary_head;
struct cross_entropy_loss;
struct adamw;
struct sgd;
struct constant_rate;
struct warmup_cosine;
struct sampler;

// Models and what is made of them.
template <class Tag, class... Slots>
struct causal_lm;
template <class M>
class basic_session;
template <class M, class Recipe, class... Slots>
class trainer;
template <class Shape, class F>
class weight_views;
template <class M>
class offloaded_weights;
template <class M>
class loaded_model;
struct step_result;
struct conversion;
struct deviations;

// Arenas.
template <std::size_t Bytes>
class static_arena;
class span_arena;
class heap_arena;
class spill_arena;

// Errors, spans, random numbers, files and tokenizers.
enum class errc : std::uint8_t;
struct failure;
struct explanation;
template <class T>
class result;
template <class T>
class span;
struct rng;
class mapped_file;
struct stored_tensor;
struct number_encoding;
struct tensor_report;
class safetensors_file;
class safetensors_writer;
struct tensor_to_save;
enum class safetensors_type : std::uint8_t;
class gguf_view;
class gguf_file;
class gguf_writer;
enum class gguf_encoding : std::uint32_t;
namespace json {
class value;
}
class bpe;
class llama2c_tokenizer;
struct byte_tokenizer;

}}  // namespace ctlm
