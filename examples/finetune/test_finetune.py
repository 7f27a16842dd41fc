#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples/finetune, built for stories260K-hf: the loss falls, files are PEFT's, and a run that was interrupted and resumed
ends in the same bytes.

  test_finetune.py FINETUNE DATA
"""
import json
import pathlib
import re
import signal
import struct
import subprocess
import sys
import tempfile

PROGRAM, DATA = sys.argv[1], pathlib.Path(sys.argv[2])


def check(holds, what, *shown):
    if not holds:
        sys.exit("\n".join([what, *map(str, shown)]))


def run(*arguments):
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True)


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    text = folder / "text.txt"
    text.write_text("One day, a little cat named Tom went to the big park. He saw a red ball, and he was happy.\n" * 60)
    whole, parts = folder / "whole", folder / "parts"
    arguments = [text, "--steps", 6, "--rate", "5e-3"]

    done = run(*arguments, "--out", whole)
    check(done.returncode == 0, "a run ends well", done.stderr)
    losses = [float(x) for x in re.findall(r"loss (\d+\.\d+)", done.stdout)]
    check(len(losses) == 6 and losses[-1] < losses[0] - 0.3, "the loss falls", done.stdout)
    check(done.stdout.startswith("weights 1.0 MB, as they are; trainer "), "bytes are said first", done.stdout)
    config = json.loads((whole / "adapter_config.json").read_text())
    check(config["peft_type"] == "LORA" and config["r"] == 8 and len(config["target_modules"]) == 7, "a config", config)
    tensors = (whole / "adapter_model.safetensors").read_bytes()
    header = json.loads(tensors[8:8 + struct.unpack("<Q", tensors[:8])[0]])
    check(header["base_model.model.model.layers.4.mlp.gate_proj.lora_B.weight"]["shape"] == [172, 8], "tensors", header)

    p = subprocess.Popen([PROGRAM, *map(str, arguments), "--out", str(parts)], stdout=subprocess.PIPE, text=True,
                         preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))  # background jobs ignore it
    while not p.stdout.readline().startswith("step 2"):
        check(p.poll() is None, "it runs")
    p.send_signal(signal.SIGINT)
    rest = p.communicate()[0]
    check(p.returncode == 130 and "stopped, and kept," in rest, "Ctrl-C ends it and keeps everything", rest)
    done = run(*arguments, "--out", parts, "--resume")
    check(done.returncode == 0 and "going on after step" in done.stdout, "it goes on", done.stdout, done.stderr)
    check((parts / "adapter_model.safetensors").read_bytes() == tensors, "the same bytes after an interruption")

    for wrong, words in (([text], "--out FOLDER is needed"), (["--out", whole], "the name of a text file is needed"),
                         ([folder / "none", "--out", whole], "none: ctlm: "),
                         ([text, "--out", whole, "--rate", "fast"], "--rate needs a number above 0 and below 1"),
                         ([text, "--out", folder / "other", "--resume"], "training.ctlm: ctlm: ")):
        done = run(*wrong)
        check(done.returncode == 1 and words in done.stderr, f"refused in words: {words}", done.stderr)
