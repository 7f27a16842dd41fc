#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""nanoGPT's CPU recipe on tinyshakespeare in PyTorch: the peer of bench/nanogpt_cpu.cpp.

  python bench/nanogpt_cpu.py tinyshakespeare.txt [--threads 2] [--compile] [--optimizer fused] [--json]

Character level, 4 layers, 4 heads, width 128, context 64, batch 12, 2000 iterations, dropout 0, biases as in GPT-2
(--no-bias: nanoGPT's default, in the LayerNorms too), tied head, exact GELU, AdamW 0.9/0.99 with weight decay 0.1 on
matrices, clip 1.0, warm-up 100 then cosine from 1e-3 to 1e-4. The validation loss is the mean over the whole last tenth
of the text, cut into windows of 64. The time printed is training alone: neither compiling nor evaluation nor start-up is
in it.
"""
import argparse
import json
import math
import resource
import statistics
import sys
import time

VOCAB, CONTEXT, BATCH, LAYERS, HEADS, WIDTH = 65, 64, 12, 4, 4, 128
LR, MIN_LR, WARMUP, BETAS, WEIGHT_DECAY, CLIP = 1e-3, 1e-4, 100, (0.9, 0.99), 0.1, 1.0


def options():
    p = argparse.ArgumentParser(description="nanoGPT's CPU recipe in PyTorch")
    p.add_argument("data", help="tinyshakespeare.txt")
    p.add_argument("--iterations", type=int, default=2000, help="stop early; the schedule stays that of --total")
    p.add_argument("--total", type=int, default=2000, help="iterations over which the learning rate decays")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--seed", type=int, default=1337)
    p.add_argument("--compile", action="store_true", help="torch.compile the model with its loss")
    p.add_argument("--compile-mode", default="default", choices=["default", "max-autotune", "reduce-overhead"])
    p.add_argument("--optimizer", default="fused", choices=["fused", "foreach", "loop"])
    p.add_argument("--attention", default="sdpa", choices=["sdpa", "manual"])
    p.add_argument("--gelu", default="none", choices=["none", "tanh"], help="none is the exact (erf) GELU")
    p.add_argument("--no-bias", dest="bias", action="store_false", help="no biases in the projections and norms")
    p.add_argument("--bf16", action="store_true", help="autocast to bfloat16 (not the recipe; for information)")
    p.add_argument("--batching", default="gather", choices=["gather", "stack"], help="stack is nanoGPT's own loader")
    p.add_argument("--no-evaluation", action="store_true")
    p.add_argument("--json", action="store_true")
    return p.parse_args()


def main():
    o = options()
    import torch
    import torch.nn as nn
    import torch.nn.functional as F
    torch.set_num_threads(o.threads)
    torch.manual_seed(o.seed)

    text = open(o.data, encoding="utf-8").read()
    alphabet = sorted(set(text))
    if len(alphabet) != VOCAB:
        sys.exit(f"{o.data}: {len(alphabet)} different characters, the recipe has {VOCAB}")
    index = {c: i for i, c in enumerate(alphabet)}
    data = torch.tensor([index[c] for c in text])
    cut = int(0.9 * len(data))
    train, validation = data[:cut], data[cut:]
    train_numpy = train.numpy()

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.norm2 = (nn.LayerNorm(WIDTH, bias=o.bias) for _ in range(2))
            self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=o.bias)
            self.out = nn.Linear(WIDTH, WIDTH, bias=o.bias)
            self.up = nn.Linear(WIDTH, 4 * WIDTH, bias=o.bias)
            self.down = nn.Linear(4 * WIDTH, WIDTH, bias=o.bias)

        def forward(self, x):
            B, T, _ = x.shape
            q, k, v = (t.view(B, T, HEADS, -1).transpose(1, 2) for t in self.qkv(self.norm1(x)).split(WIDTH, -1))
            if o.attention == "sdpa":
                y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            else:
                score = (q @ k.transpose(-1, -2)) * (WIDTH // HEADS) ** -0.5
                y = score.masked_fill(mask, -math.inf).softmax(-1) @ v
            x = x + self.out(y.transpose(1, 2).reshape(B, T, WIDTH))
            return x + self.down(F.gelu(self.up(self.norm2(x)), approximate=o.gelu))

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.token, self.position = nn.Embedding(VOCAB, WIDTH), nn.Embedding(CONTEXT, WIDTH)
            self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
            self.norm = nn.LayerNorm(WIDTH, bias=o.bias)
            for name, p in self.named_parameters():
                if name.endswith("bias"):
                    nn.init.zeros_(p)
                elif p.dim() == 2:
                    residual = name.endswith(("out.weight", "down.weight"))
                    nn.init.normal_(p, 0.0, 0.02 / math.sqrt(2 * LAYERS) if residual else 0.02)

        def forward(self, x, y):
            h = self.token(x) + self.position.weight
            for block in self.blocks:
                h = block(h)
            logits = F.linear(self.norm(h), self.token.weight)
            return F.cross_entropy(logits.view(-1, VOCAB), y.reshape(-1))

    mask = torch.ones(CONTEXT, CONTEXT, dtype=torch.bool).triu(1)
    model = Model()
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(
        [{"params": [p for p in parameters if p.dim() >= 2], "weight_decay": WEIGHT_DECAY},
         {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0}],
        lr=LR, betas=BETAS, fused=o.optimizer == "fused", foreach=o.optimizer == "foreach")
    loss_of = torch.compile(model, mode=o.compile_mode) if o.compile else model
    window = torch.arange(CONTEXT + 1)

    def batch():
        starts = torch.randint(len(train) - CONTEXT, (BATCH,))
        if o.batching == "gather":
            rows = train[starts[:, None] + window]
            return rows[:, :-1], rows[:, 1:]
        starts = starts.tolist()
        return (torch.stack([torch.from_numpy(train_numpy[i:i + CONTEXT]) for i in starts]),
                torch.stack([torch.from_numpy(train_numpy[i + 1:i + 1 + CONTEXT]) for i in starts]))

    def learning_rate(step):
        if step < WARMUP:
            return LR * (step + 1) / WARMUP
        t = min(1.0, (step - WARMUP) / (o.total - WARMUP))
        return MIN_LR + 0.5 * (1 + math.cos(math.pi * t)) * (LR - MIN_LR)

    def step(number):
        lr = learning_rate(number)
        for group in optimizer.param_groups:
            group["lr"] = lr
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=o.bf16):
            loss = loss_of(*batch())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, CLIP, foreach=o.optimizer != "loop")
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss

    compile_seconds = 0.0
    if o.compile:  # pay for compiling before the clock starts, then put everything back
        saved, generator = [p.detach().clone() for p in parameters], torch.get_rng_state()
        start = time.perf_counter()
        for _ in range(3):
            step(0)
        compile_seconds = time.perf_counter() - start
        with torch.no_grad():
            for p, s in zip(parameters, saved):
                p.copy_(s)
            for state in optimizer.state.values():
                for t in state.values():
                    t.zero_()
        torch.set_rng_state(generator)

    times = []
    start = time.perf_counter()
    for i in range(o.iterations):
        t = time.perf_counter()
        loss = step(i)
        times.append(time.perf_counter() - t)
    seconds = time.perf_counter() - start

    result = {
        "library": f"torch {torch.__version__}", "threads": o.threads, "iterations": o.iterations,
        "train_seconds": seconds, "ms_per_iteration": 1e3 * seconds / max(1, o.iterations),
        "median_ms": 1e3 * statistics.median(times) if times else 0.0,
        "tokens_per_second": o.iterations * BATCH * CONTEXT / seconds if times else 0.0,
        "train_loss": loss.item() if times else None, "compile_seconds": compile_seconds,
    }
    if not o.no_evaluation:
        windows = (len(validation) - 1) // CONTEXT
        x, y = (validation[s:s + windows * CONTEXT].view(-1, CONTEXT) for s in (0, 1))
        total = 0.0
        with torch.no_grad():
            for i in range(0, windows, 128):
                total += model(x[i:i + 128], y[i:i + 128]).item() * len(x[i:i + 128])
        result["validation_loss"] = total / windows
    result["peak_memory_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if o.json:
        print(json.dumps(result))
    else:
        for key, value in result.items():
            print(f"{key:18} {value:.4f}" if isinstance(value, float) else f"{key:18} {value}")


if __name__ == "__main__":
    main()
