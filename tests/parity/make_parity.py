#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Trains two small models in PyTorch and stores what every step gave.

  python tests/parity/make_parity.py [folder]       (default: the folder of this script)

writes gpt2_losses.txt and llama_losses.txt. The tests beside this script train the same models with ctlm and
compare step by step, so they need the two text files and no PyTorch.

Nothing is random: weights and tokens come from the formulas below, which the tests write down again in C++.
The models are written out by hand, in ctlm's layout: every per-layer tensor is stacked [layers, rows, cols],
q, k and v are one matrix [q rows, k rows, v rows], a gated feed-forward's `up` holds the gate rows first.
"""
import math
import pathlib
import sys

import torch
import torch.nn.functional as F

STEPS, BATCH, STREAM = 200, 4, 4000
LR, MIN_LR, WARMUP, BETAS, EPS, WEIGHT_DECAY, CLIP = 3e-3, 3e-4, 20, (0.9, 0.95), 1e-8, 0.1, 1.0
GPT2 = dict(spec="gpt2", vocab=64, d_model=32, layers=2, heads=4, kv_heads=4, d_ff=128, context=32, norm_eps=1e-5)
LLAMA = dict(spec="llama", vocab=64, d_model=32, layers=2, heads=4, kv_heads=2, d_ff=48, context=32, norm_eps=1e-5,
             rope_theta=10000.0)


def splitmix64(x):
    mask = (1 << 64) - 1
    z = (x + 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return z ^ (z >> 31)


def tensor_table(c):
    """(name, shape, kind) in ctlm's order; kind is matrix, ones (a norm's weight) or zeros (any bias)."""
    L, d, ff = c["layers"], c["d_model"], c["d_ff"]
    kv = d // c["heads"] * c["kv_heads"]
    gpt2 = c["spec"] == "gpt2"
    up = ff if gpt2 else 2 * ff
    rows = [("token_embedding", (c["vocab"], d), "matrix"),
            gpt2 and ("position_embedding", (c["context"], d), "matrix"),
            ("norm1.weight", (L, d), "ones"), gpt2 and ("norm1.bias", (L, d), "zeros"),
            ("qkv.weight", (L, d + 2 * kv, d), "matrix"), gpt2 and ("qkv.bias", (L, d + 2 * kv), "zeros"),
            ("out.weight", (L, d, d), "matrix"), gpt2 and ("out.bias", (L, d), "zeros"),
            ("norm2.weight", (L, d), "ones"), gpt2 and ("norm2.bias", (L, d), "zeros"),
            ("up.weight", (L, up, d), "matrix"), gpt2 and ("up.bias", (L, up), "zeros"),
            ("down.weight", (L, d, ff), "matrix"), gpt2 and ("down.bias", (L, d), "zeros"),
            ("norm.weight", (d,), "ones"), gpt2 and ("norm.bias", (d,), "zeros"),
            not gpt2 and ("head.weight", (c["vocab"], d), "matrix")]
    return [r for r in rows if r]


def initial_weights(c, dtype):
    weights = {}
    for t, (name, shape, kind) in enumerate(tensor_table(c)):
        n = math.prod(shape)
        if kind == "matrix":
            values = [((splitmix64((t << 32) + i) >> 40) / 2**24 - 0.5) * 0.16 for i in range(n)]
        else:
            values = [1.0 if kind == "ones" else 0.0] * n
        weights[name] = torch.tensor(values, dtype=torch.float64).to(dtype).reshape(shape).requires_grad_()
    return weights


def stream(i):
    """A learnable text: a phrase of 11 tokens whose words shift slowly, with every 7th token out of the pattern."""
    return (i * i * 5 // 9 if i % 7 == 0 else 5 * (i % 11) + i // 29 % 4) % 64


def batch(c, step):
    """Inputs and targets [BATCH, context] of one step; row b starts at ((step * BATCH + b) * 37) % STREAM."""
    starts = [((step * BATCH + b) * 37) % STREAM for b in range(BATCH)]
    rows = torch.tensor([[stream(o + i) for i in range(c["context"] + 1)] for o in starts])
    return rows[:, :-1], rows[:, 1:]


def rotate(x, c):
    """RoPE in the half-split layout: element i of a head is paired with element i + head_size/2."""
    half = x.shape[-1] // 2
    frequency = c["rope_theta"] ** (-torch.arange(half, dtype=torch.float64) / half)
    angle = torch.arange(x.shape[-2], dtype=torch.float64)[:, None] * frequency
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


def forward(c, w, tokens, rows=False):
    """Logits [batch, time, vocab], or the final rows [batch, time, d_model]."""
    gpt2 = c["spec"] == "gpt2"
    d, heads, kv_heads = c["d_model"], c["heads"], c["kv_heads"]
    size = d // heads
    bias = lambda name, l: w[name][l] if gpt2 else None

    def norm(x, name, l=...):
        if gpt2:
            return F.layer_norm(x, (d,), w[name + ".weight"][l], w[name + ".bias"][l], c["norm_eps"])
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + c["norm_eps"]) * w[name + ".weight"][l]

    B, T = tokens.shape
    x = w["token_embedding"][tokens]
    if gpt2:
        x = x + w["position_embedding"][:T]
    causal = torch.ones(T, T, dtype=torch.bool).tril()
    for l in range(c["layers"]):
        qkv = F.linear(norm(x, "norm1", l), w["qkv.weight"][l], bias("qkv.bias", l))
        q, k, v = qkv.split([d, kv_heads * size, kv_heads * size], -1)
        q = q.view(B, T, heads, size).transpose(1, 2)
        k = k.view(B, T, kv_heads, size).transpose(1, 2)
        v = v.view(B, T, kv_heads, size).transpose(1, 2)
        if not gpt2:
            q, k = rotate(q, c), rotate(k, c)
        k, v = (t.repeat_interleave(heads // kv_heads, 1) for t in (k, v))
        score = (q @ k.transpose(-1, -2) / math.sqrt(size)).masked_fill(~causal, -math.inf)
        mixed = (score.softmax(-1) @ v).transpose(1, 2).reshape(B, T, d)
        x = x + F.linear(mixed, w["out.weight"][l], bias("out.bias", l))
        up = F.linear(norm(x, "norm2", l), w["up.weight"][l], bias("up.bias", l))
        if gpt2:
            h = F.gelu(up, approximate="tanh")
        else:
            gate, value = up.chunk(2, -1)
            h = F.silu(gate) * value
        x = x + F.linear(h, w["down.weight"][l], bias("down.bias", l))
    if rows:
        return norm(x, "norm")
    return F.linear(norm(x, "norm"), w["token_embedding" if gpt2 else "head.weight"])


def loss_of(c, w, inputs, targets):
    return F.cross_entropy(forward(c, w, inputs).flatten(0, 1), targets.flatten())


def learning_rate(step):
    if step < WARMUP:
        return LR * (step + 1) / WARMUP
    return MIN_LR + 0.5 * (1 + math.cos(math.pi * (step - WARMUP) / (STEPS - WARMUP))) * (LR - MIN_LR)


def train(c, dtype=torch.float32):
    """Rows (loss before the update, gradient norm before clipping, learning rate), and the loss of batch 0 at the end."""
    w = initial_weights(c, dtype)
    kinds = {name: kind for name, _, kind in tensor_table(c)}
    # Only matrices and embeddings decay. The stacked vectors are 2-D here, so go by kind, not by dimension.
    groups = [{"params": [w[n] for n in w if kinds[n] == "matrix"], "weight_decay": WEIGHT_DECAY},
              {"params": [w[n] for n in w if kinds[n] != "matrix"], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=LR, betas=BETAS, eps=EPS, foreach=False)
    rows = []
    for step in range(STEPS):
        lr = learning_rate(step)
        for group in optimizer.param_groups:
            group["lr"] = lr
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(c, w, *batch(c, step))
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(list(w.values()), CLIP)
        optimizer.step()
        rows.append((loss.item(), norm.item(), lr))
    with torch.no_grad():
        return rows, loss_of(c, w, *batch(c, 0)).item()


def write(path, c, rows, final):
    with open(path, "w") as out:
        out.write("# " + " ".join(f"{k}={v}" for k, v in c.items()) + "\n")
        out.write(f"# steps={STEPS} batch={BATCH} adamw lr={LR} betas={BETAS[0]},{BETAS[1]} eps={EPS} "
                  f"weight_decay={WEIGHT_DECAY} clip_norm={CLIP} warmup={WARMUP} min_lr={MIN_LR} "
                  f"float32 torch={torch.__version__}\n")
        out.write("# step loss gradient_norm lr; the last line: the loss of step 0's batch after training\n")
        for step, (loss, norm, lr) in enumerate(rows):
            out.write(f"{step} {loss:.9g} {norm:.9g} {lr:.9g}\n")
        out.write(f"final {final:.9g}\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent
    for c in (GPT2, LLAMA):
        rows, final = train(c)
        exact, exact_final = train(c, torch.float64)
        drift = max(abs(a[0] - b[0]) for a, b in zip(rows, exact))
        drift_norm = max(abs(a[1] / b[1] - 1) for a, b in zip(rows, exact))
        print(f"{c['spec']}: loss {rows[0][0]:.4f} -> {rows[-1][0]:.4f}, float32 against float64: "
              f"loss {drift:.1e}, gradient norm {drift_norm:.1e} relative, final {abs(final - exact_final):.1e}; "
              f"norms {min(r[1] for r in rows):.3f}..{max(r[1] for r in rows):.3f}")
        write(folder / f"{c['spec']}_losses.txt", c, rows, final)
