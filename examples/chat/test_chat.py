#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples/chat, built for stories260K-hf: it goes on with a text as llama2.c does, tells its golden tokens, at once or line by
line, no more of them than it is told, says when the context is full and what is wrong with a prompt.

  test_chat.py CHAT DATA
"""
import os
import pathlib
import subprocess
import sys

program, data = sys.argv[1], pathlib.Path(sys.argv[2])
golden = (data / "stories260K_greedy64_tokens.txt").read_text().split()


def run(*arguments, typed=""):
    done = subprocess.run([program, *arguments], input=typed, capture_output=True, text=True, errors="surrogateescape")
    if "--ids" not in arguments:
        return done.returncode, done.stdout, done.stderr
    return done.returncode, [line.split() for line in done.stdout.splitlines()], done.stderr


def expect(holds, what):
    if not holds:
        sys.exit(str(what))


story = (data / "stories260K_golden_T0_n200.txt").read_text()
code, text, said = run("--raw", "--prompt", "Once upon a time, there")
expect(code == 0 and "Once upon a time, there" + text[:200] == story[:223] and "tokens per second" in said, (code, text, said))
code, text, said = run("--raw", typed="Once upon a time, there")
expect(code == 0 and "Once upon a time, there" + text[:200] == story[:223], (code, text, said))
code, text, said = run("--raw", typed="\nOnce \udcff\n\nOnce upon a time, there\n")
expect(code == 0 and "Once upon a time, there" + text[:200] == story[:223], (code, text, said))
expect("this line is not UTF-8, and is left out" in said, said)
code, text, said = run("--raw", typed="Once upon a time\nand then\n")
expect(code == 0 and text.count("\n") and "positions, and the context has 512 (./dev chat has --context n for more)" in said, (code, text, said))
code, text, said = run("--prompt", "Hello")
expect(code == 1 and "this model has no chat template" in said and "--raw goes on with a text as it is" in said, (code, text, said))

code, lines, said = run("--ids", "--prompt", golden[0])
expect(code == 0 and lines[0][:63] == golden[1:] and "tokens per second" in said, (code, lines, said))
code, lines, said = run("--ids", "--prompt", ", ".join(golden[:20]))
expect(code == 0 and lines[0][:44] == golden[20:], (code, lines, said))

code, lines, said = run("--ids", typed="x\n1 512\n" + golden[0] + "\n")
expect(code == 0 and lines[-1][:63] == golden[1:], (code, lines, said))
expect('not "x"' in said and "token 512 at position 1 of the prompt is outside the vocabulary of 512" in said, said)

code, lines, said = run("--ids", "--most", "7", "--prompt", golden[0])
expect(code == 0 and lines == [golden[1:8]] and "full" not in said, (code, lines, said))
code, text, said = run("--raw", "--most", "5", "--prompt", "Once upon a time, there")
expect(code == 0 and 1 < len(text) < 40 and story.startswith("Once upon a time, there" + text.rstrip("\n")), (code, text, said))
drawn = ["--ids", "--most", "30", "--temperature", "0.9", "--top-k", "40", "--top-p", "0.95", "--min-p", "0.01", "--typical", "0.99", "--repetition", "1.1",
         "--frequency", "0.1", "--presence", "0.1", "--prompt", golden[0]]
results = [run(*drawn, "--seed", seed)[1] for seed in ("1", "1", "2")]
expect(results[0] == results[1] != results[2] and len(results[0][0]) == 30, results)
code, lines, said = run("--ids", "--most", "63", "--temperature", "0.9", "--top-k", "1", "--prompt", golden[0])
expect(code == 0 and lines[0] == golden[1:64], (code, lines, said))
full = "the answer ends here, because the context of 512 positions is full"
code, text, said = run("--raw", "--prompt", "a " * 250)
expect(code == 0 and full in said, (code, text, said))

try:  # somebody who types sees a sign
    import pty
    ours, theirs = pty.openpty()
    typing = subprocess.Popen([program, "--raw", "--most", "3"], stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    os.write(ours, b"Once upon a time\n\x04")
    shown = typing.communicate()[0].decode()
    expect(typing.returncode == 0 and shown.startswith("> ") and shown.endswith("\n> \n"), (typing.returncode, shown))
except ImportError:
    pass

for arguments, words in [(["--most", "0"], '--most needs a number of tokens, at least 1, not "0"'), (["--most"], 'not ""'),
                         (["--most", "x"], 'not "x"'), (["--ids", "--prompt", "one"], 'not "one"'), (["--ids", "--prompt", ""], 'not ""'),
                         (["--ids", "--prompt", "1 x"], 'not "x"'), (["--ids", "--prompt", "1 99999999999"], 'not "99999999999"'),
                         (["--ids", "--prompt", "-7"], "token -7 at position 0"), (["--all"], "usage"), (["--prompt"], "usage"),
                         (["--ids", "--raw"], "neither with --raw"), (["--raw", "--system", "x"], "no place for --system"),
                         (["--raw", "--prompt", ""], "--prompt needs some text"), (["--prompt", ""], "--prompt needs some text"),
                         (["--top-p", "1.5"], '--top-p needs a number between 0 and 1, not "1.5"'), (["--min-p", "x"], 'not "x"'),
                         (["--temperature"], 'not ""'), (["--typical", "0"], "above 0, and 1 at most"), (["--top-k", "-1"], "a whole number"),
                         (["--repetition", "0"], "between 0.001 and 1000"), (["--prompt", "a\udcffb"], "--prompt is not UTF-8"), (["--system", "\udcc3"], "--system is not UTF-8")]:
    code, _, said = run(*arguments)
    expect(code == 1 and words in said, (arguments, code, said))
print("the golden text and tokens, at once and line by line; wrong prompts are refused")
