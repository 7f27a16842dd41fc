#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Learning rates of PyTorch's schedulers, and of Transformers' inverse square root, at each of 120 steps.

  python tests/policy/make_schedules.py [folder]       (default: the folder of this script)

writes schedules.txt, which the tests beside this script read: they need neither library.
"""
import pathlib
import sys
import warnings

import numpy as np
import torch
from torch.optim import lr_scheduler as S
from transformers import get_inverse_sqrt_schedule

warnings.filterwarnings("ignore")
LR, STEPS = 1e-3, 120


def f32(x):
    """Options are single precision in ctlm."""
    return float(np.float32(x))


def risen(o, warmup):
    """ctlm's warm-up: the first step has 1 / warmup of the rate, the last one all of it."""
    return S.LinearLR(o, start_factor=1 / warmup, total_iters=warmup - 1)


CASES = {
    "constant": lambda o: S.ConstantLR(o, factor=1),
    "linear": lambda o: S.LinearLR(o, start_factor=1.0, end_factor=f32(0.1), total_iters=80),
    "exponential": lambda o: S.ExponentialLR(o, gamma=f32(0.97)),
    "step": lambda o: S.StepLR(o, step_size=25, gamma=f32(0.5)),
    "cosine": lambda o: S.SequentialLR(o, [risen(o, 10), S.CosineAnnealingLR(o, T_max=90, eta_min=f32(1e-4)),
                                           S.ConstantLR(o, factor=f32(1e-4) / LR, total_iters=10**9)], [10, 100]),
    "restarts": lambda o: S.CosineAnnealingWarmRestarts(o, T_0=15, T_mult=2, eta_min=f32(1e-4)),
    "equal_restarts": lambda o: S.CosineAnnealingWarmRestarts(o, T_0=30, eta_min=0.0),
    "stable_decay": lambda o: S.SequentialLR(
        o, [risen(o, 10), S.ConstantLR(o, factor=1),
            S.LinearLR(o, start_factor=1.0, end_factor=f32(5e-5) / LR, total_iters=30)], [10, 70]),
    "inverse_sqrt": lambda o: get_inverse_sqrt_schedule(o, num_warmup_steps=20, timescale=40),
    "warmed_step": lambda o: S.SequentialLR(o, [risen(o, 10), S.StepLR(o, step_size=25, gamma=f32(0.5))], [10]),
}


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent
    with open(folder / "schedules.txt", "w") as out:
        for name, make in CASES.items():
            optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=LR)
            schedule, rates = make(optimizer), []
            for _ in range(STEPS):
                rates.append(optimizer.param_groups[0]["lr"])
                optimizer.step()
                schedule.step()
            out.write(name + " " + " ".join(f"{r:.9g}" for r in rates) + "\n")


main()
