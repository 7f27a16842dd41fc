#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the fuzz targets, as many at a time as there are processors, and says what they found.

  run.py PROGRAMS CORPUS [MINUTES]

PROGRAMS is the folder of the programs fuzz_*; CORPUS keeps, for each target, the inputs that reached something new, and in
CORPUS/findings those that broke a promise. Each target runs for 20 seconds, or all of them together for MINUTES.
"""
import concurrent.futures
import math
import os
import pathlib
import re
import subprocess
import sys

SECONDS = 20
ENVIRONMENT = {**os.environ, "ASAN_OPTIONS": "abort_on_error=1:detect_leaks=1", "UBSAN_OPTIONS": "abort_on_error=1:print_stacktrace=1"}

programs, corpus = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
targets = sorted(p for p in programs.glob("fuzz_*") if p.is_file() and os.access(p, os.X_OK))
if not targets:
    sys.exit(f"no fuzz targets in {programs}")
at_a_time = min(os.cpu_count() or 2, len(targets))
seconds = SECONDS
if len(sys.argv) > 3:
    seconds = max(1, round(float(sys.argv[3]) * 60 / math.ceil(len(targets) / at_a_time)))


def run(program):
    """(name, executions, findings): a finding is an input's path and what the target said."""
    name = program.name.removeprefix("fuzz_")
    inputs, findings = corpus / name, corpus / "findings"
    for folder in (inputs, findings):
        folder.mkdir(parents=True, exist_ok=True)
    for old in findings.glob(f"{name}-*"):
        old.unlink()
    subprocess.run([program], env={**ENVIRONMENT, "CTLM_FUZZ_SEEDS": str(inputs)}, check=True)
    done = subprocess.run([program, inputs, f"-max_total_time={seconds}", f"-artifact_prefix={findings}/{name}-",
                           "-print_final_stats=1", "-timeout=10", "-rss_limit_mb=1024", "-max_len=16384", "-verbosity=1"],
                          env=ENVIRONMENT, capture_output=True, text=True, errors="replace")
    counted = re.search(r"stat::number_of_executed_units: *(\d+)", done.stderr)
    executions = int(counted.group(1)) if counted else 0
    if done.returncode == 0:
        return name, executions, []
    said = re.findall(r"^(?:broken promise: .*|.*runtime error: .*|.*ERROR: .*)$", done.stderr, re.M)
    words = said[0].strip() if said else done.stderr.strip()[-300:]
    found = [str(p) for p in sorted(findings.glob(f"{name}-*"))] or ["no input was kept"]
    return name, executions, [f"{path}\n    {words}" for path in found]


total, all_findings = 0, []
print(f"{len(targets)} targets, {seconds} s each, {at_a_time} at a time", flush=True)
with concurrent.futures.ThreadPoolExecutor(at_a_time) as pool:
    for name, executions, findings in pool.map(run, targets):
        print(f"{name:24}{executions:12} executions{len(findings):4} findings", flush=True)
        total += executions
        all_findings += findings
print(f"{'all':24}{total:12} executions{len(all_findings):4} findings")
for finding in all_findings:
    print(finding)
if all_findings:
    print("a finding runs again with: build/fuzz/tests/fuzz/fuzz_NAME FILE")
sys.exit(1 if all_findings else 0)
