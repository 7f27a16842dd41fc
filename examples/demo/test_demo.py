#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the demo in small: to the end, interrupted and resumed to the bit, and with everything that a user can get wrong.

  test_demo.py DEMO
"""
import hashlib
import pathlib
import resource
import subprocess
import sys
import tempfile

demo = sys.argv[1]
failures = []


def run(*arguments, limit=None):
    def restrict():
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    return subprocess.run([demo, *map(str, arguments)], capture_output=True, text=True, errors="replace", preexec_fn=restrict)


def check(holds, what, done):
    if not holds:
        failures.append(f"{what}:\n{done.stdout[-800:]}{done.stderr[-800:]}")


def refuses(what, words, *arguments, **options):
    """One sentence on stderr that holds `words`, and a non-zero exit."""
    done = run(*arguments, **options)
    lines = done.stderr.strip().splitlines()
    check(done.returncode not in (0, -6, -11) and len(lines) == 1 and words in lines[0], f"{what} must be refused", done)


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


with tempfile.TemporaryDirectory() as temporary:
    home = pathlib.Path(temporary)
    text = home / "text.txt"
    text.write_text("".join(f"The {i % 7} cats sat on mat {i}, and the {i * i % 11} dogs ran to the door.\n" for i in range(1500)))
    small = ["--data", text, "--threads", "2"]

    whole, parts = home / "whole", home / "parts"
    done = run(*small, "--steps", 12, "--out", whole, "--prompt", "The 3 cats")
    check(done.returncode == 0, "a short run", done)
    for word in ("int8", "int4", "int2", "perplexity", "The 3 cats", "validation loss"):
        check(word in done.stdout, f"the output must hold {word!r}", done)
    check((whole / "loss.svg").read_text().startswith("<svg"), "the loss curve", done)
    check(len((whole / "metrics.jsonl").read_text().splitlines()) == 12, "a line of metrics for each step", done)

    run(*small, "--steps", 12, "--out", parts, "--stop-after", 5)
    done = run(*small, "--resume", "--out", parts)
    check(done.returncode == 0 and digest(whole / "checkpoint.ctlm") == digest(parts / "checkpoint.ctlm"),
          "stopped and resumed equals never stopped, to the bit", done)
    done = run("--data", text, "--threads", 1, "--steps", 12, "--out", home / "one")
    check(digest(whole / "checkpoint.ctlm") == digest(home / "one" / "checkpoint.ctlm"), "one thread equals two", done)
    done = run(*small, "--steps", 3, "--tokenizer", "bytes", "--out", home / "bytes")
    check(done.returncode == 0, "the byte tokenizer", done)

    done = run("--help")
    check(done.returncode == 0 and "--resume" in done.stdout, "--help", done)
    if pathlib.Path("/dev/full").exists():
        with open("/dev/full", "w") as full:
            done = subprocess.run([demo, *map(str, small), "--resume", "--out", str(whole)], stdout=full,
                                  stderr=subprocess.PIPE, text=True)
        if done.returncode != 1 or "could not be written" not in done.stderr:
            failures.append(f"output to a full disk must be an error: {done.returncode} {done.stderr}")

    empty, tiny, binary = home / "empty.txt", home / "tiny.txt", home / "binary.bin"
    empty.write_text("")
    tiny.write_text("hello")
    binary.write_bytes(bytes(range(256)) * 100)
    (home / "folder").mkdir()
    refuses("a wrong path", "no such file", "--data", home / "missing")
    refuses("an empty file", "empty", "--data", empty)
    refuses("a tiny file", "at least", "--data", tiny)
    refuses("a file that is not text", "not text", "--data", binary)
    refuses("a device", "neither a file nor a folder", "--data", "/dev/zero")
    refuses("an empty folder", "no text", "--data", home / "folder")
    refuses("an unknown option", "no option --stpes", "--stpes", 5)
    refuses("a bad number", "whole number", "--steps", "many")
    refuses("a negative number", "whole number", "--steps", "-3")
    refuses("a missing value", "needs a value", "--seed")
    refuses("resuming nothing", "no such file", *small, "--resume", "--out", home / "folder")
    refuses("an output folder that cannot be made", "not a folder", *small, "--out", text / "x")
    refuses("resuming with another text", "differs", "--data", pathlib.Path(__file__).resolve().parents[2] / "include",
            "--resume", "--out", whole)

    saved = (whole / "checkpoint.ctlm").read_bytes()
    broken = home / "broken"
    broken.mkdir()
    for what, words, content in [("a truncated checkpoint", "cut off", saved[:-1000]),
                                 ("a damaged checkpoint", "damaged", saved[:5000] + bytes([saved[5000] ^ 1]) + saved[5001:]),
                                 ("a foreign file", "not a ctlm checkpoint", b"GGUF" + saved[4:])]:
        (broken / "checkpoint.ctlm").write_bytes(content)
        refuses(what, words, *small, "--resume", "--out", broken)

    before = digest(whole / "checkpoint.ctlm")
    refuses("a full disk", "disk is full", *small, "--resume", "--steps", 14, "--out", whole, limit=1 << 20)
    done = run("--help")
    check(digest(whole / "checkpoint.ctlm") == before, "a full disk must leave the old checkpoint", done)
    check(not list(whole.glob("*.tmp")), "no temporary file may stay behind", done)

print("\n\n".join(failures) if failures else "the demo does what it says, and refuses the rest in words")
sys.exit(1 if failures else 0)
