#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes architectures/phi3_longrope, which tests/io/longrope.cpp compares with: a tiny Phi-3 with LongRoPE.

  make_longrope.py tests/io/architectures     made with transformers 5.24.0 and torch 2.13.0, on a processor

As make_architectures.py does it, whose model it is but for the angles; golden.safetensors has
  ids    [64]      random tokens
  long   [64][64]  logits after each of them, where the whole text is longer than the original context of 32: long_factor
  short  [32][64]  logits after each of the first 32, which are no longer than that: short_factor
"""
import pathlib
import sys

import torch
import transformers
from safetensors.torch import save_file

import make_architectures
from make_architectures import COMMON, POSITIONS, make_model

NAME, ORIGINAL, SEED = "phi3_longrope", 32, 50
make_architectures.MODELS[NAME] = (
    transformers.Phi3Config,
    COMMON | {"head_dim": 16, "num_attention_heads": 2, "num_key_value_heads": 1, "partial_rotary_factor": 0.75,
              "original_max_position_embeddings": ORIGINAL,
              "rope_parameters": {"rope_type": "longrope", "rope_theta": 100.0,
                                  "short_factor": [1.0, 1.05, 1.1, 1.25, 1.5, 2.0],
                                  "long_factor": [1.0, 1.5, 2.5, 4.0, 6.5, 9.0]}})

if __name__ == "__main__":
    torch.set_num_threads(1)
    folder = pathlib.Path(sys.argv[1]) / NAME
    ids = torch.randint(64, (POSITIONS,), generator=torch.Generator().manual_seed(SEED))
    with torch.no_grad():
        model = make_model(NAME, SEED)
        long = model(ids[None], use_cache=False).logits[0]
        short = model(ids[None, :ORIGINAL], use_cache=False).logits[0]
    print(f"logits {long.std():.2f} standard deviation; the two lists: {(long[:ORIGINAL] - short).abs().max():.2f} apart")
    make_model(NAME, SEED).to(torch.bfloat16).save_pretrained(folder)
    save_file({"ids": ids.to(torch.uint8), "long": long.contiguous(), "short": short.contiguous()},
              folder / "golden.safetensors")
    (folder / "generation_config.json").unlink(missing_ok=True)
    for file in folder.glob("*.safetensors"):
        file.chmod(0o644)
    text = (folder / "config.json").read_text()
    (folder / "config.hpp").write_text(
        "// The text of config.json; written by make_longrope.py.\n#pragma once\n\nnamespace architecture_configs {\n\n"
        f'inline constexpr const char* {NAME} = R"json({text})json";\n\n}}  // namespace architecture_configs\n')
