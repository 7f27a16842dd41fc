#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs trap.cpp, built without exceptions: it must print the failure's sentence, with its number, and be stopped by a
signal. Then compiles firmware.cpp with -ffreestanding and nothing else: CTLM_FREESTANDING follows from it.

  without_exceptions.py COMPILER
"""
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
INCLUDE = HERE.parents[1] / "include"
SENTENCE = f"ctlm: the system has no memory for an arena of {2 ** (64 if sys.maxsize > 2 ** 32 else 32) - 1} bytes\n"
compiler = [sys.argv[1], "-std=c++20", f"-I{INCLUDE}"]

with tempfile.TemporaryDirectory() as folder:
    program = str(pathlib.Path(folder) / "trap")
    subprocess.run([*compiler, "-fno-exceptions", "-fno-rtti", str(HERE / "trap.cpp"), "-pthread", "-o", program],
                   check=True)
    run = subprocess.run([program], capture_output=True, text=True)
if run.returncode >= 0 or run.stderr != SENTENCE:
    sys.exit(f"exit status {run.returncode}, stderr {run.stderr!r} instead of a signal and {SENTENCE!r}")

subprocess.run([*compiler, f"-I{INCLUDE / 'ctlm'}", "-fsyntax-only", "-ffreestanding", "-fno-exceptions", "-fno-rtti",
                "-Wall", "-Wextra", "-Werror", str(HERE / "firmware.cpp")], check=True)
print("the sentence is printed before the trap; -ffreestanding is enough")
