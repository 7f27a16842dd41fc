#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compiles every ```cpp block of README.md and of the pages below docs/, each on its own: portable, and those of README.md
with xsimd too where a folder with xsimd is given. Names that are the user's come from prelude.hpp. From its first paragraph
that begins with a statement on, a block is put into a function. A block under the line `<!-- continues -->` belongs to the
block before it: the two are compiled as one. #define at the beginning of a block comes before everything else.

  compile.py COMPILER [XSIMD_INCLUDE]
"""
import concurrent.futures
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
compiler = sys.argv[1]
xsimd = sys.argv[2] if len(sys.argv) > 2 else ""

DECLARATION = re.compile(r"#|//|struct |class |using |template|namespace |static|inline |constexpr |extern |int main\(")
PACKED_MODEL = re.compile(r'#include "\w+_int4.hpp".*')  # prelude.hpp stands for it
BLOCK = re.compile(r"^(<!-- continues -->\n)?```cpp\n(.*?)^```", re.M | re.S)

VARIANTS = [("portable", [])]
if xsimd:  # for AVX-512, which this machine need not have
    widest = "icelake-server" if platform.machine() in ("x86_64", "AMD64") else "native"
    VARIANTS.append(("xsimd", [f"-march={widest}", "-DCTLM_XSIMD=1", "-idirafter", xsimd]))


def blocks_of(page):
    """(number of its first line, text) of each block, those that continue it at its end."""
    text, blocks = page.read_text(), []
    for found in BLOCK.finditer(text):
        if found[1]:
            blocks[-1] = (blocks[-1][0], f"{blocks[-1][1]}\n{found[2]}")
        else:
            blocks.append((text[: found.start()].count("\n") + 1, found[2]))
    return blocks


def program_of(block, prelude):
    definitions = re.match(r"(#define .*\n)*", block)[0]
    block = block[len(definitions):]
    paragraphs = re.split(r"\n\s*\n", PACKED_MODEL.sub("", block).strip("\n"))
    first = next((i for i, p in enumerate(paragraphs) if not DECLARATION.match(p)), len(paragraphs))
    outside, inside = "\n\n".join(paragraphs[:first]), "\n\n".join(paragraphs[first:])
    return f'{definitions}#include "{prelude}"\n{outside}\nvoid snippet() {{\n{inside}\n}}\n'


def run_compiler(flags, *rest):
    return subprocess.run([compiler, "-std=c++20", f"-I{ROOT / 'include'}", *flags, *rest], capture_output=True, text=True)


def precompiled(folder, flags):
    """prelude.hpp in a folder, beside what GCC made of it: the library is read once, not for every block."""
    folder.mkdir()
    prelude = pathlib.Path(shutil.copy(HERE / "prelude.hpp", folder))
    run_compiler(flags, "-x", "c++-header", prelude, "-o", f"{prelude}.gch")  # a copy alone works as well
    return prelude


def compile_block(job):
    where, block, label, flags, prelude = job
    with tempfile.NamedTemporaryFile("w", suffix=".cpp") as source:
        source.write(program_of(block, prelude))
        source.flush()
        done = run_compiler(flags, "-fsyntax-only", source.name)
    return None if done.returncode == 0 else f"{where} ({label}):\n{done.stderr[:1500]}"


folder = tempfile.TemporaryDirectory()
preludes = {label: precompiled(pathlib.Path(folder.name) / str(i), flags) for i, (label, flags) in enumerate(VARIANTS)}
jobs = []
for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
    variants = VARIANTS if page.name == "README.md" and page.parent == ROOT else VARIANTS[:1]
    for line, block in blocks_of(page):
        jobs += [(f"{page.relative_to(ROOT)}:{line}", block, label, flags, preludes[label]) for label, flags in variants]
with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    failures = [f for f in pool.map(compile_block, jobs) if f]
print("\n".join(failures) if failures else f"{len(jobs)} compilations of snippets")
sys.exit(1 if failures or not jobs else 0)
