#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A training step of LoRA beside a frozen model in PyTorch with PEFT: the peer of bench/adapter_step.cpp.

  python bench/adapter_step.py f32|bf16 [--threads 2] [--steps 5] [--recompute] [--json]

The shape of SmolLM2 135M with random weights and tokens, four sequences of 256, adapters of rank 8 beside all projections,
AdamW, clipping at 1. The base is in single precision; bf16: products are autocast to it. --recompute is gradient
checkpointing. Reported are the median step after one of warming up, and the peak of resident memory.
"""
import argparse
import json
import resource
import statistics
import time

BATCH, SEQUENCE, RANK, ALPHA = 4, 256, 8, 16


def main():
    p = argparse.ArgumentParser(description="a training step of LoRA with PEFT")
    p.add_argument("format", choices=["f32", "bf16"])
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--steps", type=int, default=5)
    p.add_argument("--recompute", action="store_true", help="gradient checkpointing")
    p.add_argument("--json", action="store_true")
    o = p.parse_args()

    import peft
    import torch
    import transformers
    torch.set_num_threads(o.threads)
    torch.manual_seed(1)
    config = transformers.LlamaConfig(
        vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9,
        num_key_value_heads=3, max_position_embeddings=8192, tie_word_embeddings=True, use_cache=False)
    projections = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    model = peft.get_peft_model(transformers.LlamaForCausalLM(config),
                                peft.LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=projections))
    if o.recompute:
        model.enable_input_require_grads()
        model.gradient_checkpointing_enable()
    model.train()
    learned = [x for x in model.parameters() if x.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=2e-4, weight_decay=0.0, fused=True)
    inputs, targets = (torch.randint(config.vocab_size, (BATCH, SEQUENCE)) for _ in range(2))

    def step():
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=o.format == "bf16"):
            logits = model(input_ids=inputs).logits
            loss = torch.nn.functional.cross_entropy(logits.view(-1, config.vocab_size).float(), targets.view(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    times = []
    for _ in range(o.steps + 1):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    seconds = statistics.median(times[1:])
    result = {
        "library": f"PEFT {peft.__version__} {o.format}" + (" recomputing" if o.recompute else ""),
        "threads": o.threads, "tokens_per_second": BATCH * SEQUENCE / seconds, "step_seconds": seconds,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024e-6, "torch": torch.__version__,
    }
    if o.json:
        print(json.dumps(result))
    else:
        for key, value in result.items():
            print(f"{key:18} {value:.4g}" if isinstance(value, float) else f"{key:18} {value}")


if __name__ == "__main__":
    main()
