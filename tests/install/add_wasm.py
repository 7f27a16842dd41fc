#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Installs the library and makes a WebAssembly module with what is installed alone: ctlm_add_wasm and its toolchain file.

  add_wasm.py CMAKE BUILD NODE
"""
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
cmake, build, node = sys.argv[1:]


def run(*command, fails=False):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if (done.returncode != 0) != fails:
        sys.exit(f"{command}:\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


with tempfile.TemporaryDirectory() as temporary:
    home = pathlib.Path(temporary)
    run(cmake, "--install", build, "--prefix", home / "ctlm")
    configure = [cmake, "-S", HERE / "wasm", f"-DCMAKE_PREFIX_PATH={home / 'ctlm'}", "-B"]
    words = " ".join(run(*configure, home / "here", fails=True).split())
    if "ctlm_add_wasm(model): this build is not for WebAssembly" not in words:
        sys.exit(words)
    toolchain = home / "ctlm/share/cmake/ctlm/toolchains/wasm.cmake"
    run(*configure, home / "there", f"-DCMAKE_TOOLCHAIN_FILE={toolchain}", "-DCMAKE_BUILD_TYPE=MinSizeRel")
    run(cmake, "--build", home / "there")
    said = json.loads(run(node, HERE / "wasm/run.js", home / "there/model.wasm"))
    module = (home / "there/model.wasm").stat().st_size

losses, words = said["losses"], said["words"]
if not (len(losses) == 30 and losses[-1] < losses[0] / 4):
    sys.exit(f"the module does not learn: {losses}")
if not (words.startswith("ctlm: the arena is too small for the trainer: ") and words.endswith(" bytes are needed, 0 are free")):
    sys.exit(f"a broken precondition says {words!r}")
print(f"a module of {module} bytes learns from {losses[0]:.2f} to {losses[-1]:.2f}; {words}")
