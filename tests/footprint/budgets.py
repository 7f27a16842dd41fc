#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What including ctlm costs, against a budget for every figure: code, preprocessed lines, the compiler's time and memory.
Built with -O2 and without xsimd, so that the figures do not depend on this machine's processor.

  budgets.py [COMPILER]

A figure over its budget is a failure: make it smaller, or raise the budget in the commit that says why. The compiler's
time is that of its process, in turns with a program of the standard library alone: a budget in seconds would test the
machine, which is now slow and now fast, and has other tests to run.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
TIMES, MEGABYTES = 1.2, 400.0  # of a program a page long; examples/demo is ten, and may take 3.2 times and 500 MB

STANDARD = """#include <algorithm>
#include <iostream>
#include <regex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>
int main(int n, char** words) {
  std::vector<std::string> found(words, words + n);
  std::unordered_map<std::string, int> often;
  for (const auto& w : found) often[w] += std::regex_search(w, std::regex(words[0]));
  std::thread([&] { std::sort(found.begin(), found.end()); }).join();
  for (const auto& w : found) std::cout << w << often[w];
}
"""

TAG = """#include <ctlm.hpp>
struct tag { static constexpr ctlm::llama_config config{.vocab = 512, .d_model = 64, .layers = LAYERS, .heads = 8,
    .kv_heads = 4, .d_ff = 172, .context = 128, .tie_embeddings = true}; };
using lm = ctlm::causal_lm<tag, ctlm::weights<FORMAT>>;
"""
SESSION = TAG.replace("FORMAT", "ctlm::int4<32>") + """
int main() { ctlm::heap_arena m(lm::weight_bytes + lm::session_bytes); lm::weights w(m); lm::session s(w, m);
  return static_cast<int>(s.decode(1)[0]); }
"""
TRAINING = TAG.replace("FORMAT", "ctlm::f32") + """struct recipe { static constexpr ctlm::train_config config{.batch = 2}; };
int main() { using trainer = ctlm::trainer<lm, recipe>; ctlm::heap_arena m(trainer::train_bytes); trainer t(m, {});
  int x[trainer::step_tokens]{}; return static_cast<int>(t.step(x, x).loss); }
"""


def example(name):
    return f'#include "{ROOT}/examples/{name}"\n'


# Name, source, budgets of .text (bytes) and of preprocessed lines.
BUDGETS = [
    ("the header alone", "#include <ctlm.hpp>\nint main() {}\n", 200, 88_600),
    ("the header alone, freestanding", "#define CTLM_FREESTANDING 1\n#include <ctlm.hpp>\nint main() {}\n", 200, 18_000),
    ("a session, int4, 2 layers", SESSION.replace("LAYERS", "2"), 23_500, 88_600),
    ("a session, int4, 48 layers", SESSION.replace("LAYERS", "48"), 23_500, 88_600),
    ("a trainer, f32, 2 layers", TRAINING.replace("LAYERS", "2"), 45_000, 88_600),
    ("a trainer, f32, 48 layers", TRAINING.replace("LAYERS", "48"), 45_000, 88_600),
    ("examples/first_model", example("first_model.cpp"), 34_000, 88_600),
    ("examples/train_bytes", example("train_bytes.cpp"), 62_000, 88_600),
    ("examples/stories260k", example("stories260k.cpp"), 62_000, 91_700),
    ("examples/firmware/learn", example("firmware/learn.cpp"), 45_000, 88_600),
    ("examples/firmware/pack_stories", example("firmware/pack_stories.cpp"), 85_000, 88_600),
    ("examples/demo", example("demo/main.cpp"), 322_000, 98_000),
]
SAME_CODE = [("a session, int4, 2 layers", "a session, int4, 48 layers"),
             ("a trainer, f32, 2 layers", "a trainer, f32, 48 layers")]


def compile_once(command):
    """(CPU seconds, peak MB of the largest process)."""
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"failed: {' '.join(command)}")
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there, in KiB elsewhere
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit


def text_of(command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main():
    compiler = sys.argv[1] if len(sys.argv) > 1 else "c++"
    over, code = [], {}
    print(f"{compiler} -std=c++20 -O2, without xsimd; limits: {TIMES} times the time of a program of the standard library, "
          f"{MEGABYTES:.0f} MB")
    print(f"{'program':32}{'.text':>9} {'budget':>8}{'lines':>9} {'budget':>8}{'seconds':>9}{'times':>7}{'peak MB':>9}")
    with tempfile.TemporaryDirectory() as temporary:
        path, target = pathlib.Path(temporary) / "program.cpp", pathlib.Path(temporary) / "program.o"
        (pathlib.Path(temporary) / "standard.cpp").write_text(STANDARD)
        standard = [compiler, "-std=c++20", "-O2", str(pathlib.Path(temporary) / "standard.cpp"), "-c", "-o", str(target)]
        beside = compile_once(standard)[0]
        for name, source, text_budget, line_budget in BUDGETS:
            path.write_text(source.replace("<ctlm/ctlm.hpp>", "<ctlm.hpp>"))
            base = [compiler, "-std=c++20", "-O2", f"-I{ROOT / 'include'}", f"-I{ROOT / 'single_include'}", str(path)]
            limit = 3.2 if name == "examples/demo" else TIMES
            room = 500 if name == "examples/demo" else MEGABYTES
            seconds, megabytes = compile_once([*base, "-c", "-o", str(target)])
            times = seconds / beside
            for _ in range(3):  # the least of those in turns counts: others may use the same machine
                if times > limit:
                    beside = compile_once(standard)[0]
                    seconds = compile_once([*base, "-c", "-o", str(target)])[0]
                    times = min(times, seconds / beside)
            lines = text_of([*base, "-E", "-P"]).count("\n")
            code[name] = int(text_of(["size", str(target)]).split("\n")[1].split()[0])
            print(f"{name:32}{code[name]:9} {text_budget:8}{lines:9} {line_budget:8}{seconds:9.2f}{times:7.2f}{megabytes:9.0f}",
                  flush=True)
            if code[name] > text_budget or lines > line_budget or times > limit or megabytes > room:
                over.append(name)
    # Only constants may differ: an immediate operand of 48 is as long as one of 2, one of 200,000 is not.
    over += [f"{b} (not the code of {a})" for a, b in SAME_CODE if abs(code[a] - code[b]) * 200 > code[a]]
    if over:
        sys.exit("over the budget: " + "; ".join(over))


main()
