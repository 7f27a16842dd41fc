#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compiles firmware.cpp freestanding and proves by its symbols that it needs no heap, no exceptions, no RTTI, no guards
of static variables and no operating system.

  symbols.py COMPILER
"""
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
FLAGS = ["-std=c++20", "-Os", "-ffreestanding", "-fno-exceptions", "-fno-rtti", "-DCTLM_FREESTANDING=1", "-Wall",
         "-Wextra", "-Werror", f"-I{HERE.parents[1] / 'single_include'}", "-c"]
ALLOWED = {"memcpy", "memset", "memmove", "memcmp", "weights_in_flash", "_GLOBAL_OFFSET_TABLE_"}
FORBIDDEN = re.compile(r"_ZTI|_ZTS|_ZTV|_ZGV|__cxa|__gxx_personality|_Znw|_Zna|_Zdl|_Zda|malloc|free|_Unwind")

with tempfile.TemporaryDirectory() as folder:
    objects = str(pathlib.Path(folder) / "firmware.o")
    subprocess.run([sys.argv[1], *FLAGS, str(HERE / "firmware.cpp"), "-o", objects], check=True)
    table = subprocess.run(["nm", objects], check=True, capture_output=True, text=True).stdout
    size = subprocess.run(["size", objects], check=True, capture_output=True, text=True).stdout

symbols = [line.split()[-2:] for line in table.splitlines()]
undefined = {name for kind, name in symbols if kind == "U"} - ALLOWED
forbidden = {name for _, name in symbols if FORBIDDEN.search(name)}
print(size)
if not {"answer", "learn"} <= {name for _, name in symbols}:
    sys.exit("the firmware's functions are not in the object")
if undefined or forbidden:
    sys.exit(f"undefined: {sorted(undefined)}\nforbidden: {sorted(forbidden)}")
print("no heap, exceptions, RTTI, guards or operating system")
