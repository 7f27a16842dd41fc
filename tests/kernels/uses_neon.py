#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Shows that a program for 64-bit Arm computes with NEON: counts the vector instructions in ctlm's own functions.

  uses_neon.py OBJDUMP PROGRAM [--bf16]

--bf16: the program's products are of numbers in 16 bits.
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
    elif "ctlm::" in function and (m := re.search(r"\t(f?mla|fadd|fmul|sdot|smull2?|smlal2?|bfmmla|bfcvtn)\tv\d+\.(4s|2d|4h|8h|16b)", line)):
        seen[m[1] + " ." + m[2]][function] += 1
for instruction, functions in sorted(seen.items()):
    print(f"{instruction:12} {sum(functions.values()):6} in {len(functions)} functions")
needed = ["bfmmla .4s", "bfcvtn .4h"] if "--bf16" in sys.argv else ["fmla .4s", "fmla .2d"]
if missing := [instruction for instruction in needed if not seen[instruction]]:
    sys.exit(f"no {missing[0]}: the kernels do without")
