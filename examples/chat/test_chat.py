#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples/chat, built for stories260K-hf: it tells the golden tokens of llama2.c, at once or line by line, and says what is
wrong with a prompt.

  test_chat.py CHAT DATA
"""
import pathlib
import subprocess
import sys

program, data = sys.argv[1], pathlib.Path(sys.argv[2])
golden = (data / "stories260K_greedy64_tokens.txt").read_text().split()


def run(*arguments, typed=""):
    done = subprocess.run([program, *arguments], input=typed, capture_output=True, text=True)
    return done.returncode, [line.split() for line in done.stdout.splitlines()], done.stderr


def expect(holds, what):
    if not holds:
        sys.exit(str(what))


code, lines, said = run("--prompt", golden[0])
expect(code == 0 and lines[0][:63] == golden[1:] and "tokens per second" in said, (code, lines, said))
code, lines, said = run("--prompt", ", ".join(golden[:20]))
expect(code == 0 and lines[0][:44] == golden[20:], (code, lines, said))

code, lines, said = run(typed="x\n1 512\n" + golden[0] + "\n")
expect(code == 0 and lines[-1][:63] == golden[1:], (code, lines, said))
expect('not "x"' in said and "token 512 at position 1 of the prompt is outside the vocabulary of 512" in said, said)

for arguments, words in [(["--prompt", "one"], 'not "one"'), (["--prompt", ""], 'not ""'),
                         (["--prompt", "1 x"], 'not "x"'), (["--prompt", "1 99999999999"], 'not "99999999999"'),
                         (["--prompt", "-7"], "token -7 at position 0"), (["--all"], "usage")]:
    code, _, said = run(*arguments)
    expect(code == 1 and words in said, (arguments, code, said))
print("the golden tokens, at once and line by line; wrong prompts are refused")
