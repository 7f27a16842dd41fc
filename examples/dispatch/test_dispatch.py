# SPDX-License-Identifier: MIT
"""The variants of examples/dispatch: the best that this processor has is chosen, as the flags that Linux lists say; each that
it has tells the same tokens when it is forced, and the others are refused in words. Under an emulator, older processors do
what they should.

  test_dispatch.py PROGRAM LEVEL...
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys

program, *levels = sys.argv[1:]
FLAGS = {"x86-64-v2": "ssse3 cx16 sse4_1 sse4_2 popcnt lahf_lm", "x86-64-v3": "avx avx2 bmi1 bmi2 f16c fma abm movbe",
         "x86-64-v4": "avx512f avx512bw avx512cd avx512dq avx512vl", "x86-64-v4+vnni+bf16": "avx512_vnni gfni avx512_bf16"}


def run(*command, level=""):
    return subprocess.run([*command, program], capture_output=True, text=True, env={**os.environ, "CTLM_TARGET": level})


def levels_here():
    listed = set(re.search(r"^flags\s*:(.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)[1].split())
    here = []
    for level in levels:
        if set(FLAGS[level].split()) - listed:
            break
        here.append(level)
    return here


def tokens(*command, level="", expected):
    done = run(*command, level=level)
    found = re.fullmatch(r"variant (\S+), kernels \S+\ntokens((?: \d+){24})\n", done.stdout)
    if done.returncode != 0 or not found or found[1] != expected:
        sys.exit(f"{command} {level}: status {done.returncode}, and not the variant {expected}:\n{done.stdout}{done.stderr}")
    return found[2]


def refused(words, *command, level=""):
    done = run(*command, level=level)
    if done.returncode != 1 or words not in done.stderr:
        sys.exit(f"{command} {level}: status {done.returncode}, and not {words!r}:\n{done.stdout}{done.stderr}")


here = levels_here()
if not here:
    refused(f"ctlm: this program needs {levels[0]}, and this processor has x86-64: ")
    sys.exit(0)
told = {tokens(expected=here[-1])}
for level in levels:
    if level in here:
        told.add(tokens(level=level, expected=level))
    else:
        refused(f"ctlm: CTLM_TARGET is {level}, and this processor has ", level=level)
refused(f"ctlm: CTLM_TARGET is native, and this program has {' '.join(levels)}", level="native")
emulator = shutil.which("qemu-x86_64")
if emulator:
    told.add(tokens(emulator, "-cpu", "Nehalem", expected="x86-64-v2"))
    version = re.search(r"version (\d+)\.(\d+)", subprocess.run([emulator, "--version"], capture_output=True, text=True).stdout)
    if (int(version[1]), int(version[2])) >= (7, 2):  # which has AVX2
        told.add(tokens(emulator, "-cpu", "Haswell", expected="x86-64-v3"))
    refused("CTLM_TARGET is x86-64-v3, and this processor has x86-64-v2: there is no avx,", emulator, "-cpu", "Nehalem",
            level="x86-64-v3")
    refused("this program needs x86-64-v2, and this processor has x86-64: there is no ", emulator, "-cpu", "qemu64")
if len(told) != 1 or len(set(min(told).split())) < 8:
    sys.exit(f"the variants tell different tokens, or always the same one: {told}")
print(f"{len(here)} variants tell the same" + ("" if emulator else "; without qemu-x86_64 older processors are not tested"))
