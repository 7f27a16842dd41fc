#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Uses ctlm_dispatch, from an installed ctlm and from one beside the project: every variant that this machine can run
runs, the program has none of the variants' inline functions (a program that is linked without care has), what must not
build is refused in words, and the commands of docs/dispatch.md for those who do not use CMake work.

  test_dispatch.py CMAKE BUILD_FOLDER COMPILER
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
cmake, build, compiler = sys.argv[1:]
emulator = shutil.which("qemu-x86_64")


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def refuses(words, *command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    said = " ".join((done.stdout + done.stderr).split())
    if done.returncode == 0 or words not in said:
        sys.exit(f"{' '.join(map(str, command))}: status {done.returncode}, and not {words!r}:\n{said}")


def with_avx(program):
    """Functions with AVX instructions among those that a linker may choose for several files."""
    rows = [line.split() for line in run("nm", "--defined-only", program).splitlines()]
    shared = {int(row[0], 16): row[2] for row in rows if row[1] in "TWVu"}
    found, name = set(), None
    for line in run("objdump", "-d", "--no-show-raw-insn", program).splitlines():
        if begin := re.match(r"([0-9a-f]+) <.*>:$", line):
            name = shared.get(int(begin[1], 16))
        elif name and re.search(r"\tv[a-z0-9]+ .*%[xyz]mm", line):
            found.add(name)
    return found


def link_without_care(folder, built):
    """The variants' files as the compiler makes them, the one for the better processor first."""
    objects = [str(folder / f"{name}_v3.o") for name in ("sums", "count")]
    for target in objects:
        source = pathlib.Path(target).name.replace("_v3.o", ".cpp")
        run(compiler, "-std=c++20", "-O3", "-march=x86-64-v3", "-DCTLM_VARIANT_TARGET=x86_64_v3", f"-I{ROOT / 'include'}",
            "-c", HERE / source, "-o", target)
    choice = folder / "choice.cpp"
    choice.write_text("#include <ctlm/app/dispatch.hpp>\nCTLM_LINKED(sums, x86_64_v2)\nCTLM_LINKED(sums, x86_64_v3)\n"
                      "CTLM_CHOOSE(sums, CTLM_CHOICE(sums, x86_64_v2), CTLM_CHOICE(sums, x86_64_v3))\n")
    program = folder / "careless"
    run(compiler, "-std=c++20", "-O2", f"-I{ROOT / 'include'}", *objects, built / "ctlm_dispatch" / "sums_x86_64_v2.o",
        choice, HERE / "main.cpp", "-o", program)
    return program


def check_variants(program):
    for level in ("x86-64-v2", "x86-64-v3"):
        done = subprocess.run([program], capture_output=True, text=True, env={**os.environ, "CTLM_TARGET": level})
        if done.returncode == 0 and done.stdout != f"{level}\n":
            sys.exit(f"{program}: {level} was asked for, and {done.stdout} ran")
        if done.returncode != 0 and f"CTLM_TARGET is {level}, and this processor has " not in done.stderr:
            sys.exit(f"{program}: {level}: status {done.returncode}, {done.stderr}")
    refuses("ctlm: CTLM_TARGET is x86-64-v9, and this program has x86-64-v2 x86-64-v3", program,
            env={**os.environ, "CTLM_TARGET": "x86-64-v9"})
    if emulator:
        if run(emulator, "-cpu", "Nehalem", program) != "x86-64-v2\n":
            sys.exit("a processor without AVX does not run the variant for x86-64-v2")
        refuses("this program needs x86-64-v2, and this processor has x86-64:", emulator, "-cpu", "qemu64", program)


def configure(folder, prefix, *options):
    return [cmake, "-S", HERE, "-B", folder, f"-DCMAKE_CXX_COMPILER={compiler}", "-DCMAKE_BUILD_TYPE=Release",
            f"-DCMAKE_PREFIX_PATH={prefix}", *options]


def refuse_to_build(folder):
    for target, words in {
            "early": "ctlm_dispatch(early): the variant for x86-64-v3 has code that runs before main",
            "unnamed": "ctlm_dispatch(unnamed): none of the files has CTLM_VARIANT(unnamed)",
            "wider": "ctlm: an option such as -mavx changes what this variant is compiled for"}.items():
        refuses(words, cmake, "--build", folder, "--target", target)


def refuse_to_configure(folder, prefix):
    for call, words in {
            "wrong SOURCES sums.cpp": "SOURCES or TARGETS are missing",
            "wrong SOURCES sums.cpp TARGETS x86-64-v3 x86-64-v5": "there is no level x86-64-v5: there are x86-64, ",
            "9 SOURCES sums.cpp TARGETS x86-64-v3": '"9" cannot be a name in C++'}.items():
        refuses(words, *configure(folder, prefix, f"-DWRONG={call}"))


def page(folder):
    """The commands of the page, with its files as examples/dispatch has them."""
    commands = re.findall(r"^```sh\n(.*?)^```", (ROOT / "docs" / "dispatch.md").read_text(), re.M | re.S)
    commands = next(block for block in commands if "objcopy" in block)
    shutil.copytree(ROOT / "examples" / "dispatch", folder)
    (folder / "include").symlink_to(ROOT / "include")
    commands = re.sub(r"\bg\+\+", compiler, commands)
    if "clang" in compiler:
        commands = commands.replace(" -fno-gnu-unique", "")
    run("bash", "-e", "-c", commands, cwd=folder)
    if emulator and "variant x86-64-v2," not in run(emulator, "-cpu", "Nehalem", folder / "program"):
        sys.exit("the program of docs/dispatch.md does not run without AVX")
    if shared := with_avx(folder / "program"):
        sys.exit(f"the program of docs/dispatch.md has functions with AVX: {sorted(shared)[0]}")


with tempfile.TemporaryDirectory() as temporary:
    home = pathlib.Path(temporary)
    prefix = home / "prefix"
    run(cmake, "--install", build, "--prefix", prefix)
    for generator, tool, options in (("Unix Makefiles", "make", []), ("Ninja", "ninja", [f"-DCTLM_FOLDER={ROOT}"])):
        if shutil.which(tool):
            built = home / tool
            run(*configure(built, prefix, "-G", generator, *options))
            run(cmake, "--build", built, "--target", "program")
            check_variants(built / "program")
    if shared := with_avx(built / "program"):
        sys.exit(f"a function of the program has AVX: {sorted(shared)[0]}")
    careless = link_without_care(home, built)
    if not any("sum_of_squares" in name for name in with_avx(careless)):
        sys.exit("a program that is linked without care has no function with AVX: the test looks for the wrong ones")
    if emulator and subprocess.run([emulator, "-cpu", "Nehalem", careless], capture_output=True).returncode == 0:
        sys.exit("a program that is linked without care runs without AVX: the emulator shows nothing")
    refuse_to_build(built)
    refuse_to_configure(home / "wrong", prefix)
    page(home / "page")
print("variants share nothing with the program" + ("" if emulator else "; without qemu-x86_64 nothing ran without AVX"))
