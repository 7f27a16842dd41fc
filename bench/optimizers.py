#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""nanoGPT's CPU recipe with every optimizer: validation loss, time, and bytes of the optimizer's state.

  python3 bench/optimizers.py build/release/bench/nanogpt_cpu tinyshakespeare.txt
          [--only adamw,muon] [--rates 1e-3,3e-3] [--threads 2] [--seed 1337] [--rounds 3] [--no-loss] [--no-time]

The loss is that after all 2000 iterations, over the whole last tenth of the text; it is the same for any number of threads.
The time of an iteration is the median over 200, which the optimizers do in turn, some rounds of them; what is printed is the
fastest round, since other work on the machine only adds to it. Each optimizer has the rate that nanogpt_cpu.cpp gives it, or
all those of --rates, one after the other.
"""
import argparse
import json
import subprocess
import sys

OPTIMIZERS = ("adamw", "adam8", "muon", "lion", "adafactor", "rmsprop", "sgd",
              "galore", "galore8", "stabilised")


def options():
    p = argparse.ArgumentParser(description="nanoGPT's CPU recipe with every optimizer")
    p.add_argument("program", help="the built bench/nanogpt_cpu")
    p.add_argument("text", help="tinyshakespeare.txt")
    p.add_argument("--only", default=",".join(OPTIMIZERS), help="which optimizers")
    p.add_argument("--rates", default="0", help="learning rates; 0: the optimizer's own")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--seed", type=int, default=1337)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--no-loss", action="store_true")
    p.add_argument("--no-time", action="store_true")
    return p.parse_args()


def run(o, optimizer, rate, iterations):
    done = subprocess.run([o.program, o.text, "--json", "--optimizer", optimizer, "--rate", rate, "--threads",
                           str(o.threads), "--seed", str(o.seed), "--iterations", str(iterations)],
                          stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit("optimizers: nanogpt_cpu failed")
    return json.loads(done.stdout)


def main():
    o = options()
    runs = [(name, rate) for name in o.only.split(",") for rate in o.rates.split(",")]
    times = {r: [] for r in runs}
    for _ in range(0 if o.no_time else o.rounds):
        for r in runs:
            times[r].append(run(o, *r, 200)["median_ms"])
    print(f"{'':10} {'rate':>8} {'loss':>8} {'ms/iteration':>13} {'state, bytes':>13}")
    for r in runs:
        done = run(o, *r, 1 if o.no_loss else 2000)
        loss = "" if o.no_loss else f"{done['validation_loss']:.4f}"
        time = f"{min(times[r]):.2f}" if times[r] else ""
        print(f"{r[0]:10} {done['rate']:8.2g} {loss:>8} {time:>13} {done['state_bytes']:13.0f}", flush=True)


if __name__ == "__main__":
    main()
