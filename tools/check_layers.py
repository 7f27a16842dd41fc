#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves the order of the rooms of include/ctlm.

- The rooms are the folders of include/ctlm, and the rows of the table in docs/architecture.md, in one order.
- A room includes only itself and the rooms above it.
- Rooms down to `train`, and tokenizers in flash, include only cheap freestanding system headers.
- Only backend/xsimd.hpp includes xsimd; only core/config.hpp tests what the compiler defines.
- Every header but those that a user includes by name is reachable from ctlm.hpp or fwd.hpp, and each starts with its licence and says what it is.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = ROOT / "include" / "ctlm"
ROOMS = ["core", "memory", "tensor", "format", "backend", "kernels", "factor", "policy", "spec", "model", "quantise", "train", "io", "text", "app"]
FREESTANDING = {"new", "cstddef", "cstdint", "type_traits", "concepts", "limits", "bit", "utility", "initializer_list"}
# Hosted files in rooms that are freestanding otherwise: ctlm.hpp includes them only where there is an operating system.
HOSTED = {"memory/heap_arena.hpp", "memory/out_of_memory.hpp", "policy/threads/pool.hpp",
          "policy/threads/turns.hpp", "quantise/own_text.hpp"}
# A program includes these by name: one links a library, the others are much to compile.
OPTIONAL = {"kernels/blas.hpp", "factor/factorise.hpp", "policy/optimizer/galore.hpp", "policy/optimizer/stabilised.hpp",
            "train/distiller.hpp", "train/kept_codes.hpp", "train/adapters.hpp", "train/heads.hpp", "model/predict.hpp", "io/load_distilled.hpp",
            "io/load_adapter.hpp", "io/save_adapter.hpp", "io/head_file.hpp", "model/adapted_session.hpp", "model/factorise_weights.hpp",
            "train/narrow.hpp", "train/progressive.hpp",
            "text/hf_tokenizer.hpp", "text/gpt2_files.hpp", "text/tiktoken.hpp",
            "text/sentencepiece.hpp", "text/from_gguf.hpp",
            "text/load_tokenizer.hpp", "app/conversation.hpp", "app/dispatch.hpp",
            "text/train_tokenizer.hpp", "text/flash_tokenizer.hpp", "text/pack_tokenizer.hpp"}
# Tokenizers in flash: freestanding in a room that is not.
FREESTANDING_TEXT = ("text/flash/", "text/flash_tokenizer.hpp", "text/characters.hpp", "text/bpe_words.hpp",
                     "text/pattern/basic_reader.hpp", "text/pattern/digits.hpp", "text/pattern/gpt2.hpp",
                     "text/pattern/llama3.hpp", "text/pattern/o200k.hpp")
EXCEPTIONS = {("core/result.hpp", "exception"), ("core/result.hpp", "cstdio")}  # only where there are such things
COMPILER_MACRO = re.compile(r"^\s*#.*\b(__GNUC__|__clang__|_MSC_VER|__AVX\w*|__SSE\w*|__ARM\w*|__F16C__|__FMA__|"
                            r"__FAST_MATH__|__cpp_exceptions|__linux__|__APPLE__|_WIN32)")
INCLUDES = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.M)

problems = []


def complain(name, what):
    problems.append(f"include/ctlm/{name}: {what}")


def room_of(name):
    return name.split("/")[0]


def check_include(path, name, kind, target):
    room = room_of(name)
    if kind == "<":
        if target.startswith("xsimd") and name != "backend/xsimd.hpp":
            complain(name, f"includes <{target}>: only backend/xsimd.hpp may")
        elif ((ROOMS.index(room) <= ROOMS.index("train") or name.startswith(FREESTANDING_TEXT)) and name not in HOSTED and not target.startswith("xsimd")
              and target not in FREESTANDING and (name, target) not in EXCEPTIONS):
            complain(name, f"includes <{target}>, which is not a cheap freestanding header")
        return None
    resolved = (path.parent / target).resolve()
    if not resolved.exists():
        complain(name, f"includes {target}, which does not exist")
        return None
    other = resolved.relative_to(INCLUDE).as_posix()
    if name.startswith(FREESTANDING_TEXT) and room_of(other) in ("io", "text") and not other.startswith(FREESTANDING_TEXT):
        complain(name, f"includes {other}, which needs an operating system")
    if ROOMS.index(room_of(other)) > ROOMS.index(room):
        complain(name, f"includes {other}: {room_of(other)} lies below {room}")
    return other


def check_rooms():
    folders = {p.name for p in INCLUDE.iterdir() if p.is_dir()}
    picture = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "architecture.md").read_text(), re.M)
    for room in sorted(folders ^ set(ROOMS)):
        complain(room, "is a folder, but no room of the list" if room in folders else "is a room without a folder")
    if picture != ROOMS:
        problems.append(f"docs/architecture.md: its rooms are {picture}, those of this check {ROOMS}")


def check_file(path):
    name = path.relative_to(INCLUDE).as_posix()
    text = path.read_text()
    if not text.startswith("// SPDX-License-Identifier: MIT\n// ctlm: "):
        complain(name, "does not start with its licence and a line that says what it is")
    if name != "core/config.hpp":
        for line in text.splitlines():
            if COMPILER_MACRO.match(line):
                complain(name, f"asks the compiler ({line.strip()}): only core/config.hpp may")
    included = set()
    for kind, target in INCLUDES.findall(text):
        if "/" not in name:  # the umbrella and fwd.hpp may include everything
            included.add((path.parent / target).resolve().relative_to(INCLUDE).as_posix())
        elif room_of(name) not in ROOMS:
            complain(name, "is in no room of the list")
        else:
            other = check_include(path, name, kind, target)
            if other:
                included.add(other)
    return name, included


def main():
    check_rooms()
    graph = dict(check_file(p) for p in sorted(INCLUDE.rglob("*.hpp")))
    reached, pending = set(), [n for n in graph if "/" not in n or n in OPTIONAL]
    while pending:
        name = pending.pop()
        if name not in reached:
            reached.add(name)
            pending.extend(graph[name])
    for name in sorted(set(graph) - reached):
        complain(name, "is not reachable from ctlm.hpp")
    print("\n".join(problems) if problems else f"{len(graph)} headers keep the order of the rooms")
    sys.exit(1 if problems else 0)


main()
