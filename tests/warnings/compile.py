#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compiles users' programs with every warning that a user may have on, as errors: portable, with xsimd where a folder with
xsimd is given, and for 32 bits where the compiler can. The library is no system header here.

  compile.py COMPILER [XSIMD_INCLUDE]
"""
import concurrent.futures
import os
import pathlib
import platform
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
compiler = sys.argv[1]
xsimd = sys.argv[2] if len(sys.argv) > 2 else ""

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Wsign-conversion", "-Werror"]
x86 = platform.machine() in ("x86_64", "AMD64")


def runs(command, source=""):
    return subprocess.run([compiler, *command], input=source, capture_output=True, text=True)


# GCC warns of uninitialised variables only where it optimises; Clang warns before it begins to.
is_clang = "clang" in runs(["--version"]).stdout
whole = ["-fsyntax-only"] if is_clang else ["-O3", "-c", "-o", os.devnull]
everything, *examples = [HERE / "everything.cpp"] + [
    ROOT / "examples" / f"{name}.cpp" for name in ("first_model", "train_bytes", "stories260k")]

jobs = [("portable", everything, ["-march=native", *whole])]
if xsimd:
    with_xsimd = ["-DCTLM_XSIMD=1", "-idirafter", xsimd]
    widest = "icelake-server" if x86 else "native"  # AVX-512, which this machine need not have
    jobs += [("xsimd", everything, [f"-march={widest}", *with_xsimd, *whole])]
    # They are optimised with other warnings where they are built.
    jobs += [("xsimd", p, ["-march=native", *with_xsimd, "-fsyntax-only"]) for p in examples]
if x86 and runs(["-m32", "-std=c++20", "-fsyntax-only", "-x", "c++", "-"], "#include <thread>\n").returncode == 0:
    jobs += [("32 bits", p, ["-m32", "-fsyntax-only"]) for p in [everything, *examples]]


def warnings_of(job):
    label, program, flags = job
    done = runs(["-std=c++20", *WARNINGS, f"-I{ROOT / 'include'}", *flags, str(program)])
    return None if done.returncode == 0 else f"{program.name} ({label}):\n{done.stderr[:1500]}"


with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    failures = [f for f in pool.map(warnings_of, jobs) if f]
print("\n".join(failures) if failures else f"{len(jobs)} compilations without a warning")
sys.exit(1 if failures else 0)
