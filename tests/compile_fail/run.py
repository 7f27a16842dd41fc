#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compiles each case twice: as it stands it must compile; with CTLM_EXPECT_FAIL it must fail. So a case cannot rot, and
the words are part of the interface. Lines of a case say what must be there:

  // expect: REGEX         matches the compiler's message
  // expect-first: REGEX   matches the first error of it, which is the one that is read
  // expect-errors: N      there are at most N errors
  // fail-flags: FLAGS     more flags for the compilation that must fail
  // hosted                the case needs what the trimmed form leaves out

  run.py COMPILER
"""
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
INCLUDE = HERE.parents[1] / "include"
compiler = sys.argv[1]
is_clang = "clang" in subprocess.run([compiler, "--version"], capture_output=True, text=True).stdout


def command_of(trimmed, *rest):
    return [compiler, "-std=c++20", f"-DCTLM_FREESTANDING={trimmed:d}", *map(str, rest)]


def precompiled(folder):
    """A folder whose ctlm/ctlm.hpp has been compiled: most cases begin with it, and it takes most of their time."""
    header = pathlib.Path(folder) / "ctlm" / "ctlm.hpp"
    header.parent.mkdir()
    header.write_text(f'#include "{INCLUDE / "ctlm" / "ctlm.hpp"}"\n')
    target = f"{header}.{'pch' if is_clang else 'gch'}"
    subprocess.run(command_of(True, f"-I{INCLUDE}", "-x", "c++-header", header, "-o", target), check=True)
    return ["-include", header, f"-I{folder}"] if is_clang else [f"-I{folder}"]


def compile_case(case, begins_alike, *flags):
    # The trimmed form compiles in a tenth of the time, and the messages are the same.
    text = case.read_text()
    first = re.search(r"^#.*$", text, re.M)[0]
    usual = "// hosted\n" not in text and not flags[1:] and first == "#include <ctlm/ctlm.hpp>"
    command = command_of("// hosted\n" not in text, "-fsyntax-only", *(begins_alike if usual else []), f"-I{INCLUDE}",
                         *flags, case)
    return subprocess.run(command, capture_output=True, text=True)


def problems_of(case, begins_alike):
    def lines(key):
        return re.findall(rf"^// {key}: (.*)$", case.read_text(), re.M)

    if not lines("expect") + lines("expect-first"):
        return ["has no `// expect:` line"]
    good = compile_case(case, begins_alike)
    if good.returncode != 0:
        return [f"does not compile without CTLM_EXPECT_FAIL:\n{good.stderr[:1000]}"]
    bad = compile_case(case, begins_alike, "-DCTLM_EXPECT_FAIL", *(flag for flags in lines("fail-flags") for flag in flags.split()))
    if bad.returncode == 0:
        return ["compiles although it must not"]
    errors = re.findall(r"^.*\berror: .*$", bad.stderr, re.M)
    problems = [f"message does not match /{e}/" for e in lines("expect") if not re.search(e, bad.stderr)]
    problems += [f"first error does not match /{e}/" for e in lines("expect-first")
                 if not errors or not re.search(e, errors[0])]
    problems += [f"{len(errors)} errors instead of {n}" for n in lines("expect-errors") if len(errors) > int(n)]
    return [f"{p}:\n{bad.stderr[:1000]}" for p in problems]


cases = sorted(HERE.glob("*.cpp"))
with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    begins_alike = precompiled(folder)
    found = pool.map(lambda case: problems_of(case, begins_alike), cases)
    failures = [f"{c.name}: {p}" for c, problems in zip(cases, found) for p in problems]
print("\n".join(failures) if failures else f"{len(cases)} messages match")
sys.exit(1 if failures or not cases else 0)
