#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples/caches, built for stories260K-hf: its table says what is known of the caches.

  test_caches.py CACHES DATA
"""
import pathlib
import re
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from tested_program import Program, write_ids  # noqa: E402

program = Program(sys.argv[1])
WINDOW = 512


def table(text):
    """name -> (bytes, bits, loss, added, its error, tokens/s)"""
    return {line[:50].strip(): [float(n) for n in re.findall(r"[+-]?\d+(?:\.\d+)?", line[50:])]
            for line in text.splitlines()[2:]}


done = program.run("--windows", 2)  # on a text of its own
if done.returncode != 0:
    sys.exit(done.stderr)
rows = table(done.stdout)
if f"{2 * WINDOW} tokens of the model's own" not in done.stdout or len(rows) < 8 or any(len(r) != 6 for r in rows.values()):
    sys.exit(done.stdout)
if rows["f32"][1] != 32 or rows["f32"][3:5] != [0, 0] or rows["f16"][1] != 16:
    sys.exit(done.stdout)
# a row of 8 codes is padded to 32
plain, recent = rows["int4<32, asymmetric>"], rows["recent<int4<32, asymmetric>>"]
if not (abs(rows["f16"][3]) < 0.001 and abs(rows["int8<>"][3]) < 0.01 and abs(recent[3]) < 0.1 and plain[1] == 20 < recent[1] < 26):
    sys.exit(done.stdout)

with tempfile.TemporaryDirectory() as folder:
    ids = pathlib.Path(folder) / "ids"
    write_ids(ids, [1 + i * 7 % 500 for i in range(WINDOW)])
    again = [{n: r[:5] for n, r in table(program.run(ids).stdout).items()} for _ in range(2)]
    if again[0] != again[1] or len(again[0]) != len(rows):
        sys.exit("two runs differ in more than time")
    program.refuses("what does", ids, ids)
    program.refuses("--windows needs a number of windows", "--windows", "0")
    write_ids(ids, [1] * (WINDOW - 1))
    program.refuses(f"the text has {WINDOW - 1} ids, and a window has {WINDOW}", ids)
