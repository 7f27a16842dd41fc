#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Probabilities that transformers' logits processors leave of random logits, alone and one after the other. Penalties of
frequency and presence are computed as vLLM does (vllm/v1/sample/ops/penalties.py), which takes them off after that of
repetition.

  python tests/policy/make_sampler_rules.py [folder]       (default: the folder of this script)

writes sampler_rules.txt, which the tests beside this script read. A case: its rules with their numbers; the tokens of the
prompt; those that were drawn; the logits; the probabilities.
"""
import pathlib
import sys

import torch
from transformers.generation import logits_process as P

torch.manual_seed(1)
VOCAB = 60
WARPERS = {"temperature": P.TemperatureLogitsWarper, "top_k": lambda k: P.TopKLogitsWarper(int(k)),
           "top_p": P.TopPLogitsWarper, "min_p": P.MinPLogitsWarper, "typical": P.TypicalLogitsWarper}


def penalised(logits, prompt, drawn, repetition, frequency, presence):
    seen = torch.tensor([prompt + drawn])
    logits = P.RepetitionPenaltyLogitsProcessor(repetition)(seen, logits)
    times = torch.bincount(torch.tensor(drawn, dtype=torch.long), minlength=VOCAB)[None]
    return logits - frequency * times - presence * (times > 0)


def number(x):
    return f"{x:.9g}"


def case(rules, prompt=(), drawn=(), spread=2.0):
    prompt, drawn = list(prompt), list(drawn)
    logits = torch.randn(1, VOCAB) * spread
    scores = logits.clone()
    for name, *numbers in rules:
        if name == "penalties":
            scores = penalised(scores, prompt, drawn, *numbers)
        elif name == "bias":
            scores[0, int(numbers[0])] += numbers[1]
        elif name == "banned":
            scores[0, int(numbers[0])] = -float("inf")
        else:
            scores = WARPERS[name](*numbers)(torch.tensor([prompt + drawn + [0]]), scores)
    lines = [" ".join([name, *map(number, numbers)]) for name, *numbers in rules]
    lines += [" ".join(["prompt", *map(str, prompt)]), " ".join(["drawn", *map(str, drawn)]),
              " ".join(["logits", *map(number, logits[0].tolist())]),
              " ".join(["probabilities", *map(number, torch.softmax(scores.double(), -1)[0].tolist())])]
    return "\n".join(lines) + "\n"


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    text = []
    for t in (0.5, 0.8, 1.5):
        text.append(case([("temperature", t)]))
    for k in (1, 5, 17, 59, 60):
        text.append(case([("top_k", k)]))
    for p in (0.1, 0.5, 0.9, 0.99):
        text += [case([("top_p", p)]), case([("top_p", p)], spread=0.3)]
    for p in (0.01, 0.1, 0.6, 1.0):
        text.append(case([("min_p", p)]))
    for p in (0.1, 0.4, 0.8, 0.95):
        text += [case([("typical", p)]), case([("typical", p)], spread=0.5), case([("typical", p)], spread=5)]
    prompt, drawn = [3, 4, 5, 4, 7], [9, 9, 4, 11, 9]
    for penalties in ((1.1, 0.0, 0.0), (0.8, 0.0, 0.0), (1.0, 0.5, 0.0), (1.0, 0.0, 1.5), (1.3, 0.25, -0.5)):
        text.append(case([("penalties", *penalties)], prompt, drawn))
    text.append(case([("bias", 7, 3.5), ("bias", 8, -2.0), ("banned", 9), ("banned", 10)]))
    for spread in (0.5, 2.0, 4.0):
        text += [case([("penalties", 1.1, 0.0, 0.0), ("temperature", 0.8), ("top_k", 40), ("top_p", 0.95)], prompt, drawn, spread),
                 case([("temperature", 0.7), ("top_p", 0.9), ("min_p", 0.05)], spread=spread),
                 case([("temperature", 1.3), ("top_k", 20), ("typical", 0.7)], spread=spread),
                 case([("typical", 0.9), ("top_p", 0.8), ("temperature", 0.6)], spread=spread),
                 case([("min_p", 0.02), ("temperature", 2.0), ("top_k", 9)], spread=spread),
                 case([("bias", 3, 2.0), ("banned", 4), ("penalties", 1.2, 0.1, 0.3), ("temperature", 0.9), ("top_k", 30),
                       ("top_p", 0.9), ("min_p", 0.01), ("typical", 0.9)], prompt, drawn, spread)]
    (folder / "sampler_rules.txt").write_text("\n".join(text))


main()
