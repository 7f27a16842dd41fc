#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Training by ctlm and by PyTorch, in turn on one machine, and the ratio of their times.

  python bench/versus_torch.py recipe build/release/bench/nanogpt_cpu tinyshakespeare.txt [--iterations 300] [--no-bias]
  python bench/versus_torch.py step build/release/bench/training_step gpt_10m|gpt2_124m [--recompute] [--iterations 8]
         both: [--rounds 3] [--threads 2] [--bf16 [--activations]] [--python PYTHON] [--torch-options="--compile"]

recipe is nanoGPT's for a CPU, step a single training step of a larger model. Two programs timed minutes apart on a shared
machine say little; alternating runs of the same work do. The medians over the rounds are of each run's median iteration.
--iterations 2000 trains the recipe to the end and compares the validation losses too. --python is the interpreter that
has PyTorch, if it is not this one. --bf16: both multiply in bf16, and ctlm in single precision is shown beside them; ratios
are to ctlm in bf16. --activations beside --bf16: ctlm keeps what its backward pass needs in bf16 too. --recompute lets ctlm keep the activations of two layers only.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys


def options():
    p = argparse.ArgumentParser(description="ctlm and PyTorch in turn")
    p.add_argument("kind", choices=["recipe", "step"])
    p.add_argument("program", help="the built bench/nanogpt_cpu or bench/training_step")
    p.add_argument("work", help="tinyshakespeare.txt, or the name of a shape")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--iterations", type=int, help="default: 300 of the recipe, 8 steps")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--no-bias", action="store_true", help="recipe: without biases, in both")
    p.add_argument("--recompute", action="store_true", help="step gpt_10m: ctlm with gradient checkpointing")
    p.add_argument("--bf16", action="store_true", help="compute<bf16>, and autocast in PyTorch")
    p.add_argument("--activations", action="store_true", help="with --bf16: activations<bf16> too")
    p.add_argument("--python", default=sys.executable)
    p.add_argument("--torch-options", default="", help="options of the script for PyTorch, such as --compile")
    return p.parse_args()


def commands(o):
    """The command lines."""
    folder = pathlib.Path(__file__).parent
    shared = ["--threads", str(o.threads), "--json"]
    if o.kind == "recipe":
        script = "nanogpt_cpu.py"
        shared += ["--iterations", str(o.iterations or 300), *(["--no-bias"] if o.no_bias else [])]
    else:
        script = "training_step.py"
        shared += ["--steps", str(o.iterations or 8)]
    ours = o.work + ("_recompute" if o.recompute else "")
    half = ["--bf16"] if o.bf16 else []
    single = {"ctlm f32": [o.program, ours, *shared]} if o.bf16 else {}
    kept = ["--activations"] if o.activations else []
    return {**single, "ctlm": [o.program, ours, *shared, *half, *kept],
            "torch": [o.python, str(folder / script), o.work, *shared, *half, *o.torch_options.split()]}


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"versus_torch: this command failed: {' '.join(command)}")
    result = json.loads(done.stdout.splitlines()[-1])
    result.setdefault("median_ms", 1e3 * result.get("step_seconds", 0))
    return result


def main():
    o = options()
    results = {name: [] for name in commands(o)}
    columns = {"median_ms": "ms/iteration", "tokens_per_second": "tokens/s", "validation_loss": "validation loss",
               "peak_memory_mib": "peak MiB"}

    def line(name, value_of):
        return f"{name:8}" + "".join(f"{value_of(key):>16.4f}" for key in columns if key in results[name][0])

    for r in range(o.rounds):
        for name, command in commands(o).items():
            results[name].append(run(command))
            print(f"round {r + 1}  {line(name, results[name][-1].get)}", flush=True)
    print(f"\n{'':8}" + "".join(f"{text:>16}" for key, text in columns.items() if key in results["ctlm"][0]))
    for name in results:
        print(line(name, lambda key: statistics.median(result[key] for result in results[name])))
    ratios = [t["median_ms"] / c["median_ms"] for c, t in zip(results["ctlm"], results["torch"])]
    memory = [c["peak_memory_mib"] / t["peak_memory_mib"] for c, t in zip(results["ctlm"], results["torch"])]
    print(f"torch / ctlm  {statistics.median(ratios):.2f}x the time (rounds: {', '.join(f'{x:.2f}' for x in ratios)}); "
          f"ctlm's memory is {statistics.median(memory):.2f} of torch's; {o.threads} "
          f"thread{'s' if o.threads > 1 else ''}, {results['torch'][0]['library']}")


if __name__ == "__main__":
    main()
