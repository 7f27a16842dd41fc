#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Installs ctlm into a temporary folder and uses it from there: with find_package, and with pkg-config if present.

  use_installed.py CMAKE BUILD_FOLDER COMPILER
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
cmake, build, compiler = sys.argv[1:]


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


with tempfile.TemporaryDirectory() as temporary:
    prefix, consumer = pathlib.Path(temporary) / "prefix", pathlib.Path(temporary) / "consumer"
    run(cmake, "--install", build, "--prefix", prefix)
    run(cmake, "-S", HERE / "consumer", "-B", consumer, f"-DCMAKE_PREFIX_PATH={prefix}",
        f"-DCMAKE_CXX_COMPILER={compiler}")
    run(cmake, "--build", consumer)
    run(consumer / "consumer")
    run(consumer / "consumer_portable")
    if shutil.which("pkg-config"):
        environment = {**os.environ, "PKG_CONFIG_PATH": str(prefix / "share" / "pkgconfig")}
        flags = run("pkg-config", f"--define-variable=prefix={prefix}", "--cflags", "ctlm", env=environment).split()
        run(compiler, "-std=c++20", *flags, HERE / "consumer" / "main.cpp", "-o", prefix / "program")
        run(prefix / "program")
print("find_package and pkg-config find the installed library")
