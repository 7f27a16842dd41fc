#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Trains the small GPT-2 of make_parity.py with other losses in PyTorch, and stores what every step gave.

  python tests/parity/make_losses.py [folder]       (default: the folder of this script)

writes losses.txt, which tests/parity/losses.cpp reads: lines of case, step, loss and gradient norm. Weights and tokens
come from the formulas of make_parity.py; all is in double precision. DPO is TRL's formula (DPOTrainer, sigmoid loss).
"""
import pathlib
import sys

import torch
import torch.nn.functional as F

from make_parity import GPT2, batch, forward, initial_weights, tensor_table

STEPS, PROMPT, IGNORED = 100, 8, -100


def teacher_weights():
    """Matrices four times as large as the student's first ones: a teacher that is sure of something."""
    kinds = {name: kind for name, _, kind in tensor_table(GPT2)}
    w = initial_weights(GPT2, torch.float64)
    return {n: (t.detach() * 4 if kinds[n] == "matrix" else t.detach()) for n, t in w.items()}


TEACHER, REFERENCE = teacher_weights(), {n: t.detach() for n, t in initial_weights(GPT2, torch.float64).items()}


def masked(targets):
    """Every fifth target takes no part."""
    flat = targets.flatten().clone()
    flat[::5] = IGNORED
    return flat.reshape(targets.shape)


def smoothed(w, step, smoothing=0.1, z=1e-3):
    inputs, targets = batch(GPT2, step)
    logits, targets = forward(GPT2, w, inputs).flatten(0, 1), masked(targets).flatten()
    loss = F.cross_entropy(logits, targets, ignore_index=IGNORED, label_smoothing=smoothing)
    return loss + z * logits[targets != IGNORED].logsumexp(-1).square().mean()


def divergence(w, step, temperature, reverse):
    inputs, _ = batch(GPT2, step)
    student = (forward(GPT2, w, inputs).flatten(0, 1) / temperature).log_softmax(-1)
    teacher = (forward(GPT2, TEACHER, inputs).flatten(0, 1) / temperature).log_softmax(-1)
    first, second = (teacher, student) if reverse else (student, teacher)  # kl_div(q, p) is the sum of p log(p / q)
    return F.kl_div(first, second, reduction="batchmean", log_target=True) * temperature**2


def log_probabilities(w, inputs, targets):
    per_token = forward(GPT2, w, inputs).log_softmax(-1).gather(-1, targets[..., None]).squeeze(-1)
    return per_token[:, PROMPT:].sum(-1)


def dpo(w, step, beta, smoothing):
    inputs, targets = batch(GPT2, step)
    policy, reference = log_probabilities(w, inputs, targets), log_probabilities(REFERENCE, inputs, targets)
    logits = (policy[0::2] - policy[1::2]) - (reference[0::2] - reference[1::2])
    return (-F.logsigmoid(beta * logits) * (1 - smoothing) - F.logsigmoid(-beta * logits) * smoothing).mean()


def contrast(w, step, temperature=0.5):
    """InfoNCE: rows 2i and 2i + 1 belong together; a vector is the mean of the final rows after the prompt."""
    inputs, _ = batch(GPT2, step)
    vectors = F.normalize(forward(GPT2, w, inputs, rows=True)[:, PROMPT:].mean(1), dim=-1)
    return F.cross_entropy(vectors[0::2] @ vectors[1::2].T / temperature, torch.arange(len(vectors) // 2))


CASES = {
    "smoothed": lambda w, s: smoothed(w, s),
    "forward": lambda w, s: divergence(w, s, 2.0, False),
    "reverse": lambda w, s: divergence(w, s, 1.5, True),
    "contrast": lambda w, s: contrast(w, s),
    "dpo": lambda w, s: dpo(w, s, 0.5, 0.0),
    "dpo_smoothed": lambda w, s: dpo(w, s, 0.25, 0.125),
}


def train(loss_of):
    """A row of loss and gradient norm for each step."""
    w = initial_weights(GPT2, torch.float64)
    kinds = {name: kind for name, _, kind in tensor_table(GPT2)}
    groups = [{"params": [w[n] for n in w if kinds[n] == "matrix"], "weight_decay": 0.125},
              {"params": [w[n] for n in w if kinds[n] != "matrix"], "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=0.0625, momentum=0.5)  # numbers that single precision has exactly
    for step in range(STEPS):
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(w, step)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(list(w.values()), 1.0)
        optimizer.step()
        yield loss.item(), norm.item()


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent
    with open(folder / "losses.txt", "w") as out:
        for name, loss_of in CASES.items():
            for step, (loss, norm) in enumerate(train(loss_of)):
                out.write(f"{name} {step} {loss:.9g} {norm:.9g}\n")
