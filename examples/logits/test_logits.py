#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples/logits, built for stories260K-hf: its logits are those of llama2.c, whatever the chunk, and wrong files are
refused in words.

  test_logits.py LOGITS DATA
"""
import array
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from tested_program import Program, write_ids  # noqa: E402

program, data = Program(sys.argv[1]), pathlib.Path(sys.argv[2])
VOCABULARY = CONTEXT = 512


def floats(path):
    return array.array("f", path.read_bytes())


with tempfile.TemporaryDirectory() as folder:
    ids, out = pathlib.Path(folder) / "ids", pathlib.Path(folder) / "out"

    golden_ids = [int(n) for n in (data / "stories260K_greedy64_tokens.txt").read_text().split()]
    golden = floats(data / "stories260K_logits_greedy64_f32.bin")
    write_ids(ids, golden_ids)
    for options in [[], ["--chunk", 1], ["--chunk", 7], ["--chunk", 1000]]:
        done = program.run(ids, out, *options)
        if done.returncode != 0:
            sys.exit(done.stderr)
        found = floats(out)
        worst = max(abs(a - b) for a, b in zip(found, golden))
        if len(found) != len(golden) or not worst < 1e-4:
            sys.exit(f"{options}: {len(found)} logits, {worst} from those of llama2.c at worst")

    out.unlink()
    program.refuses("usage", ids)
    program.refuses('what does "--all" mean', ids, out, "--all")
    for chunk in ("0", "x", "", "-1"):
        program.refuses(f'not "{chunk}"', ids, out, "--chunk", chunk)
    program.refuses("no such file", ids.with_name("missing"), out)
    program.refuses("no such file", ids, out / "below")
    program.refuses("is a folder", ids, folder)
    program.refuses("no such file", ids, out, "--image", ids.with_name("missing"))
    program.refuses("image", ids, out, "--image", ids)  # which holds ids
    program.refuses('not "best"', ids, out, "--method", "best")
    program.refuses("no such file", ids, out, "--calibrate", ids.with_name("missing"))
    write_ids(ids, [1] * (CONTEXT + 1))
    program.refuses("has 513 ids, and the context has room for 512", ids, out)
    for wrong in (VOCABULARY, -1):
        write_ids(ids, [1, 2, wrong])
        program.refuses(f"id {wrong} at position 2 is outside the vocabulary of 512", ids, out)
    write_ids(ids, [])
    program.refuses("is empty", ids, out)
    ids.write_bytes(b"12345")
    program.refuses("has 5 bytes, which is no multiple of 4", ids, out)
    if out.exists():
        sys.exit("a run that failed leaves a file")
print("logits of llama2.c, in chunks of any size; wrong files are refused")
