#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compiles every ```cpp block of README.md and docs/*.md, each on its own: portable, and those of README.md with xsimd too
where a folder with xsimd is given. Names that are the user's come from prelude.hpp. From its first paragraph that begins with a statement on,
a block is put into a function.

  compile.py COMPILER [XSIMD_INCLUDE]
"""
import concurrent.futures
import os
import pathlib
import platform
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
compiler = sys.argv[1]
xsimd = sys.argv[2] if len(sys.argv) > 2 else ""

DECLARATION = re.compile(r"#|//|struct |class |using |template|namespace |static|inline |constexpr |extern ")
PACKED_MODEL = re.compile(r'#include "stories_int4.hpp".*')  # prelude.hpp stands for it

VARIANTS = [("portable", [])]
if xsimd:
    with_xsimd = ["-DCTLM_XSIMD=1", "-idirafter", xsimd]
    VARIANTS.append(("xsimd", ["-march=native", *with_xsimd]))
    if platform.machine() in ("x86_64", "AMD64"):
        VARIANTS.append(("xsimd, AVX-512", ["-march=icelake-server", *with_xsimd]))


def program_of(block):
    paragraphs = re.split(r"\n\s*\n", PACKED_MODEL.sub("", block).strip("\n"))
    first = next((i for i, p in enumerate(paragraphs) if not DECLARATION.match(p)), len(paragraphs))
    outside, inside = "\n\n".join(paragraphs[:first]), "\n\n".join(paragraphs[first:])
    return f'#include "{HERE}/prelude.hpp"\n{outside}\nvoid snippet() {{\n{inside}\n}}\n'


def compile_block(job):
    where, block, label, flags = job
    with tempfile.NamedTemporaryFile("w", suffix=".cpp") as source:
        source.write(program_of(block))
        source.flush()
        command = [compiler, "-std=c++20", "-fsyntax-only", f"-I{ROOT / 'include'}", *flags, source.name]
        done = subprocess.run(command, capture_output=True, text=True)
    return None if done.returncode == 0 else f"{where} ({label}):\n{done.stderr[:1500]}"


jobs = []
for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
    text = page.read_text()
    for block in re.finditer(r"^```cpp\n(.*?)^```", text, re.M | re.S):
        where = f"{page.relative_to(ROOT)}:{text[: block.start()].count(chr(10)) + 1}"
        variants = VARIANTS if page.name == "README.md" else VARIANTS[:1]
        jobs += [(where, block[1], label, flags) for label, flags in variants]
with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    failures = [f for f in pool.map(compile_block, jobs) if f]
print("\n".join(failures) if failures else f"{len(jobs)} compilations of snippets")
sys.exit(1 if failures or not jobs else 0)
