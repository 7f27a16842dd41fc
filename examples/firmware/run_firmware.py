#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a firmware, under an emulator or here, and checks what it says and what it takes.

  run_firmware.py [--same-as PROGRAM] [--tokens FILE --first N] [--elf FILE --size-tool TOOL --code BYTES] -- COMMAND...

--same-as   another program whose tokens, losses and weights must be the same
--tokens    the first N tokens must be those of this file
--elf       measures the firmware: code at most BYTES without the model, static memory no more than the model's stated
            bytes and the arena's own word, and a stack that leaves a margin
"""
import argparse
import subprocess
import sys

SAME = ("tokens", "loss_millionths", "weights_checksum")


def say(command):
    """Its exit status must be 0; its lines come back as lists of words."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=300, stdin=subprocess.DEVNULL)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}")
    return [line.split() for line in done.stdout.splitlines()]


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
    p.add_argument("--elf")
    p.add_argument("--size-tool")
    p.add_argument("--code", type=int)
    p.add_argument("command", nargs="+")
    o = p.parse_args()

    lines = say(o.command)
    told = [line for line in lines if line[0] in SAME]
    if not told:
        sys.exit("the firmware said nothing that could be checked")
    if o.same_as:
        here = [line for line in say([o.same_as]) if line[0] in SAME]
        if told != here:
            sys.exit(f"device:   {told}\nthis one: {here}")
        print(f"{len(told)} lines of results are the same, bit for bit, as here")
    if o.tokens:
        golden = open(o.tokens).read().split()[:o.first]
        if len(golden) != o.first or told[0][1:1 + o.first] != golden:
            sys.exit(f"tokens {told[0]} instead of {golden}")
        print(f"{o.first} tokens are those of the reference")

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
