#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A model of 2.2 GB generates within 256 MiB: the program runs under a hard limit on its private memory, and its peak is
measured from outside.

  python bench/offload.py build/release/bench/offload [--folder FOLDER] [--passes 3] [--buffered] [--spare-mib 40]

The limit is the budget plus --spare-mib for everything else: KV cache, the buffer of the reading test, stacks, the C
library. FOLDER, on the disk to be measured, holds the model for the time of the test.
"""
import argparse
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile

MIB = 1 << 20


def main():
    p = argparse.ArgumentParser(description="2.2 GB of weights within 256 MiB of memory")
    p.add_argument("program", help="the built bench/offload")
    p.add_argument("--folder", default=".", help="where the model is written (2.2 GB)")
    p.add_argument("--passes", type=int, default=3)
    p.add_argument("--buffered", action="store_true", help="through the system's cache")
    p.add_argument("--spare-mib", type=int, default=40)
    o = p.parse_args()

    with tempfile.TemporaryDirectory(dir=o.folder) as folder:
        model = pathlib.Path(folder) / "large.ctlm"
        subprocess.run([o.program, model, "--create"], check=True)
        limit = (256 + o.spare_mib) * MIB

        def limits():
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

        command = [o.program, model, "--passes", str(o.passes), *(["--buffered"] if o.buffered else [])]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=limits)
        text = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            sys.exit(f"offload: the program ended with status {status}")
    result = json.loads(text)
    result.update(limit_mib=limit // MIB, peak_rss_mib=round(usage.ru_maxrss / 1024, 1))
    print(json.dumps(result))
    print(f"model {result['model_bytes'] / 1e9:.2f} GB, budget {result['budget_bytes'] / MIB:.0f} MiB, peak "
          f"{result['peak_rss_mib']} MiB under a limit of {result['limit_mib']} MiB")
    print(f"{result['tokens_per_s']:.2f} tokens/s: {result['streamed_mb_per_s']:.0f} MB/s of "
          f"{result['sequential_mb_per_s']:.0f} MB/s sequential reading, {100 * result['share']:.0f} %")


main()
