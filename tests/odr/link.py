#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Two translation units that include the single header link into one program; compiled for different processors or with
other options, they share no symbol of ctlm, so that neither can run the other's code.

  link.py COMPILER
"""
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


def shared_symbols(a, b):
    """Weak definitions of ctlm that both objects hold: the linker keeps one of each."""
    names = [{line.split()[-1] for line in run("nm", o).splitlines() if line.split()[-2] in "WVu"} for o in (a, b)]
    return {n for n in names[0] & names[1] if "4ctlm" in n}


with tempfile.TemporaryDirectory() as temporary:
    folder = pathlib.Path(temporary)
    first, second = build(folder, "first"), build(folder, "second")
    if not shared_symbols(first, second):
        sys.exit("two equal translation units share no symbol: the test looks for the wrong ones")
    variants = [["-fno-exceptions"], ["-ffast-math"]]
    if platform.machine() == "x86_64":
        variants += [["-mavx2", "-mfma"], ["-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq"]]
    for flags in [[], *variants]:
        second = build(folder, "second", *flags)
        program = str(folder / "program")
        run(compiler, "-std=c++20", first, second, str(HERE / "main.cpp"), "-o", program)
        if not any("avx" in f for f in flags):  # this machine may not have it
            run(program)
        if flags and (shared := shared_symbols(first, second)):
            sys.exit(f"{' '.join(flags)}: shared symbols, such as {sorted(shared)[0]}")
    print(f"{len(variants)} differently compiled pairs share nothing")
