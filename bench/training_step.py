#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A training step of a named shape in PyTorch: the peer of bench/training_step.cpp.

  python bench/training_step.py gpt_10m|gpt2_124m [--threads 2] [--steps 8] [--compile] [--bf16] [--json]

Random tokens, GPT-2 with biases, tied head and tanh GELU, AdamW (fused), clipping at 1; --bf16: products
are autocast to it. Reported are the median step
after two of warming up, and the peak of resident memory.
"""
import argparse
import json
import resource
import statistics
import time

SHAPES = {  # vocab, context, layers, heads, d_model, batch, sequence
    "gpt_10m": (256, 256, 6, 6, 384, 8, 256),
    "gpt2_124m": (50257, 1024, 12, 12, 768, 4, 64),
}


def main():
    p = argparse.ArgumentParser(description="a training step in PyTorch")
    p.add_argument("shape", choices=SHAPES)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--steps", type=int, default=8)
    p.add_argument("--compile", action="store_true", help="torch.compile the model with its loss")
    p.add_argument("--bf16", action="store_true", help="autocast products to bf16")
    p.add_argument("--optimizer", default="fused", choices=["fused", "foreach", "loop"])
    p.add_argument("--json", action="store_true")
    o = p.parse_args()
    vocab, context, layers, heads, width, batch, sequence = SHAPES[o.shape]

    import torch
    import torch.nn as nn
    import torch.nn.functional as F
    torch.set_num_threads(o.threads)
    torch.manual_seed(1)

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def forward(self, x):
            B, T, _ = x.shape
            q, k, v = (t.view(B, T, heads, -1).transpose(1, 2) for t in self.qkv(self.norm1(x)).split(width, -1))
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.out(y.transpose(1, 2).reshape(B, T, width))
            return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.token, self.position = nn.Embedding(vocab, width), nn.Embedding(context, width)
            self.blocks = nn.ModuleList(Block() for _ in range(layers))
            self.norm = nn.LayerNorm(width)
            for parameter in self.parameters():
                if parameter.dim() == 2:
                    nn.init.normal_(parameter, 0.0, 0.02)

        def forward(self, x, y):
            h = self.token(x) + self.position.weight[:sequence]
            for block in self.blocks:
                h = block(h)
            logits = F.linear(self.norm(h), self.token.weight)
            return F.cross_entropy(logits.view(-1, vocab), y.reshape(-1))

    model = Model()
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=1e-3, fused=o.optimizer == "fused", foreach=o.optimizer == "foreach")
    loss_of = torch.compile(model) if o.compile else model
    x, y = torch.randint(vocab, (2, batch, sequence))

    def step():
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=o.bf16):
            loss = loss_of(x, y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0, foreach=o.optimizer != "loop")
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    step(), step()
    times = []
    for _ in range(o.steps):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    seconds = statistics.median(times)
    result = {"library": f"torch {torch.__version__}" + (" bf16" if o.bf16 else ""), "shape": o.shape, "threads": o.threads,
              "tokens_per_second": batch * sequence / seconds, "step_seconds": seconds,
              "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
    if o.json:
        print(json.dumps(result))
    else:
        for key, value in result.items():
            print(f"{key:18} {value:.4f}" if isinstance(value, float) else f"{key:18} {value}")


if __name__ == "__main__":
    main()
