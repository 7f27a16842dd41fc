#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Trains the small models of make_parity.py with heads over sequences in PyTorch, and stores what every step gave.

  python tests/parity/make_heads.py [folder]       (default: the folder of this script)

writes heads.txt, which tests/parity/heads.cpp reads: lines of case, step, loss and gradient norm, and at the end of each
case "case final loss accuracy" of step 1's batch after training. Weights and tokens come from the formulas of make_parity.py,
lengths and targets from those below; all is in double precision. A head is torch.nn.Linear's formula over the mean of the
final rows, or over the last one, of the part of a sequence that is no padding.
"""
import pathlib
import sys

import torch
import torch.nn.functional as F

from make_parity import GPT2, LLAMA, batch, forward, initial_weights, splitmix64, tensor_table

STEPS, BATCH, OUTPUTS, IGNORED = 100, 4, {"regression": 2, "classification": 3}, -100
CASES = [(GPT2, "classification", "mean"), (GPT2, "regression", "last"), (LLAMA, "classification", "last"),
         (LLAMA, "regression", "mean")]


def head_weights(kind, d):
    n = OUTPUTS[kind] * d
    w = [((splitmix64((100 << 32) + i) >> 40) / 2**24 - 0.5) * 0.16 for i in range(n)]
    return {"score.weight": torch.tensor(w, dtype=torch.float64).reshape(-1, d).requires_grad_(),
            "score.bias": torch.zeros(OUTPUTS[kind], dtype=torch.float64).requires_grad_()}


def sequences(c, step):
    """Tokens, lengths and the sequences that take part."""
    inputs, _ = batch(c, step)
    numbers = [step * BATCH + b for b in range(BATCH)]
    return inputs, [1 + 7 * n % c["context"] for n in numbers], [n % 9 != 4 for n in numbers]


def outputs(c, w, inputs, lengths, pooling):
    rows = forward(c, w, inputs, rows=True)
    pool = (lambda x: x.mean(0)) if pooling == "mean" else (lambda x: x[-1])
    return F.linear(torch.stack([pool(r[:n]) for r, n in zip(rows, lengths)]), w["score.weight"], w["score.bias"])


def loss_of(c, w, kind, pooling, step):
    """The loss, and the share of sequences whose class is right."""
    inputs, lengths, takes_part = sequences(c, step)
    out, first = outputs(c, w, inputs, lengths, pooling), inputs[:, 0]
    if kind == "classification":
        wanted = torch.where(torch.tensor(takes_part), first % 3, IGNORED)
        right = [o.argmax() == t for o, t in zip(out, wanted) if t != IGNORED]
        return F.cross_entropy(out, wanted, ignore_index=IGNORED), sum(right) / len(right)
    wanted = torch.stack([(first + 5 * k) % 7 / 4 - 0.5 for k in range(OUTPUTS[kind])], 1).double()
    return F.mse_loss(out[takes_part], wanted[takes_part]), torch.tensor(0.0)


def train(c, kind, pooling):
    """A row of loss and gradient norm for each step, and what comes of batch 1 at the end."""
    w = {n: t for n, t in initial_weights(c, torch.float64).items() if n != "head.weight"}
    kinds = {name: k for name, _, k in tensor_table(c)} | {"score.weight": "matrix", "score.bias": "zeros"}
    w |= head_weights(kind, c["d_model"])
    groups = [{"params": [w[n] for n in w if kinds[n] == "matrix"], "weight_decay": 0.125},
              {"params": [w[n] for n in w if kinds[n] != "matrix"], "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=0.0625, momentum=0.5)  # numbers that single precision has exactly
    for step in range(STEPS):
        optimizer.zero_grad(set_to_none=True)
        loss, _ = loss_of(c, w, kind, pooling, step)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(list(w.values()), 1.0)
        optimizer.step()
        yield step, loss.item(), norm.item()
    with torch.no_grad():
        loss, accuracy = loss_of(c, w, kind, pooling, 1)
        yield "final", loss.item(), accuracy.item()


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent
    with open(folder / "heads.txt", "w") as out:
        for c, kind, pooling in CASES:
            for step, loss, other in train(c, kind, pooling):
                out.write(f"{c['spec']}_{kind}_{pooling} {step} {loss:.9g} {other:.9g}\n")
