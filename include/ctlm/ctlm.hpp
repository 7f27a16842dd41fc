// SPDX-License-Identifier: MIT
// ctlm: Compile-Time Language Models. This header is all of it; CTLM_FREESTANDING leaves out what needs an operating
// system.
#pragma once

#include "core/config.hpp"
#include "core/decimal.hpp"
#include "core/executor.hpp"
#include "core/hash.hpp"
#include "core/json.hpp"
#include "core/math.hpp"
#include "core/result.hpp"
#include "core/rng.hpp"
#include "core/span.hpp"
#include "core/types.hpp"
#include "core/utf8.hpp"

#include "memory/arena.hpp"
#include "memory/constant_arena.hpp"
#include "memory/plan.hpp"
#include "memory/span_arena.hpp"
#include "memory/static_arena.hpp"

#include "tensor/meaning.hpp"
#include "tensor/strided.hpp"

#include "format/bf16.hpp"
#include "format/compute.hpp"
#include "format/f16.hpp"
#include "format/f32.hpp"
#include "format/f64.hpp"
#include "format/int2.hpp"
#include "format/int4.hpp"
#include "format/int8.hpp"
#include "format/interleaved.hpp"

#include "backend/native.hpp"

#include "kernels/ops.hpp"

#include "policy/activation/all.hpp"
#include "policy/head/head.hpp"
#include "policy/loss/cross_entropy_loss.hpp"
#include "policy/memory/memory.hpp"
#include "policy/norm/layer_norm.hpp"
#include "policy/norm/norm.hpp"
#include "policy/norm/rms_norm.hpp"
#include "policy/optimizer/adamw.hpp"
#include "policy/optimizer/sgd.hpp"
#include "policy/sampler/sampler.hpp"
#include "policy/schedule/schedule.hpp"
#include "policy/schedule/warmup_cosine.hpp"
#include "policy/slots.hpp"

#include "spec/gemma.hpp"
#include "spec/gemma2.hpp"
#include "spec/gemma3.hpp"
#include "spec/gpt2.hpp"
#include "spec/hf/config.hpp"
#include "spec/llama.hpp"
#include "spec/mistral.hpp"
#include "spec/phi3.hpp"
#include "spec/qwen2.hpp"
#include "spec/qwen3.hpp"
#include "spec/smollm3.hpp"

#include "model/causal_lm.hpp"
#include "model/fingerprint.hpp"
#include "model/flash_image.hpp"
#include "model/generate.hpp"
#include "model/initialise.hpp"
#include "model/quantise.hpp"

#include "train/quantisation_aware.hpp"
#include "train/teacher.hpp"
#include "train/trainer.hpp"

#include "deprecated.hpp"

#if !CTLM_FREESTANDING
#include "memory/heap_arena.hpp"
#include "memory/out_of_memory.hpp"

#include "policy/threads/pool.hpp"

#include "io/buffered_reader.hpp"
#include "io/checkpoint.hpp"
#include "io/file.hpp"
#include "io/gguf.hpp"
#include "io/gguf_writer.hpp"
#include "io/heap_keys.hpp"
#include "io/llama2c.hpp"
#include "io/load_gguf.hpp"
#include "io/load_safetensors.hpp"
#include "io/load_tensors.hpp"
#include "io/mapped_file.hpp"
#include "io/offload.hpp"
#include "io/pack.hpp"
#include "io/remember.hpp"
#include "io/safetensors.hpp"
#include "io/save_safetensors.hpp"
#include "io/spill_arena.hpp"
#include "io/stored_tensor.hpp"
#include "io/tensor_names.hpp"

#include "text/bpe.hpp"
#include "text/llama2c_tokenizer.hpp"
#include "text/merge_pairs.hpp"
#include "text/tokenizer.hpp"

#include "app/data.hpp"
#include "app/loss_curve.hpp"
#include "app/monitor.hpp"
#endif
