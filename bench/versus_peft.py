#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Training of an adapter by ctlm and by PyTorch with PEFT, in turn on one machine.

  python bench/versus_peft.py build/release/bench/adapter_step [--formats f32,int4] [--rounds 3] [--steps 3]
                              [--threads 2] [--bf16] [--recompute] [--python PYTHON]

The shape of SmolLM2 135M, four sequences of 256 tokens in a step, LoRA of rank 8 beside all projections (adapter_step.cpp,
adapter_step.py). PEFT has its base in f32; it is also measured with products in bf16 (autocast) and, with --recompute, where
it computes activations again. --bf16 measures ctlm with compute<bf16> too. What is printed are medians over the rounds. --python is the interpreter that has PEFT, if
it is not this one.
"""
import argparse
import json
import pathlib
import platform
import statistics
import subprocess
import sys


def options():
    p = argparse.ArgumentParser(description="adapters by ctlm and PEFT in turn")
    p.add_argument("program", help="the built bench/adapter_step")
    p.add_argument("--formats", default="f32,int4", help="how ctlm stores the base")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--steps", type=int, default=3)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--recompute", action="store_true", help="PEFT with gradient checkpointing too")
    p.add_argument("--bf16", action="store_true", help="ctlm with products in bf16 too")
    p.add_argument("--python", default=sys.executable)
    return p.parse_args()


def commands(o):
    shared = ["--threads", str(o.threads), "--steps", str(o.steps), "--json"]
    peer = [o.python, str(pathlib.Path(__file__).parent / "adapter_step.py")]
    ours = [[o.program, name, *shared, *half] for half in ([], ["--bf16"])[:1 + o.bf16] for name in o.formats.split(",")]
    ours = ours + [[*peer, "f32", *shared], [*peer, "bf16", *shared]]
    return ours + ([[*peer, "f32", "--recompute", *shared]] if o.recompute else [])


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"versus_peft: this command failed: {' '.join(command)}\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def processor():
    """The processor's name, and the instructions for matrices of 16 bits that it has."""
    try:
        text = open("/proc/cpuinfo").read()
    except OSError:
        return platform.processor()
    name = next((line.split(": ")[1] for line in text.splitlines() if line.startswith("model name")), "?")
    return name + "".join(f", {flag}" for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if f" {flag} " in text)


def main():
    o = options()
    results = [[] for _ in commands(o)]
    for _ in range(o.rounds):
        for i, command in enumerate(commands(o)):
            results[i].append(run(command))
            print(f"{results[i][-1]['library']:24} {results[i][-1]['tokens_per_second']:8.1f}", flush=True)
    peft = statistics.median(r["tokens_per_second"] for r in results[len(o.formats.split(",")) * (1 + o.bf16)])
    print(f"\n{processor()}; {o.threads} threads; torch {results[-1][0]['torch']}; medians of {o.rounds} rounds\n")
    print(f"{'':24} {'tokens/s':>10} {'of PEFT f32':>12} {'peak MB':>10} {'of the limit':>13}")
    for r in results:
        rate = statistics.median(x["tokens_per_second"] for x in r)
        memory = max(x["peak_memory_mb"] for x in r)
        share = statistics.median(x["share_of_limit"] for x in r) if "share_of_limit" in r[0] else None
        print(f"{r[0]['library']:24} {rate:10.1f} {rate / peft:12.2f} {memory:10.0f}" + (f" {share:13.2f}" if share else ""))


if __name__ == "__main__":
    main()
