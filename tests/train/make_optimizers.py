#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs optimizers of PyTorch for 200 steps in double precision, and stores where the weights went.

  python tests/train/make_optimizers.py [folder]       (default: the folder of this script)

writes optimizers.txt. The test beside this script computes the same weights and gradients (the formulas below, which it
writes down again in C++), so it needs the text file and no PyTorch. Two optimizers are not PyTorch's: Lion is the
paper's code (Chen et al. 2023, program 1), and 8-bit Adam follows the paper of Dettmers et al. (2022) in numpy.
PyTorch's Muon orthogonalises in bfloat16; here it is made to do so in double.
"""
import pathlib
import sys

import numpy as np
import torch

SHAPES = [(12, 50), (50, 12), (40,)]
KEPT_STEPS, STRIDE = (1, 20, 200), 41  # every 41st weight of each tensor is stored


def noise(stream, index):
    """Of -1 to 1: a mixed counter (SplitMix64)."""
    mask = (1 << 64) - 1
    z = (stream * 1000003 + index + 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return ((z ^ (z >> 31)) >> 11) * 2.0**-52 - 1


def numbers(stream, shape):
    n = int(np.prod(shape))
    return torch.tensor([noise(stream, i) for i in range(n)], dtype=torch.float64).reshape(shape)


def gradients(step, tensor, w):
    """Of a bowl whose sides are noisy."""
    centre, steep = numbers(100 + tensor, w.shape), 1.25 + 0.75 * numbers(200 + tensor, w.shape)
    return (w - centre) * steep + 0.3 * numbers(1000 + 10 * step + tensor, w.shape)


def f32(x):
    """Options are single precision in ctlm."""
    return float(np.float32(x))


class Lion(torch.optim.Optimizer):
    def __init__(self, params, lr, betas, weight_decay):
        super().__init__(params, dict(lr=lr, betas=betas, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                update = (m * beta1 + p.grad * (1 - beta1)).sign()
                p.mul_(1 - group["lr"] * group["weight_decay"]).sub_(update * group["lr"])
                m.mul_(beta2).add_(p.grad, alpha=1 - beta2)


def dynamic_map(signed):
    """The paper's dynamic tree: seven decades, each with twice the numbers of the one below."""
    values = [0.0, 1.0]
    for i in range(7):
        edges = np.linspace(0.1, 1, 2 ** (i if signed else i + 1) + 1)
        middles = 10.0 ** (i - 6) * (edges[:-1] + edges[1:]) / 2
        values += middles.tolist() + ((-middles).tolist() if signed else [])
    return np.sort(np.array(values)).astype(np.float32).astype(np.float64)


class Adam8(torch.optim.Optimizer):
    """Block-wise: matrices have moments of 8 bits, in blocks of 256; vectors have them in full."""

    def __init__(self, params, lr, betas, eps, weight_decay):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay))
        self.maps = [dynamic_map(True), dynamic_map(False)]

    def stored(self, moment, x):
        out = np.empty_like(x)
        for i in range(0, x.size, 256):
            block = x[i:i + 256]
            scale = float(np.float32(np.abs(block).max()))
            codes = np.abs((block / scale)[:, None] - self.maps[moment][None, :]).argmin(1)
            out[i:i + 256] = self.maps[moment][codes] * scale
        return out

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            (b1, b2), lr = group["betas"], group["lr"]
            for p in group["params"]:
                s = self.state[p]
                s["t"] = s.get("t", 0) + 1
                g, w = p.grad.numpy().ravel(), p.numpy().ravel().copy()
                m = s.get("m", np.zeros_like(g)) * b1 + g * (1 - b1)
                v = s.get("v", np.zeros_like(g)) * b2 + g * g * (1 - b2)
                w = w * (1 - lr * group["weight_decay"]) - lr * (m / (1 - b1 ** s["t"])) / (
                    np.sqrt(v / (1 - b2 ** s["t"])) + group["eps"])
                s["m"], s["v"] = (self.stored(0, m), self.stored(1, v)) if p.dim() > 1 else (m, v)
                p.copy_(torch.tensor(w).reshape(p.shape))


class MuonAndAdamW:
    """Muon for matrices, AdamW for the vector, as its authors use it."""

    def __init__(self, params, **options):
        others = dict(lr=f32(0.01), betas=(f32(0.9), f32(0.999)), eps=f32(1e-8), weight_decay=f32(0.01))
        self.parts = [torch.optim.Muon([p for p in params if p.dim() > 1], **options),
                      torch.optim.AdamW([p for p in params if p.dim() == 1], **others)]

    def step(self):
        saved, torch.Tensor.bfloat16 = torch.Tensor.bfloat16, lambda self: self.clone()
        for part in self.parts:
            part.step()
        torch.Tensor.bfloat16 = saved


def options(**given):
    return {k: f32(v) if isinstance(v, float) else tuple(map(f32, v)) if k == "betas" else v for k, v in given.items()}


O = torch.optim
BETAS, EPS = (0.9, 0.999), 1e-8
CASES = {
    "sgd": (O.SGD, options(lr=0.05, momentum=0.9)),
    "sgd_nesterov": (O.SGD, options(lr=0.05, momentum=0.8, weight_decay=0.02, nesterov=True)),
    "sgd_dampened": (O.SGD, options(lr=0.05, momentum=0.9, weight_decay=0.02, dampening=0.4)),
    "adam": (O.Adam, options(lr=0.01, betas=BETAS, eps=EPS, weight_decay=0.05)),
    "adamw": (O.AdamW, options(lr=0.01, betas=BETAS, eps=EPS, weight_decay=0.1)),
    "rmsprop": (O.RMSprop, options(lr=0.005, alpha=0.95, eps=EPS)),
    "rmsprop_momentum": (O.RMSprop, options(lr=0.002, alpha=0.95, eps=EPS, momentum=0.9, weight_decay=0.05)),
    "centered_rmsprop": (O.RMSprop, options(lr=0.002, alpha=0.95, eps=1e-3, momentum=0.5, centered=True)),
    "lion": (Lion, options(lr=0.005, betas=(0.9, 0.99), weight_decay=0.1)),
    "adafactor": (O.Adafactor, options(lr=0.05, beta2_decay=-0.8, eps=(None, f32(1e-3)), d=1.0, weight_decay=0.02)),
    "adafactor_limits": (O.Adafactor, options(lr=0.3, beta2_decay=-0.5, eps=(f32(0.3), f32(0.5)), d=1.25, weight_decay=0.0)),
    "muon": (MuonAndAdamW, options(lr=0.02, momentum=0.95, weight_decay=0.1)),
    "muon_matched": (MuonAndAdamW, options(lr=0.01, momentum=0.9, weight_decay=0.0, nesterov=False, ns_steps=4,
                                           adjust_lr_fn="match_rms_adamw")),
    "adam8": (Adam8, options(lr=0.01, betas=BETAS, eps=EPS, weight_decay=0.1)),
}


def run(make, given):
    """Lines of what is stored: the step, then of each tensor the sum of squares and some weights."""
    weights = [torch.nn.Parameter(numbers(i, s)) for i, s in enumerate(SHAPES)]
    optimizer = make(weights, **given)
    for step in range(1, max(KEPT_STEPS) + 1):
        for i, w in enumerate(weights):
            w.grad = gradients(step, i, w.detach())
        optimizer.step()
        if step in KEPT_STEPS:
            kept = [x for w in weights
                    for x in [w.detach().square().sum().item()] + w.detach().ravel()[::STRIDE].tolist()]
            yield f"{step} {len(kept)} " + " ".join(f"{x:.9g}" for x in kept)


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent
    with open(folder / "optimizers.txt", "w") as out:
        for name, (make, given) in CASES.items():
            for line in run(make, given):
                out.write(f"{name} {line}\n")


main()
