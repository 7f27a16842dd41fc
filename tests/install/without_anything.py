#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Configures and installs ctlm as on a machine that has neither Catch2 nor xsimd nor a network: it says what is left out,
installs, and a user's project builds with it.

  without_anything.py CMAKE COMPILER
"""
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
cmake, compiler = sys.argv[1:]
nowhere = "http://127.0.0.1:9"
environment = {**os.environ, "http_proxy": nowhere, "https_proxy": nowhere, "all_proxy": nowhere}


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def configure(source, folder, *options):
    return run(cmake, "-S", source, "-B", folder, f"-DCMAKE_CXX_COMPILER={compiler}",
               "-DCMAKE_DISABLE_FIND_PACKAGE_xsimd=ON", "-DCMAKE_DISABLE_FIND_PACKAGE_Catch2=ON", *options)


with tempfile.TemporaryDirectory() as temporary:
    home = pathlib.Path(temporary)
    said = configure(HERE.parents[1], home / "build")
    for words in ("no xsimd 8.1 or newer, so ctlm::ctlm has the portable kernels", "so the tests are left out"):
        if words not in said:
            sys.exit(f"does not say: {words}\n{said}")
    run(cmake, "--install", home / "build", "--prefix", home / "prefix")
    configure(HERE / "consumer", home / "consumer", f"-DCMAKE_PREFIX_PATH={home / 'prefix'}")
    run(cmake, "--build", home / "consumer")
    for program in ("consumer_portable", "consumer"):
        run(home / "consumer" / program)
    insisting = subprocess.run([cmake, "-S", HERE.parents[1], "-B", home / "insisting", "-DCTLM_XSIMD=ON",
                                f"-DCMAKE_CXX_COMPILER={compiler}", "-DCMAKE_DISABLE_FIND_PACKAGE_xsimd=ON"],
                               capture_output=True, text=True, env=environment)
    if insisting.returncode == 0 or "on which CTLM_XSIMD=ON" not in " ".join(insisting.stderr.split()):
        sys.exit(f"-DCTLM_XSIMD=ON does not insist on xsimd\n{insisting.stderr}")
print("configures, installs and serves a user without Catch2, xsimd and a network")
