#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Installs ctlm into a temporary folder, moves it, and uses it from there: with find_package, where xsimd is found and where
it is not, with pkg-config if present, and as a subproject without installation.

  use_installed.py CMAKE BUILD_FOLDER COMPILER [XSIMD_PACKAGE]

XSIMD_PACKAGE is the folder of the system's xsimdConfig.cmake, empty if there is none.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
cmake, build, compiler = sys.argv[1:4]
xsimd = sys.argv[4] if len(sys.argv) > 4 else ""


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def configure(source, folder, *options):
    return run(cmake, "-S", source, "-B", folder, f"-DCMAKE_CXX_COMPILER={compiler}", *options)


def find_package(prefix, folder, with_xsimd):
    """Builds and runs the consumer, whose ctlm::ctlm has xsimd where it is found; insisting on it is an error elsewhere."""
    options = [f"-DCMAKE_PREFIX_PATH={prefix}",
               f"-Dxsimd_DIR={xsimd}" if with_xsimd else "-DCMAKE_DISABLE_FIND_PACKAGE_xsimd=ON"]
    configure(HERE / "consumer", folder, *options)
    run(cmake, "--build", folder)
    for program in ("consumer_portable", "consumer", "consumer_model"):
        run(folder / program)
    run(folder / "consumer_embedded", HERE / "consumer" / "embedded.cpp")
    insisting = subprocess.run([cmake, "-S", HERE / "consumer", "-B", folder, "-DINSIST=xsimd"], capture_output=True)
    if (insisting.returncode == 0) != with_xsimd:
        sys.exit(f"COMPONENTS xsimd does not tell whether there is xsimd (there is: {with_xsimd})")


def pkg_config(prefix, package):
    environment = {**os.environ, "PKG_CONFIG_PATH": str(prefix / "share" / "pkgconfig")}
    flags = run("pkg-config", "--cflags", package, env=environment).split()
    run(compiler, "-std=c++20", *flags, HERE / "consumer" / "main.cpp", "-o", prefix / "program")
    run(prefix / "program")
    return flags


def subproject(folder):
    """add_subdirectory: none of the tests, benchmarks, examples and options of ctlm's own are the user's."""
    folder.mkdir()
    (folder / "CMakeLists.txt").write_text(f"""cmake_minimum_required(VERSION 3.25)
project(parent LANGUAGES CXX)
add_subdirectory({HERE.parents[1].as_posix()} ctlm)
add_executable(consumer {(HERE / 'consumer' / 'main.cpp').as_posix()})
target_link_libraries(consumer PRIVATE ctlm::portable)
""")
    configure(folder, folder / "build", "-DCTLM_XSIMD=OFF")
    run(cmake, "--build", folder / "build")
    run(folder / "build" / "consumer")
    if (folder / "build" / "ctlm" / "tests").exists():
        sys.exit("a subproject builds ctlm's tests")


with tempfile.TemporaryDirectory() as temporary:
    home = pathlib.Path(temporary)
    run(cmake, "--install", build, "--prefix", home / "first")
    prefix = home / "moved"
    (home / "first").rename(prefix)

    strangers = [p for p in prefix.rglob("*") if p.is_file() and "ctlm" not in p.relative_to(prefix).as_posix()]
    if strangers:
        sys.exit(f"installs what is not ctlm's: {strangers[0]}")
    find_package(prefix, home / "portable", False)
    if xsimd:
        find_package(prefix, home / "xsimd", True)
    if shutil.which("pkg-config"):
        pkg_config(prefix, "ctlm")
        if xsimd and subprocess.run(["pkg-config", "--exists", "xsimd"]).returncode == 0:
            if "-DCTLM_XSIMD=1" not in pkg_config(prefix, "ctlm-xsimd"):
                sys.exit("ctlm-xsimd.pc does not turn xsimd on")
    subproject(home / "parent")
print("find_package, pkg-config and add_subdirectory yield a working ctlm")
