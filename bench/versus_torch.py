#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""nanoGPT's CPU recipe by ctlm and by PyTorch, in turn on one machine, and the ratio of their times.

  python bench/versus_torch.py build/release/bench/nanogpt_cpu tinyshakespeare.txt [--rounds 3] [--iterations 300]
                               [--threads 2] [--no-bias] [--python PYTHON] [--torch-options="--compile"]

Two programs timed minutes apart on a shared machine say little; alternating runs of the same work do. The medians over
the rounds are of each run's median iteration. --iterations 2000 trains to the end and compares the validation losses too.
--python is the interpreter that has PyTorch, if it is not this one.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"versus_torch: this command failed: {' '.join(command)}")
    return json.loads(done.stdout.splitlines()[-1])


def main():
    p = argparse.ArgumentParser(description="ctlm and PyTorch in turn on nanoGPT's CPU recipe")
    p.add_argument("program", help="the built bench/nanogpt_cpu")
    p.add_argument("data", help="tinyshakespeare.txt")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--iterations", type=int, default=300)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--no-bias", action="store_true", help="without biases, in both")
    p.add_argument("--python", default=sys.executable)
    p.add_argument("--torch-options", default="", help="options for nanogpt_cpu.py, such as --compile")
    o = p.parse_args()

    shared = [o.data, "--iterations", str(o.iterations), "--threads", str(o.threads), "--json", *(["--no-bias"] if o.no_bias else [])]
    script = str(pathlib.Path(__file__).with_name("nanogpt_cpu.py"))
    commands = {"ctlm": [o.program, *shared], "torch": [o.python, script, *shared, *o.torch_options.split()]}
    results = {name: [] for name in commands}
    for r in range(o.rounds):
        for name, command in commands.items():
            result = run(command)
            results[name].append(result)
            print(f"round {r + 1}  {name:5}  {result['median_ms']:8.3f} ms/iteration (mean {result['ms_per_iteration']:.3f}), "
                  f"validation loss {result['validation_loss']:.4f}, peak {result['peak_memory_mib']:.0f} MiB", flush=True)

    def median(name, key):
        return statistics.median(result[key] for result in results[name])

    print(f"\n{'':8}{'ms/iteration':>14}{'train seconds':>15}{'validation loss':>17}{'peak MiB':>10}")
    for name in commands:
        print(f"{name:8}{median(name, 'median_ms'):14.3f}{median(name, 'train_seconds'):15.2f}"
              f"{median(name, 'validation_loss'):17.4f}{median(name, 'peak_memory_mib'):10.0f}")
    ratios = [t["median_ms"] / c["median_ms"] for c, t in zip(results["ctlm"], results["torch"])]
    print(f"torch / ctlm  {statistics.median(ratios):.2f}x the time (rounds: {', '.join(f'{x:.2f}' for x in ratios)}), "
          f"{o.threads} thread{'s' if o.threads > 1 else ''}, {results['torch'][0]['library']}")


if __name__ == "__main__":
    main()
