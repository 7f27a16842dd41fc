#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes rope_golden.hpp: by which angles transformers turns, of config.json files that say things twice, or nowhere.

  make_rope.py tests/io/rope_golden.hpp     made with transformers 5.24.0 and torch 2.13.0, on a processor
"""
import json
import pathlib
import sys
import tempfile

import transformers
from transformers import AutoConfig, AutoModelForCausalLM

SIZES = {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 6, "num_attention_heads": 4, "head_dim": 16,
         "intermediate_size": 48, "max_position_embeddings": 128, "sliding_window": 8, "pad_token_id": None}

TWO, FOUR = {"rope_type": "linear", "factor": 2.0}, {"rope_type": "linear", "factor": 4.0}
PLAIN = {"rope_type": "default"}
YARN = {"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 32}
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
LAYERS = {"full_attention": FOUR | {"rope_theta": 1000.0}, "sliding_attention": PLAIN | {"rope_theta": 100.0}}

CASES = [  # model_type, what is added to the sizes
    *[(family, {"rope_scaling": TWO, "rope_parameters": FOUR | {"rope_theta": 50.0}, "rope_theta": 100.0})
      for family in ("llama", "mistral", "qwen2", "qwen3", "smollm3", "gemma", "gemma2")],
    ("llama", {}),
    ("smollm3", {}),
    ("llama", {"rope_scaling": TWO, "rope_parameters": FOUR | {"rope_theta": 50.0}}),
    ("llama", {"rope_scaling": TWO, "rope_parameters": PLAIN | {"rope_theta": 50.0}}),
    ("llama", {"rope_scaling": None, "rope_parameters": FOUR | {"rope_theta": 50.0}}),
    ("llama", {"rope_scaling": {}, "rope_parameters": FOUR | {"rope_theta": 50.0}}),
    ("llama", {"rope_scaling": TWO, "rope_parameters": None, "rope_theta": 100.0}),
    ("llama", {"rope_scaling": TWO | {"rope_theta": 50.0}, "rope_theta": 100.0}),
    ("llama", {"rope_scaling": {"type": "linear", "factor": 2.0}, "rope_theta": 100.0}),
    ("llama", {"rope_scaling": {"type": "linear", "rope_type": "default", "factor": 2.0}}),
    ("llama", {"rope_scaling": {"factor": 2.0}}),
    ("llama", {"rope_parameters": FOUR | {"rope_theta": 50.0}, "rope_theta": 100.0}),
    ("llama", {"rope_parameters": FOUR, "rope_theta": 100.0}),
    ("llama", {"rope_scaling": YARN}),
    ("llama", {"rope_scaling": YARN, "original_max_position_embeddings": 64}),
    ("llama", {"rope_scaling": LLAMA3}),
    ("llama", {"rope_parameters": LLAMA3 | {"original_max_position_embeddings": 32},
               "original_max_position_embeddings": 64}),
    ("phi3", {"partial_rotary_factor": 0.5}),
    ("phi3", {"partial_rotary_factor": 0.5, "rope_parameters": PLAIN | {"partial_rotary_factor": 0.25}}),
    ("phi3", {"rope_scaling": PLAIN | {"partial_rotary_factor": 0.5}}),
    ("phi3", {"rope_scaling": PLAIN, "rope_parameters": PLAIN | {"partial_rotary_factor": 0.5}}),
    ("gemma3_text", {}),
    ("gemma3_text", {"rope_theta": 7.0, "rope_local_base_freq": 9.0}),
    ("gemma3_text", {"rope_parameters": LAYERS, "rope_theta": 7.0, "rope_local_base_freq": 9.0}),
    ("gemma3_text", {"rope_parameters": {"full_attention": FOUR, "sliding_attention": PLAIN}, "rope_theta": 7.0,
                     "rope_local_base_freq": 9.0}),
    ("gemma3_text", {"rope_parameters": {"full_attention": None}, "rope_theta": 7.0, "rope_local_base_freq": 9.0}),
    ("gemma3_text", {"rope_parameters": {"sliding_attention": {"rope_theta": 70.0}}, "rope_theta": 7.0}),
    ("gemma3_text", {"rope_parameters": {}, "rope_theta": 7.0, "rope_local_base_freq": 9.0}),
    ("gemma3_text", {"rope_scaling": TWO, "rope_theta": 7.0, "rope_local_base_freq": 9.0}),
    ("gemma3_text", {"rope_scaling": TWO | {"rope_theta": 50.0}, "rope_theta": 7.0}),
    ("gemma3_text", {"rope_scaling": YARN, "original_max_position_embeddings": 64}),
    ("gemma3_text", {"rope_scaling": TWO, "rope_theta": 7.0,
                     "rope_parameters": {"full_attention": PLAIN | {"rope_theta": 60.0},
                                         "sliding_attention": PLAIN | {"rope_theta": 70.0}}}),
]


def frequencies(model_type, more):
    with tempfile.TemporaryDirectory() as folder:
        text = json.dumps({"model_type": model_type, **SIZES, **more})
        (pathlib.Path(folder) / "config.json").write_text(text)
        config = AutoConfig.from_pretrained(folder)
    rotary = AutoModelForCausalLM.from_config(config).model.rotary_emb
    if model_type == "gemma3_text":
        return rotary.full_attention_inv_freq, rotary.sliding_attention_inv_freq
    return rotary.inv_freq, rotary.inv_freq


def numbers(tensor):
    return "{" + ", ".join(f"{x:.9g}" for x in tensor.tolist()) + "}"


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    lines = []
    for model_type, more in CASES:
        full, local = frequencies(model_type, more)
        added = json.dumps(more)[1:-1]
        lines.append(f'    {{"{model_type}", R"({added})", {numbers(full)}, {numbers(local)}}},')
    pathlib.Path(sys.argv[1]).write_text(
        "// By which angles transformers turns; written by make_rope.py.\n#pragma once\n\n"
        "namespace rope_golden {\n\nstruct angles {\n  const char* model_type;\n"
        "  const char* more;       // what is added to the config.json of a small model\n"
        "  double frequencies[8];  // of layers without a window; the last are 0 where fewer numbers rotate\n"
        "  double local[8];        // of layers with one\n};\n\n"
        "// clang-format off\ninline constexpr angles all[] = {\n" + "\n".join(lines) +
        "\n};\n// clang-format on\n\n}  // namespace rope_golden\n")
