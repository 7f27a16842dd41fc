#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does what docs/start.md says: builds its two programs by its own CMake lines, trains (a few steps only), quantises, packs,
embeds and generates. Every file that the page promises must be there, and the second program must write text.

  start.py CMAKE COMPILER [--steps N]
"""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "start.md").read_text()
FLAGS = "-O2 -march=native"


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def programs(steps):
    """train.cpp is the blocks that continue each other, tell.cpp the last one."""
    blocks = re.findall(r"^```cpp\n(.*?)^```", PAGE, re.M | re.S)
    body = re.sub(r"steps = \d+;", f"steps = {steps};", "".join(blocks[1:-1])) if steps else "".join(blocks[1:-1])
    return f"{blocks[0]}\nint main() {{\n{body}}}\n", blocks[-1]


def project(name, *lines):
    return "\n".join(["cmake_minimum_required(VERSION 3.25)", f"project({name} LANGUAGES CXX)",
                      f"add_subdirectory({ROOT.as_posix()} ctlm)", *lines]) + "\n"


def build(cmake, compiler, folder):
    run(cmake, "-S", folder, "-B", folder / "build", f"-DCMAKE_CXX_COMPILER={compiler}", f"-DCMAKE_CXX_FLAGS={FLAGS}")
    run(cmake, "--build", folder / "build")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("cmake")
    p.add_argument("compiler")
    p.add_argument("--steps", type=int, default=60, help="0: as many as the page says")
    o = p.parse_args()
    train, tell = programs(o.steps)
    embed = re.findall(r"^```cmake\n(.*?)^```", PAGE, re.M | re.S)[-1]
    with tempfile.TemporaryDirectory() as temporary:
        home = pathlib.Path(temporary)
        for name in ("first", "second"):
            (home / name).mkdir()
        (home / "first" / "train.cpp").write_text(train)
        (home / "first" / "CMakeLists.txt").write_text(
            project("first", "add_executable(train train.cpp)", "target_link_libraries(train PRIVATE ctlm::ctlm)"))
        build(o.cmake, o.compiler, home / "first")
        (home / "second" / "include").symlink_to(ROOT / "include")  # the text that the page learns from
        print(run(home / "first" / "build" / "train", cwd=home / "second"))
        if not (home / "second" / "run.ctlm").exists():
            sys.exit("the checkpoint is missing")
        (home / "second" / "tell.cpp").write_text(tell)
        (home / "second" / "CMakeLists.txt").write_text(project("second", embed))
        build(o.cmake, o.compiler, home / "second")
        written = run(home / "second" / "build" / "tell")
        print(written)
        if len(written) < 10:
            sys.exit("the embedded model wrote nothing")


main()
