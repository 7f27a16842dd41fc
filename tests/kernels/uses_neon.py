#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Shows that a program for 64-bit Arm computes with NEON: counts the vector instructions in ctlm's own functions.

  uses_neon.py OBJDUMP PROGRAM
"""
import collections
import re
import subprocess
import sys

text = subprocess.run([sys.argv[1], "-dC", "--no-show-raw-insn", sys.argv[2]], stdout=subprocess.PIPE, text=True,
                      check=True).stdout
function, seen = "", collections.defaultdict(collections.Counter)
for line in text.splitlines():
    if line.endswith(">:"):
        function = line
    elif "ctlm::" in function and (m := re.search(r"\t(f?mla|fadd|fmul|sdot|smull2?|smlal2?)\tv\d+\.(4s|2d|4h|8h|16b)", line)):
        seen[m[1] + " ." + m[2]][function] += 1
for instruction, functions in sorted(seen.items()):
    print(f"{instruction:12} {sum(functions.values()):6} in {len(functions)} functions")
if not seen["fmla .4s"] or not seen["fmla .2d"]:
    sys.exit("no NEON multiply-adds: the kernels are scalar")
