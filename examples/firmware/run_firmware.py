#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a firmware, under an emulator or here, and checks what it says and what it takes.

  run_firmware.py [--same-as PROGRAM] [--tokens FILE --first N] [--prompt TEXT] [--text TEXT --merge PROGRAM --image FILE] [--elf FILE --size-tool TOOL --code BYTES] -- COMMAND...

--same-as   another program whose tokens, losses and weights must be the same
--tokens    the first N tokens must be those of this file
--prompt    a text to start it with; tokens, and what is said between the lines "--- text" and "--- end", must be the same as
            those of --same-as. Prints instructions per byte and token where the emulator counts them
--text      a text to learn: the file adapter.f32 that is left behind must have the same bytes as that of --same-as, and
            --merge, the program adapter_to_peft, makes PEFT's files of it beside the weights of --image and merges them
--elf       measures the firmware: code at most BYTES without the model, static memory no more than the model's stated
            bytes and the arena's own word, and a stack that leaves a margin
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

SAME = ("tokens", "loss_millionths", "weights_checksum")


RAM = 256 * 1024  # bytes that fine-tuning on a device may take


def hear(command, folder=None):
    """What it says; its exit status must be 0."""
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, errors="replace", timeout=300, stdin=subprocess.DEVNULL)
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


def check_adapter(o):
    """Learns the text on the device and here, and merges what was learned; returns what the device says."""
    with tempfile.TemporaryDirectory() as folder:
        there, here = pathlib.Path(folder) / "there", pathlib.Path(folder) / "here"
        there.mkdir(), here.mkdir()
        said = hear(with_prompt(o.command, o.text), there)
        adapter = (there / "adapter.f32").read_bytes()
        if o.same_as:
            hear([o.same_as, o.text], here)
            if adapter != (here / "adapter.f32").read_bytes():
                sys.exit("the adapter of the device is another one than that of here")
            print(f"{len(adapter)} bytes of the adapter are the same as here")
        print(hear([o.merge, o.image, str(there / "adapter.f32"), str(here / "peft")]), end="")
        if not (here / "peft" / "adapter_model.safetensors").exists():
            sys.exit("there is no file of PEFT")
    losses = [int(line[1]) for line in lines_of(said) if line[0] == "loss_millionths"]
    if not sum(losses[-5:]) < 0.7 * sum(losses[:5]):
        sys.exit(f"nothing was learned: {losses}")
    print(f"loss {losses[0] / 1e6:.6f} at first, {losses[-1] / 1e6:.6f} after {len(losses)} steps")
    return said


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
    p.add_argument("--text")
    p.add_argument("--merge")
    p.add_argument("--image")
    p.add_argument("--elf")
    p.add_argument("--size-tool")
    p.add_argument("--code", type=int)
    p.add_argument("command", nargs="+")
    o = p.parse_args()

    if o.prompt:
        if "-kernel" in o.command:  # whose virtual time is then a nanosecond for each instruction
            o.command[1:1] = ["-icount", "shift=0"]
        o.command = with_prompt(o.command, o.prompt)
    said = check_adapter(o) if o.text else hear(o.command)
    lines = lines_of(said)
    told = [line for line in lines if line[0] in SAME]
    if not told:
        sys.exit("the firmware said nothing that could be checked")
    if o.same_as:
        with tempfile.TemporaryDirectory() as folder:
            twin = hear([o.same_as, *filter(None, [o.prompt or o.text])], folder)
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

    if whole := figure(lines, "whole_train_bytes"):
        print(f"learning takes {figure(lines, 'train_bytes')} bytes of RAM; with whole matrices it would be {whole}")
    if o.elf:
        size = sections(o.size_tool, o.elf)
        code = size[".text"] + size[".rodata"]
        static = size.get(".data", 0) + size[".bss"]
        stated = figure(lines, "session_bytes") + figure(lines, "train_bytes")
        used, stack = figure(lines, "stack_used"), figure(lines, "stack_size")
        print(f"code {code} bytes (.text {size['.text']}, .rodata {size['.rodata']}), model {size.get('.image', 0)}, "
              f"RAM {static + stack}: stated {stated} + {static - stated} of the arena + stack {stack} (used {used})")
        if o.text and static + stack > RAM:
            sys.exit(f"more than {RAM} bytes of RAM")
        if code > o.code:
            sys.exit(f"more than {o.code} bytes of code")
        if not stated <= static <= stated + 64:
            sys.exit("static memory is not what the model stated")
        if not 0 < used <= stack * 3 // 4:
            sys.exit("the stack has no margin left, or was not measured")


main()
