#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compiles every ```cpp block of README.md and of the pages below docs/: portable, and those of README.md with xsimd too
where a folder with xsimd is given. Names that are the user's come from prelude.hpp. From its first paragraph that begins
with a statement on, a block is put into a function. A block under the line `<!-- continues -->` belongs to the block before
it: the two are compiled as one. #define at the beginning of a block comes before everything else.

Blocks with the same #includes are compiled together, each in a namespace of its own, so that none knows of another's names;
those that define a macro, or something of ctlm's, are compiled alone.

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


def parts_of(block):
    """(#defines, #includes, the rest with what belongs into a function in one); lines stay where they are."""
    lines, definitions, includes = PACKED_MODEL.sub("", block).split("\n"), [], []
    for i, line in enumerate(lines):
        if line.startswith("#include"):
            includes += [line] if line != "#include <ctlm/ctlm.hpp>" else []  # prelude.hpp has it
        elif line.startswith("#define") and all(not before for before in lines[:i]):
            definitions.append(line)
        else:
            continue
        lines[i] = ""
    begin = next((i for i, line in enumerate(lines)
                  if line and (i == 0 or not lines[i - 1]) and not DECLARATION.match(line)), None)
    if begin is not None:
        lines[begin] = "void snippet() { " + lines[begin]
        lines.append("}")
    return tuple(definitions), tuple(sorted(set(includes))), "\n".join(lines)


def together(page, parts_by_line):
    """{(#defines, #includes, what tells those apart that stay alone): what is compiled with them}."""
    found = {}
    for line, (definitions, includes, rest) in parts_by_line.items():
        alone = definitions or "namespace ctlm" in rest
        here = f'#line {line + 1} "{page}"\n{rest}\n'
        name = re.sub(r"\W", "_", f"{page}_{line}")
        key = (definitions, includes, name if alone else "")
        found[key] = found.get(key, "") + (here if alone else f"namespace {name} {{\n{here}}}\n")
    return found


def run_compiler(flags, *rest):
    return subprocess.run([compiler, "-std=c++20", f"-I{ROOT / 'include'}", *flags, *rest], capture_output=True, text=True)


def precompiled(folder, flags):
    """prelude.hpp in a folder, beside what GCC made of it: the library is read once, not for every block."""
    folder.mkdir()
    prelude = pathlib.Path(shutil.copy(HERE / "prelude.hpp", folder))
    run_compiler(flags, "-x", "c++-header", prelude, "-o", f"{prelude}.gch")  # a copy alone works as well
    return prelude


def failure_of(job):
    (definitions, includes, _), label, flags, prelude, blocks = job
    with tempfile.NamedTemporaryFile("w", suffix=".cpp") as source:
        source.write("\n".join([*definitions, f'#include "{prelude}"', *includes, blocks]))
        source.flush()
        done = run_compiler(flags, "-fsyntax-only", source.name)
    return None if done.returncode == 0 else f"{label}:\n{done.stderr[:1500]}"


with tempfile.TemporaryDirectory() as temporary:
    jobs, count = [], 0
    for i, (label, flags) in enumerate(VARIANTS):
        prelude = precompiled(pathlib.Path(temporary) / str(i), flags)
        groups = {}
        for page in [ROOT / "README.md", *(sorted((ROOT / "docs").rglob("*.md")) if i == 0 else [])]:
            blocks = blocks_of(page)
            count += len(blocks)
            for key, text in together(page.relative_to(ROOT), {line: parts_of(block) for line, block in blocks}).items():
                groups[key] = groups.get(key, "") + text
        jobs += [(key, label, flags, prelude, text) for key, text in groups.items()]
    jobs.sort(key=lambda job: -len(job[-1]))  # the longest first
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        failures = [f for f in pool.map(failure_of, jobs) if f]
print("\n".join(failures) if failures else f"{count} snippets in {len(jobs)} compilations")
sys.exit(1 if failures or not jobs else 0)
