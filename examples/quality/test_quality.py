#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples/quality, built for stories260K-hf: its table says what is known of the formats, and its picture is one.

  test_quality.py QUALITY DATA QUALITY_OF_IMAGE QUANTISE

QUALITY_OF_IMAGE is the same program built for images in the format of QUANTISE, which is int4<32>.
"""
import pathlib
import re
import sys
import tempfile
import xml.dom.minidom

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from tested_program import Program, write_ids  # noqa: E402

program, data = Program(sys.argv[1]), pathlib.Path(sys.argv[2])
WINDOW = 512


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
    done = program.run("--windows", 3, "--picture", picture)  # on a text of its own
    if done.returncode != 0:
        sys.exit(done.stderr)
    if f"{3 * WINDOW} tokens of the model's own" not in done.stdout:
        sys.exit(done.stdout)
    rows = table(done.stdout)
    if len(rows) != 19 or any(len(r) != 10 for r in rows.values()):
        sys.exit(done.stdout)
    added = {name: r[4] for name, r in rows.items()}
    if rows["f32"][4:8] != [0, 0, 0, 100]:
        sys.exit(f"f32 differs from itself: {rows['f32']}")
    if not (abs(added["int8<32>"]) < 0.01 and added["int4<32>, GPTQ"] < added["int4<32>, plain"]
            and added["same, embedding in int8<32>"] < added["int4<32, compact>, GPTQ"] + 0.02
            and abs(added["int6<32>"]) < 0.03
            and added["int4<32, compact>, GPTQ"] < added["int4<64, asymmetric>, GPTQ"] + 0.02
            and added["int4<32, compact>, GPTQ"] < added["int4<32, compact>, plain"]
            and added["int4<32, compact>, GPTQ"] < added["int3<32, compact>, GPTQ"]
            and added["int4<32, asymmetric>, GPTQ"] < added["int3<32, asymmetric>, GPTQ"]
            and added["int3<32, compact>, GPTQ"] < added["int2<32, compact>, GPTQ"]
            and added["int4<32, asymmetric>, GPTQ"] < 0.3 < added["int2<32, compact>, GPTQ"]):
        sys.exit(done.stdout)
    xml.dom.minidom.parse(str(picture))

    image, of_image = folder / "stories.ctlm", Program(sys.argv[3])
    if Program(sys.argv[4]).run(image, "--method", "plain").returncode != 0:
        sys.exit("there is no image")
    found = table(of_image.run("--windows", 3, "--image", image).stdout)
    if list(found) != ["image"] or found["image"][:8] != rows["int4<32>, plain"][:8]:
        sys.exit(f"an image is not what the table says of its format: {found}, {rows['int4<32>, plain']}")
    of_image.refuses("built for an image: it needs --image FILE", "--windows", 1)
    program.refuses("stories.ctlm: ", "--image", image)  # of another format

    ids = folder / "ids"
    write_ids(ids, [1 + i * 7 % 500 for i in range(WINDOW)])
    again = [program.run(ids, "--calibrate", ids).stdout for _ in range(2)]
    known = [{n: r[:8] for n, r in table(t).items()} for t in again]
    if known[0] != known[1] or len(known[0]) != 19:
        sys.exit("two runs differ in more than time")

    program.refuses("no such file", ids, "--image", folder / "missing")
    (folder / "short").write_bytes(b"no image")
    program.refuses("short: ", ids, "--image", folder / "short")
    program.refuses("what does", ids, ids)
    program.refuses("--windows needs a number of windows", "--windows", "0")
    program.refuses("--picture needs a value", "--picture")
    write_ids(ids, [1] * (WINDOW - 1))
    program.refuses(f"the text has {WINDOW - 1} ids, and a window has {WINDOW}", ids)
