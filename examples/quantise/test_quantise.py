#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples/quantise, built for stories260K-hf: every way to round makes an image, other inputs make another one, and what
is wrong is said in words and leaves no file.

  test_quantise.py QUANTISE DATA
"""
import array
import pathlib
import subprocess
import sys
import tempfile

program, data = sys.argv[1], pathlib.Path(sys.argv[2])


def run(*arguments):
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)


def refuses(words, *arguments):
    done = run(*arguments)
    if done.returncode != 1 or words not in done.stderr:
        sys.exit(f"quantise {arguments}: exit status {done.returncode}, and not {words!r} but {done.stderr!r}")


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    ids = folder / "ids"
    ids.write_bytes(array.array("i", [1 + i * 7 % 500 for i in range(1024)]).tobytes())
    images = {}
    for options in [[], ["--method", "weighted"], ["--method", "gptq"], ["--calibrate", ids], ["--method", "plain"],
                    ["--calibrate", ids, "--method", "gptq"]]:
        done = run(folder / "stories.ctlm", *options)
        if done.returncode != 0 or "bits per weight" not in done.stdout:
            sys.exit(f"{options}: {done.stderr} {done.stdout}")
        images[str(options)] = (folder / "stories.ctlm").read_bytes()
    if images["[]"] != images[str(["--method", "weighted"])]:
        sys.exit("weighted rounding is not the default")
    if len(set(images.values())) != 5:
        sys.exit(f"{len(set(images.values()))} different images")

    out = folder / "out.ctlm"
    refuses("usage", "--method", "plain")
    refuses('what does "--all" mean', out, "--all")
    refuses('not "best"', out, "--method", "best")
    refuses("--calibrate needs a value", out, "--calibrate")
    refuses("no such file", out, "--calibrate", folder / "missing")
    ids.write_bytes(array.array("i", [512]).tobytes())
    refuses("id 512 at position 0 is outside the vocabulary of 512", out, "--calibrate", ids)
    refuses("no such file", folder / "missing" / "out.ctlm", "--method", "plain")
    if out.exists():
        sys.exit("a failure left a file")
