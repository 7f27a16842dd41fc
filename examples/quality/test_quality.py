#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples/quality, built for stories260K-hf: its table says what is known of the formats, and its picture is one.

  test_quality.py QUALITY DATA
"""
import array
import pathlib
import re
import subprocess
import sys
import tempfile
import xml.dom.minidom

program, data = sys.argv[1], pathlib.Path(sys.argv[2])
WINDOW = 512


def run(*arguments):
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)


def refuses(words, *arguments):
    done = run(*arguments)
    if done.returncode != 1 or words not in done.stderr:
        sys.exit(f"quality {arguments}: exit status {done.returncode}, and not {words!r} but {done.stderr!r}")


def table(text):
    """name -> (bytes, bits, perplexity, loss, added, its error, divergence, top 1, tokens/s, seconds)"""
    rows = {}
    for line in text.splitlines()[2:]:
        numbers = re.findall(r"[+-]?\d+(?:\.\d+)?", line[28:])
        rows[line[:28].strip()] = [float(n) for n in numbers]
    return rows


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    picture = folder / "quality.svg"
    done = run("--windows", 3, "--picture", picture)  # on a text of its own
    if done.returncode != 0:
        sys.exit(done.stderr)
    if f"{3 * WINDOW} tokens of the model's own" not in done.stdout:
        sys.exit(done.stdout)
    rows = table(done.stdout)
    if len(rows) != 12 or any(len(r) != 10 for r in rows.values()):
        sys.exit(done.stdout)
    added = {name: r[4] for name, r in rows.items()}
    if rows["f32"][4:8] != [0, 0, 0, 100]:
        sys.exit(f"f32 differs from itself: {rows['f32']}")
    if not (abs(added["int8<32>"]) < 0.01 and added["int4<32>, GPTQ"] < added["int4<32>, plain"]
            and added["int4<32, asymmetric>, GPTQ"] < 0.3 < added["int2<32, asymmetric>, GPTQ"]):
        sys.exit(done.stdout)
    xml.dom.minidom.parse(str(picture))

    ids = folder / "ids"
    ids.write_bytes(array.array("i", [1 + i * 7 % 500 for i in range(WINDOW)]).tobytes())
    again = [run(ids, "--calibrate", ids).stdout for _ in range(2)]
    known = [{n: r[:8] for n, r in table(t).items()} for t in again]
    if known[0] != known[1] or len(known[0]) != 12:
        sys.exit("two runs differ in more than time")

    refuses("what does", ids, ids)
    refuses("--windows needs a number of windows", "--windows", "0")
    refuses("--picture needs a value", "--picture")
    ids.write_bytes(array.array("i", [1] * (WINDOW - 1)).tobytes())
    refuses(f"the text has {WINDOW - 1} ids, and a window has {WINDOW}", ids)
