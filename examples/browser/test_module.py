#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The module in Node beside the same sources on this computer: losses bit for bit, checkpoints and images to and fro, memory,
refusals, bytes, speed.

  test_module.py MODULE HERE NODE TEXT DATA
"""
import gzip
import json
import pathlib
import subprocess
import sys
import tempfile

module, here, node, text, data = sys.argv[1:]
SCRIPT = pathlib.Path(__file__).with_name("run_module.js")
PROMPT = "The compiler "
PAGE = 65536
OWN_MEMORY = 256 * 1024  # a module's stack, tables and buffers, rounded up to whole pages


def expect(holds, *what):
    if not holds:
        sys.exit(" ".join(map(str, what)))


def in_module(*actions):
    done = subprocess.run([node, SCRIPT, module], input=json.dumps(actions), capture_output=True, text=True)
    expect(done.returncode == 0, done.stderr)
    return json.loads(done.stdout)


def on_computer(*arguments, binary=False):
    done = subprocess.run([here, *map(str, arguments)], capture_output=True)
    expect(done.returncode == 0, arguments, done.stderr.decode())
    return list(done.stdout) if binary else (done.stdout.decode().splitlines(), done.stderr.decode())


def refused(words, action):
    answer = in_module(action)[0]
    expect(isinstance(answer, dict) and words in answer.get("refused", ""), action, answer)


def losses_and_files(folder):
    for model, steps in enumerate([100, 6, 3]):
        there = in_module(["train", dict(model=model, text=text, last=steps, total=100,
                                         save=f"{folder}/there{model}.ctlm")])[0]
        mine, _ = on_computer("train", model, text, steps, 100, "save", f"{folder}/here{model}.ctlm")
        expect(len(mine) == steps and there["steps"] == mine, "model", model, "differs:", there["steps"][:5], mine[:5])
        files = [pathlib.Path(folder, f"{who}{model}.ctlm").read_bytes() for who in ("there", "here")]
        expect(files[0] == files[1], "the checkpoints of model", model, "differ")
        figures = there["figures"]
        expect(len(files[0]) == figures["checkpointBytes"], len(files[0]), figures)
        stated = figures["runBytes"] + pathlib.Path(text).stat().st_size
        expect(stated < there["memory"] <= stated + OWN_MEMORY, "memory", there["memory"], "stated", stated)
        print(f"model {model}: {steps} losses and gradient norms are those of this computer, bit for bit; memory "
              f"{there['memory']} bytes, stated {stated} and {there['memory'] - stated} of the module's own")


def resume(folder):
    whole, _ = on_computer("train", 0, text, 45, 60)
    half = dict(model=0, text=text, total=60)
    first = in_module(["train", dict(half, last=25, save=f"{folder}/25.ctlm")])[0]["steps"]
    then, _ = on_computer("train", 0, text, 35, 1, "open", f"{folder}/25.ctlm", "save", f"{folder}/35.ctlm")
    last = in_module(["train", dict(half, last=45, total=1, open=f"{folder}/35.ctlm")])[0]["steps"]
    expect(first + then + last == whole, "a run that changed machines twice differs")
    print("a run that went from the module to the computer and back is the same, bit for bit")


def images(folder):
    names = [f"{folder}/{f}.image" for f in range(3)]
    mine = [f"{folder}/{f}.here" for f in range(3)]
    there = in_module(["train", dict(model=0, text=text, last=30, total=60, images=names, prompt=PROMPT, count=40)])[0]
    on_computer("train", 0, text, 30, 60, *(word for f in range(3) for word in ("image", f, mine[f])))
    for f, name in enumerate(names):
        expect(on_computer("tell", 0, f, name, PROMPT, 40, binary=True) == there["told"][f], "format", f, "tells another text")
        expect(pathlib.Path(name).read_bytes() == pathlib.Path(mine[f]).read_bytes(), "image", f, "differs")
        expect(pathlib.Path(name).stat().st_size == there["figures"]["imageBytes"][f], "the image's size is not the stated one")
    trained, f32, int8, int4 = there["losses"]
    expect(abs(trained - f32) < 1e-4 and abs(int8 - f32) < 0.02 and abs(int4 - f32) < 0.3, there["losses"])
    again = in_module(["image", dict(model=0, text=text, open=names[0], prompt=PROMPT, count=40)])[0]
    expect(again["told"] == there["told"][0], "weights from an image tell another text")
    print("images of three formats are those of this computer, which tells the same from them; losses", there["losses"])


def refusals(folder):
    good = pathlib.Path(folder, "25.ctlm").read_bytes()
    image = pathlib.Path(folder, "0.image").read_bytes()
    wrong, short = pathlib.Path(folder, "wrong"), pathlib.Path(folder, "short.txt")
    run, weights = dict(model=0, text=text, last=1, total=1, open=str(wrong)), dict(model=0, text=text, open=str(wrong))

    def opened(content, words, action):
        wrong.write_bytes(content)
        refused(words, action)

    damaged = bytearray(good)
    damaged[50_000] ^= 1
    opened(b"", "cut off", ["train", run])
    opened(good[:-5], "damaged", ["train", run])
    opened(bytes(damaged), "checksum", ["train", run])
    opened(good, "another model", ["train", dict(run, model=1)])
    opened(image, "not one of this page", ["train", run])
    opened(image[:-1], "weights are missing", ["image", weights])
    opened(good, "not a flash image", ["image", weights])
    opened(image, "another model", ["image", dict(weights, model=2)])
    opened(image, "another model", ["tell", dict(open=str(wrong), count=1)])
    wrong.write_bytes(good)
    other = pathlib.Path(folder, "other.txt")
    other.write_bytes(b"Another text. " * 500)
    refused("another text", ["train", dict(run, text=str(other))])
    short.write_text("too short")
    refused("9 bytes, and at least 2048", ["train", dict(model=0, text=str(short), last=1, total=1)])
    refused("steps must be", ["train", dict(model=0, text=text, last=1, total=0)])
    expect(in_module(*[["modelOf", dict(open=f"{folder}/{n}")] for n in ("there2.ctlm", "1.image", "other.txt")]) ==
           [2, -1, -1], "models are not known by their files")
    print("what cannot be used is refused in words")


def story(folder):
    golden = pathlib.Path(data, "stories260K_greedy64_tokens.txt")
    if not golden.exists():
        return print(f"SKIPPED: no stories260K in {data}")
    on_computer("pack", pathlib.Path(data, "stories260K.bin"), f"{folder}/stories.image")
    told = in_module(["tell", dict(open=f"{folder}/stories.image", count=40)])[0]
    expect(told[:32] == [int(t) for t in golden.read_text().split()[:32]], told)
    print("a story has the golden tokens")


def size():
    packed = len(gzip.compress(pathlib.Path(module).read_bytes(), 9))
    print(f"module: {pathlib.Path(module).stat().st_size} bytes, {packed} compressed")
    expect(packed <= 40 * 1024, "more than 40 KiB")


def speed():
    """Turn by turn, since others may use this machine; the best of each."""
    action = ["train", dict(model=1, text=text, last=6, total=100)]
    there, mine = [], []
    for _ in range(3):
        there.append(in_module(action)[0]["milliseconds"])
        mine.append(float(on_computer("train", 1, text, 6, 100)[1].split()[-1]))
    ratio = min(mine) / min(there)
    print(f"a step of the medium model: {min(there):.1f} ms in the module, {min(mine):.1f} ms on this computer: {ratio:.2f} "
          "of its speed")
    expect(ratio >= 0.4, "less than 0.4")


with tempfile.TemporaryDirectory() as temporary:
    losses_and_files(temporary)
    resume(temporary)
    images(temporary)
    refusals(temporary)
    story(temporary)
size()
speed()
