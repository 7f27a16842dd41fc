#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a firmware, under an emulator or here, and checks what it says and what it takes.

  run_firmware.py [--same-as PROGRAM] [--tokens FILE --first N] [--prompt TEXT] [--elf FILE --size-tool TOOL --code BYTES] -- COMMAND...

--same-as   another program whose tokens, losses and weights must be the same
--tokens    the first N tokens must be those of this file
--prompt    a text to start it with; tokens, and what is said between the lines "--- text" and "--- end", must be the same as
            those of --same-as. Prints instructions per byte and token where the emulator counts them
--elf       measures the firmware: code at most BYTES without the model, static memory no more than the model's stated
            bytes and the arena's own word, and a stack that leaves a margin
"""
import argparse
import subprocess
import sys

SAME = ("tokens", "loss_millionths", "weights_checksum")


def hear(command):
    """What it says; its exit status must be 0."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, errors="replace", timeout=300, stdin=subprocess.DEVNULL)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def lines_of(said):
    return [words for words in (line.split() for line in said.splitlines()) if words]


def text_of(said):
    begin, end = said.find("\n--- text\n"), said.find("\n--- end\n")
    return said[begin + 10:end] if 0 <= begin < end else ""


def with_prompt(command, prompt):
    """An emulator's program gets it from -append, any other as arguments."""
    return [*command, "-append", prompt] if "-kernel" in command else [*command, prompt]


def figure(lines, name):
    return next((int(line[1]) for line in lines if line[0] == name), 0)


def sections(tool, elf):
    rows = (line.split() for line in say_text([tool, "-A", elf]).splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 3 and row[0].startswith(".")}


def say_text(command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--same-as")
    p.add_argument("--tokens")
    p.add_argument("--first", type=int)
    p.add_argument("--prompt")
    p.add_argument("--elf")
    p.add_argument("--size-tool")
    p.add_argument("--code", type=int)
    p.add_argument("command", nargs="+")
    o = p.parse_args()

    if o.prompt:
        if "-kernel" in o.command:  # whose virtual time is then a nanosecond for each instruction
            o.command[1:1] = ["-icount", "shift=0"]
        o.command = with_prompt(o.command, o.prompt)
    said = hear(o.command)
    lines = lines_of(said)
    told = [line for line in lines if line[0] in SAME]
    if not told:
        sys.exit("the firmware said nothing that could be checked")
    if o.same_as:
        twin = hear(with_prompt([o.same_as], o.prompt) if o.prompt else [o.same_as])
        here = [line for line in lines_of(twin) if line[0] in SAME]
        if text_of(said) != text_of(twin):
            sys.exit(f"device:   {text_of(said)!r}\nthis one: {text_of(twin)!r}")
        if told != here:
            sys.exit(f"device:   {told}\nthis one: {here}")
        print(f"{len(told)} lines of results are the same, bit for bit, as here")
    if o.tokens:
        golden = open(o.tokens).read().split()[:o.first]
        if len(golden) != o.first or told[0][1:1 + o.first] != golden:
            sys.exit(f"tokens {told[0]} instead of {golden}")
        print(f"{o.first} tokens are those of the reference")

    if o.prompt:
        if len(text_of(said)) < 50:
            sys.exit(f"the firmware said nothing that is a story: {text_of(said)!r}")
        print(o.prompt + text_of(said))
        if "-icount" in o.command:
            print(f"{figure(lines, 'prompt_clock') // figure(lines, 'prompt_bytes')} instructions to encode a byte, "
                  f"{figure(lines, 'token_clock')} for a token of the model")
        print(f"tokenizer {figure(lines, 'tokenizer_bytes')} bytes of flash; encoding takes {figure(lines, 'encoding_bytes')} bytes "
              "of the session's memory, before it begins")

    if o.elf:
        size = sections(o.size_tool, o.elf)
        code = size[".text"] + size[".rodata"]
        static = size.get(".data", 0) + size[".bss"]
        stated = figure(lines, "session_bytes") + figure(lines, "train_bytes")
        used, stack = figure(lines, "stack_used"), figure(lines, "stack_size")
        print(f"code {code} bytes (.text {size['.text']}, .rodata {size['.rodata']}), model {size.get('.image', 0)}, "
              f"RAM {static + stack}: stated {stated} + {static - stated} of the arena + stack {stack} (used {used})")
        if code > o.code:
            sys.exit(f"more than {o.code} bytes of code")
        if not stated <= static <= stated + 64:
            sys.exit("static memory is not what the model stated")
        if not 0 < used <= stack * 3 // 4:
            sys.exit("the stack has no margin left, or was not measured")


main()
