#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Decoding and prompts by ctlm and by llama.cpp, in turn on one machine, and the ratio of their rates.

  python bench/versus_llama.py build/release/bench/speed FOLDER [--rounds 3] [--models MODELS]

FOLDER holds llama.cpp's llama-bench and llama-quantize, built as fast as its own documentation says. The models are Llama
shapes of 15M and 135M parameters with random weights, written as GGUF to MODELS (default: a temporary folder) with the
package `gguf` of PyPI, and quantised with --pure, so that every matrix has the format that the table names. int8 is
compared with Q8_0, int4 with Q4_0: 64 tokens decoded, a prompt of 512, one thread and two.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

SHAPES = {  # vocab, d_model, layers, heads, kv_heads, d_ff
    "15M": (32000, 288, 6, 6, 6, 768),
    "135M": (49152, 576, 30, 9, 3, 1536),
}
FORMATS = {"int8": "q8_0", "int4": "q4_0"}


def write_model(path, vocab, d_model, layers, heads, kv_heads, d_ff):
    try:
        import gguf
        import numpy
    except ImportError:
        sys.exit("versus_llama: please type: pip install gguf")
    random = numpy.random.default_rng(1)

    def matrix(rows, columns):
        return random.standard_normal((rows, columns), dtype=numpy.float32) * 0.02

    def ones():
        return numpy.ones(d_model, numpy.float32)

    w = gguf.GGUFWriter(str(path), "llama")
    w.add_context_length(640)
    w.add_embedding_length(d_model)
    w.add_block_count(layers)
    w.add_feed_forward_length(d_ff)
    w.add_head_count(heads)
    w.add_head_count_kv(kv_heads)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_rope_dimension_count(d_model // heads)
    w.add_vocab_size(vocab)
    w.add_tokenizer_model("llama")  # one that is complete, though its words mean nothing
    words = [b"<unk>", b"<s>", b"</s>"] + [b"<0x%02X>" % i for i in range(256)]
    words += [b"w%d" % i for i in range(vocab - len(words))]
    w.add_token_list(words)
    w.add_token_scores([0.0] * vocab)
    w.add_token_types([2, 3, 3] + [6] * 256 + [1] * (vocab - 259))
    w.add_bos_token_id(1)
    w.add_eos_token_id(2)
    w.add_tensor("token_embd.weight", matrix(vocab, d_model))
    w.add_tensor("output_norm.weight", ones())
    kv_dim = d_model // heads * kv_heads
    for i in range(layers):
        for name, rows, columns in (("attn_q", d_model, d_model), ("attn_k", kv_dim, d_model), ("attn_v", kv_dim, d_model),
                                    ("attn_output", d_model, d_model), ("ffn_gate", d_ff, d_model),
                                    ("ffn_up", d_ff, d_model), ("ffn_down", d_model, d_ff)):
            w.add_tensor(f"blk.{i}.{name}.weight", matrix(rows, columns))
        for name in ("attn_norm", "ffn_norm"):
            w.add_tensor(f"blk.{i}.{name}.weight", ones())
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def run(*command):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    if done.returncode:
        sys.exit(f"versus_llama: this command failed ({done.returncode}): {' '.join(map(str, command))}")
    return done.stdout


def prepare(folder, models):
    """The quantised models, by shape and format."""
    files = {}
    for shape, numbers in SHAPES.items():
        full = models / f"llama-{shape}-f32.gguf"
        for ours, theirs in FORMATS.items():
            files[shape, ours] = models / f"llama-{shape}-{theirs}.gguf"
            if not files[shape, ours].exists():
                if not full.exists():
                    write_model(full, *numbers)
                run(folder / "llama-quantize", "--pure", full, files[shape, ours], theirs)
    return files


def llama_rates(folder, file):
    """Tokens per second by (section, threads)."""
    rows = json.loads(run(folder / "llama-bench", "-m", file, "-p", 512, "-n", 64, "-t", "1,2", "-r", 3, "-o", "json"))
    return {("prefill" if r["n_prompt"] else "decode", r["n_threads"]): r["avg_ts"] for r in rows}


def ctlm_rates(speed, shape):
    """Tokens per second by (section, format, threads), and the rate of reading memory by threads."""
    rates = {}
    for section in ("decode", "prefill"):
        for r in json.loads(run(speed, "--json", "--only", section, "--model", shape)):
            threads = 2 if "2 threads" in r["name"] else 1
            for name in FORMATS:
                if f" {name}," in r["name"]:
                    rates[section, name, threads] = r["value"]
    return rates


def main():
    p = argparse.ArgumentParser(description="ctlm and llama.cpp in turn")
    p.add_argument("speed", help="the built bench/speed")
    p.add_argument("folder", type=pathlib.Path, help="where llama-bench and llama-quantize are")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--models", type=pathlib.Path, help="where the models are kept")
    o = p.parse_args()
    temporary = tempfile.TemporaryDirectory()
    models = o.models or pathlib.Path(temporary.name)
    models.mkdir(parents=True, exist_ok=True)
    files = prepare(o.folder, models)

    seen = {}
    for r in range(o.rounds):
        for shape in SHAPES:
            ours = ctlm_rates(o.speed, shape)
            for name in FORMATS:
                theirs = llama_rates(o.folder, files[shape, name])
                for (section, threads), rate in theirs.items():
                    seen.setdefault((section, shape, name, threads), []).append((ours[section, name, threads], rate))
            print(f"round {r + 1}: {shape} done", file=sys.stderr, flush=True)
    print(f"{'tokens/s, medians':30}{'ctlm':>10}{'llama.cpp':>11}{'ratio':>8}   of each round")
    for (section, shape, name, threads), pairs in sorted(seen.items()):
        ratios = [a / b for a, b in pairs]
        print(f"{section:8} {shape:>5} {name} {threads} thread{'s' if threads > 1 else ' '}   "
              f"{statistics.median(a for a, _ in pairs):10.0f}{statistics.median(b for _, b in pairs):11.0f}"
              f"{statistics.median(ratios):8.2f}   {', '.join(f'{x:.2f}' for x in ratios)}")


if __name__ == "__main__":
    main()
