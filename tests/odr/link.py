#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Two translation units that include the single header link into one program; compiled for different processors or with
other options, they share no symbol of ctlm, so that neither can run the other's code. Options under which a compiler
overlooks NaN are refused, unless a macro insists.

  link.py COMPILER
"""
import itertools
import pathlib
import platform
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
compiler = sys.argv[1]


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def build(folder, name, *flags):
    target = str(folder / f"{name}.o")
    run(compiler, "-std=c++20", "-O1", f"-I{HERE.parents[1] / 'single_include'}", f"-DNAME={name}", *flags, "-c",
        str(HERE / "unit.cpp"), "-o", target)
    return target


def weak_symbols(target):
    """Weak definitions of ctlm in an object: of those that two objects hold, the linker keeps one."""
    rows = [line.split() for line in run("nm", target).splitlines()]
    return {row[-1] for row in rows if row[-2] in "WVu" and "4ctlm" in row[-1]}


def refuses(folder, flag):
    try:
        build(folder, "second", flag)
    except subprocess.CalledProcessError as failed:
        return "ctlm: -ffast-math and -ffinite-math-only hide NaN" in failed.stderr
    return False


INSIST = "-DCTLM_ALLOW_FAST_MATH=1"
variants = [[], ["-fno-exceptions"], ["-ffast-math", INSIST]]
if platform.machine() == "x86_64":
    variants += [["-mavx2"], ["-mavx2", "-mfma"], ["-mavx2", "-mfma", "-mf16c"],
                 ["-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq"]]
with tempfile.TemporaryDirectory() as temporary:
    folder = pathlib.Path(temporary)
    program = str(folder / "program")
    first = build(folder, "first")
    for flag in ["-ffast-math", "-ffinite-math-only"]:
        if not refuses(folder, flag):
            sys.exit(f"{flag} is not refused in words")
    if weak_symbols(first) & weak_symbols(build(folder, "second", "-ffinite-math-only", INSIST)):
        sys.exit("-ffinite-math-only shares symbols with code that looks for NaN")
    symbols = {}
    for flags in variants:
        second = build(folder, "second", *flags)
        symbols[" ".join(flags)] = weak_symbols(second)
        run(compiler, "-std=c++20", first, second, str(HERE / "main.cpp"), "-o", program)
        if not any("avx" in f for f in flags):  # this machine may not have it
            run(program)
    if not weak_symbols(first) & symbols[""]:
        sys.exit("two equal translation units share no symbol: the test looks for the wrong ones")

for a, b in itertools.combinations(symbols, 2):
    if shared := symbols[a] & symbols[b]:
        sys.exit(f"'{a}' and '{b}' share symbols, such as {sorted(shared)[0]}")
print(f"{len(symbols)} ways to compile share no symbol")
