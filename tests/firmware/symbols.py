#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compiles firmware.cpp and tokenizer.cpp freestanding and proves by their symbols that they need no heap, no exceptions,
no RTTI, no guards of static variables and no operating system.

  symbols.py COMPILER
"""
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FLAGS = ["-std=c++20", "-Os", "-ffreestanding", "-fno-exceptions", "-fno-rtti", "-DCTLM_FREESTANDING=1", "-Wall",
         "-Wextra", "-Werror", "-c"]
# A program, the headers that it has, and its functions.
PROGRAMS = [("firmware.cpp", "single_include", {"answer", "learn"}), ("tokenizer.cpp", "include", {"encode", "decode"})]
ALLOWED = {"memcpy", "memset", "memmove", "memcmp", "weights_in_flash", "_GLOBAL_OFFSET_TABLE_"}
FORBIDDEN = re.compile(r"_ZTI|_ZTS|_ZTV|_ZGV|__cxa|__gxx_personality|_Znw|_Zna|_Zdl|_Zda|malloc|free|_Unwind")


def look_at(source, headers, functions):
    with tempfile.TemporaryDirectory() as folder:
        objects = str(pathlib.Path(folder) / "firmware.o")
        subprocess.run([sys.argv[1], *FLAGS, f"-I{ROOT / headers}", str(HERE / source), "-o", objects], check=True)
        table = subprocess.run(["nm", objects], check=True, capture_output=True, text=True).stdout
        size = subprocess.run(["size", objects], check=True, capture_output=True, text=True).stdout
    symbols = [line.split()[-2:] for line in table.splitlines()]
    undefined = {name for kind, name in symbols if kind == "U"} - ALLOWED
    forbidden = {name for _, name in symbols if FORBIDDEN.search(name)}
    print(size)
    if not functions <= {name for _, name in symbols}:
        sys.exit(f"the functions of {source} are not in the object")
    if undefined or forbidden:
        sys.exit(f"{source}: undefined: {sorted(undefined)}\nforbidden: {sorted(forbidden)}")


for program in PROGRAMS:
    look_at(*program)
print("no heap, exceptions, RTTI, guards or operating system")
