#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What including ctlm costs: compile time, memory and preprocessed lines of small programs, at -O2 without xsimd.

  compile_cost.py [COMPILER]
"""
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
compiler = sys.argv[1] if len(sys.argv) > 1 else "c++"

TAG = """#include <ctlm.hpp>
struct tag { static constexpr ctlm::llama_config config{.vocab = 512, .d_model = 64, .layers = LAYERS, .heads = 8,
    .kv_heads = 4, .d_ff = 172, .context = 128, .tie_embeddings = true}; };
using lm = ctlm::causal_lm<tag, ctlm::weights<FORMAT>>;
"""
SESSION = """int main() { ctlm::heap_arena m(lm::weight_bytes + lm::session_bytes); lm::weights w(m); lm::session s(w, m);
  return static_cast<int>(s.decode(1)[0]); }
"""
TRAINING = """struct recipe { static constexpr ctlm::train_config config{.batch = 2}; };
int main() { using trainer = ctlm::trainer<lm, recipe>; ctlm::heap_arena m(trainer::train_bytes); trainer t(m, {});
  int x[trainer::step_tokens]{}; return static_cast<int>(t.step(x, x).loss); }
"""
PROGRAMS = [
    ("the header alone", "#include <ctlm.hpp>\nint main() {}\n"),
    ("the header alone, freestanding", "#define CTLM_FREESTANDING 1\n#include <ctlm.hpp>\nint main() {}\n"),
    ("a session, int4, 5 layers", TAG.replace("FORMAT", "ctlm::int4<32>").replace("LAYERS", "5") + SESSION),
    ("a session, int4, 48 layers", TAG.replace("FORMAT", "ctlm::int4<32>").replace("LAYERS", "48") + SESSION),
    ("a trainer, f32, 5 layers", TAG.replace("FORMAT", "ctlm::f32").replace("LAYERS", "5") + TRAINING),
    ("a trainer, f32, 48 layers", TAG.replace("FORMAT", "ctlm::f32").replace("LAYERS", "48") + TRAINING),
]
SECONDS_LIMIT, MEGABYTES_LIMIT = 5.0, 400.0


def run(command):
    """(seconds, peak MB of the largest process) of a command."""
    start = time.monotonic()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"failed: {' '.join(command)}")
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there, in KiB elsewhere
    return time.monotonic() - start, usage.ru_maxrss / unit


def cost(source, folder):
    """(seconds, peak MB, preprocessed lines, bytes of .text): the median time and largest memory of three compilations."""
    path, target = folder / "program.cpp", folder / "program.o"
    path.write_text(source)
    base = [compiler, "-std=c++20", "-O2", f"-I{ROOT / 'single_include'}", str(path)]
    runs = [run([*base, "-c", "-o", str(target)]) for _ in range(3)]
    lines = subprocess.run([*base, "-E", "-P"], check=True, capture_output=True, text=True).stdout.count("\n")
    text = subprocess.run(["size", str(target)], check=True, capture_output=True, text=True).stdout.split("\n")[1].split()[0]
    return sorted(seconds for seconds, _ in runs)[1], max(megabytes for _, megabytes in runs), lines, int(text)


def main():
    print(f"{compiler} -std=c++20 -O2, without xsimd; limits: {SECONDS_LIMIT:.0f} s, {MEGABYTES_LIMIT:.0f} MB")
    print(f"{'program':34} {'seconds':>8} {'peak MB':>8} {'lines':>8} {'.text':>8}")
    with tempfile.TemporaryDirectory() as temporary:
        for name, source in PROGRAMS:
            seconds, megabytes, lines, text = cost(source, pathlib.Path(temporary))
            over = seconds > SECONDS_LIMIT or megabytes > MEGABYTES_LIMIT
            print(f"{name:34} {seconds:8.2f} {megabytes:8.0f} {lines:8} {text:8}{'  over the limit' if over else ''}", flush=True)


main()
