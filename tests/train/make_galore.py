#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs GaLore (Zhao et al. 2024) with AdamW for 200 steps in numpy, with exact projections, and stores where weights went.

  python tests/train/make_galore.py [folder]       (default: the folder of this script)

writes galore.txt. The weights and gradients are the formulas below, which tests/train/low_rank.cpp writes down again, so
the test needs the text file and no numpy. A line: the step, how many numbers, then of each tensor its sum of squares and
every 41st weight.
"""
import pathlib
import sys

import numpy as np

SHAPES, RANK, PERIOD, SCALE = [(12, 50), (50, 12), (40,)], 4, 60, 0.25
KEPT_STEPS, STRIDE = (1, 20, 60, 61, 200), 41
LR, BETA1, BETA2, EPS, DECAY = (float(np.float32(x)) for x in (0.01, 0.9, 0.999, 1e-8, 0.1))


def noise(stream, index):
    """Of -1 to 1: a mixed counter (SplitMix64)."""
    mask = (1 << 64) - 1
    z = (stream * 1000003 + index + 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return ((z ^ (z >> 31)) >> 11) * 2.0**-52 - 1


def numbers(stream, shape):
    return np.array([noise(stream, i) for i in range(int(np.prod(shape)))]).reshape(shape)


CENTRES = [numbers(100 + i, s) for i, s in enumerate(SHAPES)]
STEEP = [1.25 + 0.75 * numbers(200 + i, s) for i, s in enumerate(SHAPES)]


def gradient(step, i, w):
    """Of a bowl whose sides are noisy."""
    return (w - CENTRES[i]) * STEEP[i] + 0.3 * numbers(1000 + 10 * step + i, w.shape)


def directions(g, old):
    """The singular vectors of the short side, each on the side of the one before it."""
    u, _, vt = np.linalg.svd(g, full_matrices=False)
    found = (vt if g.shape[0] >= g.shape[1] else u.T)[:RANK]
    return found if old is None else found * np.where((found * old).sum(1) < 0, -1.0, 1.0)[:, None]


class Tensor:
    def __init__(self, i):
        self.i, self.w, self.m, self.v, self.p = i, numbers(i, SHAPES[i]), 0.0, 0.0, None

    def step(self, t):
        g = gradient(t, self.i, self.w)
        matrix = g.ndim == 2
        if matrix:
            if (t - 1) % PERIOD == 0:
                self.p = directions(g, self.p)
            high = g.shape[0] >= g.shape[1]
            g = g @ self.p.T if high else self.p @ g
        self.m = BETA1 * self.m + (1 - BETA1) * g
        self.v = BETA2 * self.v + (1 - BETA2) * g * g
        change = LR * (self.m / (1 - BETA1**t)) / (np.sqrt(self.v / (1 - BETA2**t)) + EPS)
        if matrix:
            change = SCALE * (change @ self.p if high else self.p.T @ change)
        self.w = self.w * (1 - LR * DECAY) - change


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent
    tensors = [Tensor(i) for i in range(len(SHAPES))]
    with open(folder / "galore.txt", "w") as out:
        for t in range(1, max(KEPT_STEPS) + 1):
            for tensor in tensors:
                tensor.step(t)
            if t in KEPT_STEPS:
                kept = [x for tensor in tensors for x in [(tensor.w**2).sum(), *tensor.w.ravel()[::STRIDE]]]
                out.write(f"{t} {len(kept)} " + " ".join(f"{x:.9g}" for x in kept) + "\n")


main()
