#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples/quantise, built for stories260K-hf: every way to round makes an image, other inputs make another one, and what
is wrong is said in words and leaves no file.

  test_quantise.py QUANTISE DATA
"""
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from tested_program import Program, write_ids  # noqa: E402

program, data = Program(sys.argv[1]), pathlib.Path(sys.argv[2])


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    ids = folder / "ids"
    write_ids(ids, [1 + i * 7 % 500 for i in range(1024)])
    images = {}
    for options in [[], ["--method", "weighted"], ["--method", "gptq"], ["--calibrate", ids], ["--method", "plain"],
                    ["--calibrate", ids, "--method", "gptq"],
                    ["--calibrate", ids, "--method", "distil", "--steps", "2"]]:
        done = program.run(folder / "stories.ctlm", *options)
        if done.returncode != 0 or "bits per weight" not in done.stdout:
            sys.exit(f"{options}: {done.stderr} {done.stdout}")
        images[str(options)] = (folder / "stories.ctlm").read_bytes()
    if images["[]"] != images[str(["--method", "weighted"])]:
        sys.exit("weighted rounding is not the default")
    if len(set(images.values())) != 6:
        sys.exit(f"{len(set(images.values()))} different images")

    out = folder / "out.ctlm"
    program.refuses("usage", "--method", "plain")
    program.refuses('what does "--all" mean', out, "--all")
    program.refuses('not "best"', out, "--method", "best")
    program.refuses("--steps is for --method distil", out, "--steps", "3")
    program.refuses('a number of steps, at least 1, not "0"', out, "--method", "distil", "--steps", "0")
    program.refuses("--calibrate needs a value", out, "--calibrate")
    program.refuses("no such file", out, "--calibrate", folder / "missing")
    write_ids(ids, [512])
    program.refuses("id 512 at position 0 is outside the vocabulary of 512", out, "--calibrate", ids)
    program.refuses("no such file", folder / "missing" / "out.ctlm", "--method", "plain")
    if out.exists():
        sys.exit("a failure left a file")
