#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the demo in small: to the end, interrupted and resumed to the bit, and with everything that a user can get wrong.

  test_demo.py DEMO
"""
import hashlib
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import time

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


def steps_of(folder):
    """The steps of metrics.jsonl, every line of which must be JSON."""
    return [json.loads(line)["step"] for line in (folder / "metrics.jsonl").read_text().splitlines()]


def interrupted(*signals, arguments, wait_for="step"):
    """Runs until a line begins with `wait_for`, sends the signals, and returns what came of it."""
    started = subprocess.Popen([demo, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))  # background jobs ignore it
    lines = ""
    while wait_for and not lines.split("\n")[-2:][0].startswith(wait_for):
        lines += started.stdout.readline()
    if not wait_for:
        time.sleep(0.2)
    for i, s in enumerate(signals):
        time.sleep(0.01 * i)
        started.send_signal(s)
    try:
        out, err = started.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        started.kill()
        out, err = started.communicate()
        failures.append(f"{signals} must end the program")
    return subprocess.CompletedProcess(started.args, started.returncode, lines + out, err)


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
    killed = home / "killed"
    run(*small, "--steps", 12, "--out", killed, "--stop-after", 5)
    with open(killed / "metrics.jsonl", "a") as metrics:  # as a killed run leaves it: further than its checkpoint
        metrics.write('{"step": 5, "loss": 1.0, "gradient_norm": 1.0, "lr": 0.1}\n{"step": 6, "lo')
    done = run(*small, "--resume", "--out", killed)
    check(done.returncode == 0 and steps_of(killed) == list(range(12)), "metrics of a killed run, resumed", done)
    check((killed / "metrics.jsonl").read_text() == (whole / "metrics.jsonl").read_text(), "the same metrics", done)

    for how, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        folder, same = home / how.name, home / f"{how.name} not interrupted"
        done = interrupted(how, arguments=[*small, "--steps", 10000, "--out", folder])
        check(done.returncode == status and f"by {how.name}; go on with --resume" in done.stdout, f"{how.name}", done)
        steps = len(steps_of(folder))
        check(steps > 0 and f"stopped after {steps} steps" in done.stdout, "the step under way counts", done)
        run(*small, "--resume", "--out", folder, "--stop-after", 2)
        done = run(*small, "--steps", 10000, "--out", same, "--stop-after", steps + 2)
        check(steps_of(folder) == list(range(steps + 2)), "no step is lost or doubled", done)
        check(digest(folder / "checkpoint.ctlm") == digest(same / "checkpoint.ctlm"),
              f"interrupted by {how.name} and resumed equals never stopped, to the bit", done)
    done = interrupted(signal.SIGINT, signal.SIGINT, arguments=[*small, "--steps", 10000, "--out", folder])
    check(done.returncode in (130, -signal.SIGINT), "a second SIGINT ends the program at once", done)
    done = run(*small, "--resume", "--out", folder, "--stop-after", 1)
    check(done.returncode == 0, "and leaves a checkpoint", done)
    os.mkfifo(home / "pipe")
    for how in (signal.SIGINT, signal.SIGTERM):
        done = interrupted(how, arguments=["--data", home / "pipe", "--out", home / "never"], wait_for="")
        check(done.returncode == -how and not (home / "never").exists(), f"{how.name} before training", done)

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
    for seed in ("18446744073709551616", "99999999999999999999999", "-1", "0x10", " 5", "5 ", "+5", "1e3", ""):
        refuses(f"the seed {seed!r}", "--seed needs a whole number from 0 to 18446744073709551615", "--seed", seed)
    refuses("a missing value", "needs a value", "--seed")
    refuses("resuming nothing", "no such file", *small, "--resume", "--out", home / "folder")
    # Before any text is read: a text that is missing comes second.
    refuses("a file as output folder", "this is a file, not a folder", "--data", home / "missing", "--out", text)
    refuses("an output folder in a folder that is missing", "no such file or folder", "--data", home / "missing", "--out",
            home / "no" / "x")
    if os.geteuid() != 0:  # who may write everywhere
        (home / "locked").mkdir(mode=0o555)
        refuses("an output folder that is locked", "permission denied", "--data", home / "missing", "--out",
                home / "locked")
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
