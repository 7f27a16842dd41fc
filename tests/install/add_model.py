#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""ctlm_add_model: a project that uses ctlm as a subproject makes a model of a folder with config.json a type; a change of
config.json changes the type, and nothing else does; what makes no sense is refused in words. Where there is a real model
(stories260K-hf in DATA), the project loads it.

  add_model.py CMAKE COMPILER DATA
"""
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
cmake, compiler, data = sys.argv[1:]
CONFIG = {"model_type": "llama", "hidden_act": "silu", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
          "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64, "rms_norm_eps": 1e-5,
          "rope_theta": 1e4, "tie_word_embeddings": True, "vocab_size": 96, "note": "a; b [c] ${d} @e@ \\ \u00e9"}
PROGRAM = """#include <ctlm/ctlm.hpp>
#include <tiny.hpp>
#include <cstdio>
using lm = ctlm::causal_lm<tiny>;
int main() { std::printf("%zu %zu %s", lm::shape.layers, lm::shape.context, tiny::files); }
"""
REAL_PROGRAM = """#include <ctlm/ctlm.hpp>
#include <real.hpp>
#include <cstdio>
using lm = ctlm::causal_lm<real>;
int main() {
  ctlm::heap_arena memory(lm::weight_bytes);
  lm::weights weights(memory);
  ctlm::load_safetensors<lm>(real::files, weights).value();
  std::printf("%zu parameters", lm::parameters);
}
"""


def run(*command, fails=False):
    done = subprocess.run(command, capture_output=True, text=True)
    if (done.returncode != 0) != fails:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stderr if fails else done.stdout


def project(folder, program, call):
    folder.mkdir(parents=True)
    (folder / "program.cpp").write_text(program)
    (folder / "CMakeLists.txt").write_text(f"""cmake_minimum_required(VERSION 3.25)
project(user LANGUAGES CXX)
add_subdirectory({ROOT.as_posix()} ctlm)
{call}
add_executable(program program.cpp)
target_link_libraries(program PRIVATE {call.split('(')[1].split()[0]})
""")
    run(cmake, "-S", folder, "-B", folder / "build", "-DCTLM_XSIMD=OFF", f"-DCMAKE_CXX_COMPILER={compiler}")


def build_and_run(folder):
    run(cmake, "--build", folder / "build")
    return run(folder / "build" / "program")


def expect(found, wanted):
    if found != wanted:
        sys.exit(f"{found!r} instead of {wanted!r}")


def follows_config(home):
    model = home / "a model"
    model.mkdir()
    (model / "config.json").write_text(json.dumps(CONFIG))
    user = home / "user"
    project(user, PROGRAM, 'ctlm_add_model(tiny "../a model" CONTEXT 48)')
    expect(build_and_run(user), f"2 48 {model.as_posix()}")
    header = user / "build" / "ctlm_models" / "tiny" / "tiny.hpp"
    written = header.stat().st_mtime_ns
    run(cmake, user / "build")
    expect(header.stat().st_mtime_ns, written)
    (model / "config.json").write_text(json.dumps({**CONFIG, "num_hidden_layers": 3}))
    expect(build_and_run(user), f"3 48 {model.as_posix()}")


def refuses(home):
    """Refusals need no compiler: the arguments of the call, and words of the message."""
    (home / "empty").mkdir()
    (home / "model").mkdir()
    (home / "model" / "config.json").write_text(json.dumps(CONFIG))
    for arguments, words in [("tiny nowhere", "there is no folder"), ("tiny empty", "has no config.json"),
                             ("1tiny model", '"1tiny" cannot be the name of a struct'),
                             ("my-model model", '"my-model" cannot be the name'), ("class model", '"class" cannot be'),
                             ("tiny model CONTEXT many", 'not "many"'), ("tiny model CONTEXT 0", 'not "0"'),
                             ("tiny model CONTEXT", "CONTEXT needs a number"), ("tiny model ROOM 5", 'not "ROOM;5"'),
                             ("tiny model.gguf", "there is no file")]:
        (home / "CMakeLists.txt").write_text(f"""cmake_minimum_required(VERSION 3.25)
project(user LANGUAGES NONE)
include({ROOT.as_posix()}/cmake/add_model.cmake)
ctlm_add_model({arguments})
""")
        said = " ".join(run(cmake, "-S", home, "-B", home / "build", fails=True).split())
        if words not in said:
            sys.exit(f"ctlm_add_model({arguments}) does not say: {words}\n{said}")


with tempfile.TemporaryDirectory() as temporary:
    temporary = pathlib.Path(temporary).resolve()
    follows_config(temporary)
    (temporary / "refused").mkdir()
    refuses(temporary / "refused")
    real = pathlib.Path(data) / "stories260K-hf"
    if (real / "model.safetensors").exists():
        project(temporary / "real", REAL_PROGRAM, f'ctlm_add_model(real "{real.as_posix()}")')
        expect(build_and_run(temporary / "real"), "260032 parameters")
    else:
        print(f"SKIPPED: {real} is absent, so no real model is loaded")
print("ctlm_add_model makes folders types, follows config.json, and refuses in words")
