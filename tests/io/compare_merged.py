#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whether a model with an adapter of ctlm, merged and exported, is the same model for transformers, and for PEFT unmerged.

  compare_merged.py MODEL [--steps n] [--rate x] [--dora] [--compiler c++]

MODEL is a folder from Hugging Face. A program that is compiled for it trains an adapter of rank 8 beside all projections for
some steps on tokens that follow each other at random, and writes the adapter, the merged model as a folder, and the logits
of a session with the adapter after each of 64 tokens. Printed are the largest differences from the logits of transformers
with the merged folder, and of PEFT with MODEL and the adapter; more than 1e-4 is a failure. Needs torch, transformers and
peft; not one of the tests, because it needs those, and a model.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = r"""
#include <ctlm/ctlm.hpp>
#include <ctlm/io/load_adapter.hpp>
#include <ctlm/io/save_adapter.hpp>
#include <ctlm/model/adapted_session.hpp>
#include <ctlm/train/adapters.hpp>
#include <cstdio>
#include <string>
struct tag { static constexpr auto config = ctlm::hf::config(R"ctlm_text(@CONFIG@)ctlm_text", 64); };
struct recipe { static constexpr ctlm::train_config config{.batch = 1}; };
struct options { static constexpr ctlm::lora_config config{.alpha = 16, .weight_decomposed = @DORA@}; };
using workers = ctlm::pool<16>;
using lm = ctlm::causal_lm<tag, ctlm::threads<workers>, ctlm::adapters<8>>;
using trainer = ctlm::trainer<lm, recipe, ctlm::train_only<ctlm::lora<8, ctlm::tensors::projections, options>>>;
int main(int, char** arguments) {
  const std::string out = arguments[2];
  workers exec;
  ctlm::heap_arena base_memory(lm::weight_bytes), merged_memory(lm::weight_bytes);
  lm::weights base(base_memory), merged(merged_memory);
  ctlm::load_weights<lm>(arguments[1], base, exec).value();
  {
    ctlm::heap_arena memory(trainer::train_bytes);
    trainer t(base, memory, {.optimizer = {.lr = std::stof(arguments[4]), .weight_decay = 0}}, exec);
    std::vector<ctlm::token> x(trainer::step_tokens), y(x.size());
    ctlm::rng random{7};
    for (int step = 0; step < std::stoi(arguments[3]); ++step) {
      for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = i == 0 ? 1 : y[i - 1];
        y[i] = static_cast<ctlm::token>(random.below(lm::shape.vocab));
      }
      std::printf("step %d, loss %.4f\n", step + 1, static_cast<double>(t.step(x, y).loss));
    }
    ctlm::save_adapter<lm>((out + "/adapter").c_str(), t.adapted()).value();
  }
  const auto adapter = ctlm::load_adapter<lm>((out + "/adapter").c_str()).value();
  adapter.get().prepare(base);
  ctlm::heap_arena memory(lm::session_bytes);
  lm::session session(base, memory, exec);
  session.use(&adapter.get());
  std::vector<ctlm::token> ids;
  ctlm::rng random{8};
  for (int i = 0; i < 64; ++i) ids.push_back(static_cast<ctlm::token>(random.below(lm::shape.vocab)));
  std::FILE* const f = std::fopen((out + "/logits").c_str(), "wb");
  std::fwrite(ids.data(), sizeof(ctlm::token), ids.size(), f);
  session.score(ids, [&](std::size_t, ctlm::span<float> row) { std::fwrite(row.data(), 4, row.size(), f); });
  std::fclose(f);
  ctlm::merge_adapter(ctlm::weights_with_adapter{base, adapter.get()}, merged);
  ctlm::save_hf<lm>((out + "/merged").c_str(), merged).value();
}
"""


def options():
    p = argparse.ArgumentParser(description="a merged model through transformers and PEFT")
    p.add_argument("model", help="a folder from Hugging Face")
    p.add_argument("--steps", type=int, default=3)
    p.add_argument("--rate", default="2e-3")
    p.add_argument("--dora", action="store_true")
    p.add_argument("--compiler", default="c++")
    return p.parse_args()


def write_all(o, folder):
    """What the program writes to the folder."""
    source, program = folder / "program.cpp", folder / "program"
    config = (pathlib.Path(o.model) / "config.json").read_text()
    source.write_text(PROGRAM.replace("@CONFIG@", config).replace("@DORA@", str(o.dora).lower()))
    subprocess.run([o.compiler, "-std=c++20", "-O3", "-march=native", "-DNDEBUG", "-DCTLM_XSIMD=1",
                    f"-I{ROOT / 'include'}", source, "-o", program, "-pthread"], check=True)
    subprocess.run([program, o.model, folder, str(o.steps), o.rate], check=True)


def main():
    o = options()
    import numpy
    import peft
    import torch
    import transformers
    torch.set_grad_enabled(False)
    load = transformers.AutoModelForCausalLM.from_pretrained

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_all(o, folder)
        kept = (folder / "logits").read_bytes()
        ids = torch.from_numpy(numpy.frombuffer(kept, numpy.int32, 64).astype(numpy.int64))[None]
        ours = torch.from_numpy(numpy.frombuffer(kept, numpy.float32, offset=256).reshape(64, -1).copy())

        def logits(model):
            return model.float().eval()(ids).logits[0]

        plain = logits(load(o.model))
        apart = {"transformers, merged": logits(load(folder / "merged")),
                 "PEFT, not merged": logits(peft.PeftModel.from_pretrained(load(o.model), folder / "adapter"))}
        print(f"transformers {transformers.__version__}, PEFT {peft.__version__}, largest logit {plain.abs().max():.1f}, "
              f"changed by the adapter by up to {(ours - plain).abs().max():.2f}")
        for what, theirs in apart.items():
            apart[what] = (ours - theirs).abs().max().item()
            print(f"{what}: {apart[what]:.2e}")
        if (ours - plain).abs().max() < 0.1 or max(apart.values()) > 1e-4:
            sys.exit("compare_merged: these are not the same model")


main()
