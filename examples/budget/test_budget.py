#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples/budget, built for stories260K-hf: the type keeps the budget, more bytes are no worse, the same call says the
same, and what is wrong is said in words.

  test_budget.py BUDGET DATA
"""
import pathlib
import re
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from tested_program import Program, write_ids  # noqa: E402

program = Program(sys.argv[1])


def plan(budget, *options):
    """What is printed for a budget: bytes, divergence, and the text from the table on."""
    done = program.run(budget, *options)
    if done.returncode != 0:
        sys.exit(f"{budget} {options}: {done.stderr} {done.stdout}")
    text = done.stdout[done.stdout.index("matrices "):]
    every = re.search(r"^all +(\d+) +([\d.]+)$", text, re.M)
    if not every or "ctlm::weights<ctlm::int" not in text or "'int" not in text:
        sys.exit(f"{budget}: {text}")
    return int(every[1]), float(every[2]), text


with tempfile.TemporaryDirectory() as folder:
    ids = pathlib.Path(folder) / "ids"
    write_ids(ids, [1 + i * 7 % 500 for i in range(600)])
    before = None
    for budget in [150_000, 170_000, 200_000, 260_000]:
        found = plan(str(budget), "--calibrate", ids)
        if found[0] > budget or found[0] < 0.9 * budget or before is not None and found[1] > before[1]:
            sys.exit(f"{budget}: {before} {found}")
        before = found
    if plan("260kB", "--calibrate", ids) != before or plan("260000", "--calibrate", ids) != before:
        sys.exit("the same call prints something else")
    if plan("0.2MB", "--most", "1")[2].count("keep<") != 0:
        sys.exit("one format, and some matrices are kept in another")
    plan("200KiB")  # a text of its own

    program.refuses("usage", "--most", "2")
    program.refuses('not "much"', "much")
    program.refuses('not "12ZB"', "12ZB")
    program.refuses('not "1.5"', "1.5")
    program.refuses("the weights need at least", "10kB")
    program.refuses("10000 are allowed", "10kB")
    program.refuses('what does "--all" mean', "1MB", "--all")
    program.refuses("--most needs a number", "1MB", "--most", "0")
    program.refuses("no such file", "1MB", "--calibrate", ids.with_name("missing"))
    write_ids(ids, [1] * 255)
    program.refuses("256 tokens, and the text has 255", "1MB", "--calibrate", ids)
    write_ids(ids, [512])
    program.refuses("id 512 at position 0 is outside the vocabulary of 512", "1MB", "--calibrate", ids)
