#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Two translation units that include the single header link into one program; compiled for different processors or with
other options, they share no symbol of ctlm, so that neither can run the other's code. Options under which a compiler
overlooks NaN are refused, unless a macro insists. Every set of instructions has a name of its own.

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


def abi_tag(folder, flags):
    source = folder / "tag.cpp"
    source.write_text("#include <ctlm/core/config.hpp>\nCTLM_ABI\n")
    return run(compiler, "-std=c++20", "-E", "-P", f"-I{HERE.parents[1] / 'include'}", *flags, str(source)).split()[-1]


def refuses(folder, flag):
    try:
        build(folder, "second", flag)
    except subprocess.CalledProcessError as failed:
        return "ctlm: -ffast-math and -ffinite-math-only hide NaN" in failed.stderr
    return False


# What compilers, or the kernels, use where they may: each alone, and the last ones beside x86-64-v4.
SCALAR = ["popcnt", "lzcnt", "bmi", "bmi2", "movbe", "gfni"]
VECTORS = ["sse3", "ssse3", "sse4.1", "sse4.2", "avx", "avx2", "fma", "f16c", "fma4", "avxvnni", "avx512f", "avx512bw",
           "avx512cd", "avx512dq", "avx512vl"]
WIDE = ["avx512vnni", "avx512bf16", "avx512ifma", "avx512vbmi", "avx512vbmi2", "avx512bitalg", "avx512vpopcntdq",
        "avx512fp16"]


def check_names(folder):
    """Code for one set of instructions has names of its own, whatever it has beside the set that it is named after."""
    named = {}
    for flags in [[], *([f"-m{one}"] for one in SCALAR + VECTORS + WIDE), ["-march=x86-64-v4"],
                  *(["-march=x86-64-v4", f"-m{one}"] for one in WIDE + ["gfni", "avxvnni"])]:
        other = named.setdefault(abi_tag(folder, flags), flags)
        if other is not flags:
            sys.exit(f"{flags} and {other} have one ABI tag")


INSIST = "-DCTLM_ALLOW_FAST_MATH=1"
variants = [[], ["-fno-exceptions"], ["-ffast-math", INSIST]]
if platform.machine() == "x86_64":
    variants += [["-mavx2"], ["-mavx2", "-mfma"], ["-mavx2", "-mfma", "-mf16c"],
                 ["-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq"]]
with tempfile.TemporaryDirectory() as temporary:
    folder = pathlib.Path(temporary)
    if platform.machine() == "x86_64":
        check_names(folder)
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
