#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compiles every header alone: freestanding where it may be used so, hosted elsewhere and where it differs there, and with
xsimd where it knows of it and a folder with xsimd is given. A header whose first line is the inclusion of another has
compiled that one alone, too. Those for a hosted system are compiled all together without exceptions.

  each_alone.py COMPILER [XSIMD_INCLUDE]
"""
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "include"
compiler = sys.argv[1]
xsimd = sys.argv[2] if len(sys.argv) > 2 else ""

HOSTED_ROOMS = ("io/", "text/", "app/")
HOSTED_FILES = ("memory/heap_arena.hpp", "memory/out_of_memory.hpp", "policy/threads/pool.hpp",
                "policy/threads/turns.hpp")
FREESTANDING_TEXT = ("text/flash/", "text/flash_tokenizer.hpp", "text/characters.hpp", "text/bpe_words.hpp",
                     "text/pattern/basic_reader.hpp", "text/pattern/digits.hpp", "text/pattern/gpt2.hpp",
                     "text/pattern/llama3.hpp", "text/pattern/o200k.hpp")
FREESTANDING = ["-ffreestanding", "-fno-exceptions", "-fno-rtti", "-DCTLM_FREESTANDING=1"]
ASKS_WHERE = re.compile("CTLM_FREESTANDING|__STDC_HOSTED__|_EXCEPTIONS|__cpp_exceptions")
WITH_XSIMD = ["-DCTLM_XSIMD=1", "-march=native", "-idirafter", xsimd] if xsimd else None


def text_of(name):
    return (INCLUDE / "ctlm" / name).read_text()


def is_freestanding(name):
    return name.startswith(FREESTANDING_TEXT) or not name.startswith(HOSTED_ROOMS) and name not in HOSTED_FILES


def variants(name):
    """(label, flags) of each way in which a header has to compile."""
    needs_xsimd = "xsimd" in name
    if not needs_xsimd and is_freestanding(name):
        yield "freestanding", FREESTANDING
    if not needs_xsimd and (not is_freestanding(name) or ASKS_WHERE.search(text_of(name))):
        yield "hosted", []
    if WITH_XSIMD and (needs_xsimd or name == "fwd.hpp" or "CTLM_XSIMD" in text_of(name)):
        yield "xsimd", WITH_XSIMD


def first_included(name):
    """The header that this one includes before anything else, from include/ctlm on, or None."""
    path = INCLUDE / "ctlm" / name
    for line in text_of(name).splitlines():
        if not line.strip() or line.startswith("//"):
            continue
        if line == "#pragma once":
            continue
        included = re.fullmatch(r'#include "(.*?)"', line)
        return os.path.relpath(path.parent / included[1], INCLUDE / "ctlm") if included else None
    return None


def failure_of(job):
    """What the compiler says of a program that includes some headers, or None."""
    label, flags, included = job
    with tempfile.NamedTemporaryFile("w", suffix=".cpp") as source:
        source.write("".join(f"#include <ctlm/{name}>\n" for name in included))
        source.flush()
        command = [compiler, "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", f"-I{INCLUDE}", *flags,
                   source.name]
        done = subprocess.run(command, capture_output=True, text=True)
    return None if done.returncode == 0 else f"{included[0]} ({label}):\n{done.stderr[:1500]}"


def job_of(name, label, flags):
    # The declarations of fwd.hpp must agree with the definitions.
    return label, flags, [name, name, "ctlm.hpp"] if name == "fwd.hpp" else [name, name]


names = sorted(p.relative_to(INCLUDE / "ctlm").as_posix() for p in (INCLUDE / "ctlm").rglob("*.hpp"))
isa = ("avx2/",)  # compiled only where the processor has it, through kernels/primitives.hpp
alone = [(n, label, flags) for n in names if not any(i in n for i in isa) for label, flags in variants(n)]
covered = {(first_included(n), label) for n, label, _ in alone}
repeatable = {n for n in names if "#pragma once" in text_of(n).splitlines()}
left_out = [a for a in alone if a[:2] in covered and a[0] in repeatable]
jobs = [job_of(*a) for a in alone if a not in left_out]
jobs.append(("no exceptions", ["-fno-exceptions", "-fno-rtti"],
             [n for n in names if not is_freestanding(n) and n in repeatable]))
with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    failures = [f for f in pool.map(failure_of, jobs) if f]
print("\n".join(failures[:5]) if failures else f"{len(jobs)} compilations of {len(names)} headers, {len(left_out)} of them within another's")
sys.exit(1 if failures or not jobs else 0)
