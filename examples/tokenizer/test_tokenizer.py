#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests the program tokenizer: what it writes, that threads do not change it, Ctrl-C, and what it refuses.

  test_tokenizer.py PROGRAM
"""
import json
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

program = sys.argv[1]


def run(*arguments):
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)


def refuses(words, *arguments):
    done = run(*arguments)
    if done.returncode != 1 or words not in done.stderr:
        sys.exit(f"{arguments}: {done.returncode}, {done.stderr!r} instead of {words!r}")


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    text = folder / "text"
    r = random.Random(3)
    words = ["".join(r.choice("etaoinshrdlu") for _ in range(r.randrange(1, 9))) for _ in range(20000)]
    text.write_text("\n".join(" ".join(r.choices(words, k=12)) for _ in range(4000)))
    files = []
    for threads in (1, 3):
        done = run(text, "--out", folder / f"out{threads}", "--size", 600, "--threads", threads, "--special", "<s>", "--special", "</s>")
        if done.returncode or "600 tokens of" not in done.stdout:
            sys.exit(f"{done.returncode}: {done.stdout}{done.stderr}")
        files.append((folder / f"out{threads}" / "tokenizer.json").read_text())
    if files[0] != files[1]:
        sys.exit("the number of threads changed the tokenizer")
    written = json.loads(files[0])
    if [t["content"] for t in written["added_tokens"]] != ["<s>", "</s>"] or len(written["model"]["vocab"]) != 600:
        sys.exit("this is not the tokenizer that was asked for")

    # Interrupted while it learns, it writes what it has, which begins as the whole would.
    def learn(out, stop_after):
        p = subprocess.Popen([program, str(text), "--out", str(out), "--size", "30000", "--least", "1"], stdout=subprocess.PIPE)
        if stop_after:
            time.sleep(stop_after)
            p.send_signal(signal.SIGINT)
        p.communicate()
        return p.returncode

    learn(folder / "whole", 0)
    whole = json.loads((folder / "whole" / "tokenizer.json").read_text())["model"]["merges"]
    status = learn(folder / "part", 0.05)
    if status not in (0, 130):
        sys.exit(f"interrupted, it ended with {status}")
    if (folder / "part" / "tokenizer.json").exists():
        part = json.loads((folder / "part" / "tokenizer.json").read_text())["model"]["merges"]
        if part != whole[:len(part)]:
            sys.exit("what an interrupted run wrote is not what the whole run begins with")

    refuses("tokenizer: the name of a text file is needed", "--out", folder)
    refuses("tokenizer: --out FOLDER is needed", text)
    refuses("no such file", folder / "nothing", "--out", folder / "x")
    refuses("--words is gpt2, gpt2-digits, llama3 or qwen2", text, "--out", folder / "x", "--words", "all")
    refuses("has no room for its special tokens and letters", text, "--out", folder / "x", "--size", 20)
print("the tokenizer is the same with 1 and 3 threads, and what an interrupted run wrote begins it")
