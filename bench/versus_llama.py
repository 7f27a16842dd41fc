#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Decoding and prompts by ctlm and by llama.cpp, or programs derived from it, in turn on one machine, and the ratios of
their rates.

  python bench/versus_llama.py build/release/bench/speed --peer llama.cpp=FOLDER [--peer NAME=FOLDER[,OPTION...]]...
                               [--rounds 3] [--depths 0,4096] [--shapes 15M,135M] [--models MODELS]

FOLDER holds a program's llama-bench and llama-quantize, built as fast as its own documentation says; options behind it are
llama-bench's, as in --peer ik=FOLDER,-rtr,1. The models are Llama shapes of 15M and 135M parameters with random weights,
written as GGUF to MODELS (default: a temporary folder) with the package `gguf` of PyPI, and quantised with --pure by the
first peer, so that every matrix has the format that the table names. int8 is compared with Q8_0, int4 with Q4_0: 64 tokens
decoded, a prompt of 512, one thread and two. Behind a depth, 16 tokens are decoded with keys and values of 8 bits, by the
135M shape in int4. A ratio is ctlm's rate over the faster peer's of the same round.
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
    w.add_context_length(8192)
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


class Peer:
    """llama-bench of one program: a name, its folder, and options that make it fast."""

    def __init__(self, text):
        name, equals, rest = text.partition("=")
        if not equals or not rest:
            raise argparse.ArgumentTypeError(f"a peer is NAME=FOLDER or NAME=FOLDER,OPTION,..., not {text!r}")
        folder, *self.options = rest.split(",")
        self.name, self.folder = name, pathlib.Path(folder)
        if not (self.folder / "llama-bench").exists():
            raise argparse.ArgumentTypeError(f"{folder} has no llama-bench: build {name} there first")

    def bench(self, file, *options):
        return json.loads(run(self.folder / "llama-bench", "-m", file, "-t", "1,2", "-r", 3, "-o", "json", *options,
                              *self.options))

    def rates(self, file):
        """Tokens per second by (section, threads)."""
        rows = self.bench(file, "-p", 512, "-n", 64)
        return {("prefill" if r["n_prompt"] else "decode", r["n_threads"]): r["avg_ts"] for r in rows}

    def far_rates(self, file, depth):
        """The same of 16 tokens behind `depth` others, with flash attention and keys and values of 8 bits."""
        rows = self.bench(file, "-p", 0, "-n", 16, "-d", depth, "-fa", 1, "-ctk", "q8_0", "-ctv", "q8_0")
        return {("depth %d" % depth, r["n_threads"]): r["avg_ts"] for r in rows}


def threads_of(name):
    return 2 if "2 threads" in name else 1


def ctlm_rates(speed, shape):
    """Tokens per second by (section, format, threads)."""
    rates = {}
    for section in ("decode", "prefill"):
        for r in json.loads(run(speed, "--json", "--only", section, "--model", shape)):
            for name in FORMATS:
                if f" {name}," in r["name"]:
                    rates[section, name, threads_of(r["name"])] = r["value"]
    return rates


def ctlm_far_rates(speed):
    """Tokens per second by (section, threads): int4 weights and an int8 cache behind 4,096 tokens."""
    rows = json.loads(run(speed, "--json", "--only", "caches", "--model", "135M, cache int8<>"))
    return {("depth 4096", threads_of(r["name"])): r["value"] for r in rows if "4,096 tokens before, cache int8<>" in r["name"]}


def announce(key, who, rate):
    section, shape, name, threads = key
    print(f"{section} {shape} {name} {threads} threads, {who}: {rate:.0f} tokens/s", file=sys.stderr, flush=True)


def one_round(o, files, add):
    """add((section, shape, format, threads), name of who, rate) for each figure of a round."""
    for shape in o.shapes:
        ours = ctlm_rates(o.speed, shape)
        for (section, name, threads), rate in ours.items():
            add((section, shape, name, threads), "ctlm", rate)
        for name in FORMATS:
            for peer in o.peer:
                for (section, threads), rate in peer.rates(files[shape, name]).items():
                    add((section, shape, name, threads), peer.name, rate)
    if 4096 in o.depths and "135M" in o.shapes:
        for (section, threads), rate in ctlm_far_rates(o.speed).items():
            add((section, "135M", "int4", threads), "ctlm", rate)
        for peer in o.peer:
            for (section, threads), rate in peer.far_rates(files["135M", "int4"], 4096).items():
                add((section, "135M", "int4", threads), peer.name, rate)


def table(seen, names):
    print(f"{'tokens/s, medians':32}{'ctlm':>9}" + "".join(f"{n:>12}" for n in names) + f"{'ratio':>8}   of each round")
    for (section, shape, name, threads), rates in sorted(seen.items()):
        if not all(n in rates for n in ["ctlm", *names]):
            continue  # a thread count or a section that one of them does not have
        ratios = [a / max(others) for a, *others in zip(rates["ctlm"], *(rates[n] for n in names))]
        print(f"{section:10} {shape:>5} {name} {threads} thread{'s' if threads > 1 else ' '} "
              f"{statistics.median(rates['ctlm']):12.0f}"
              + "".join(f"{statistics.median(rates[n]):12.0f}" for n in names)
              + f"{statistics.median(ratios):8.2f}   {', '.join(f'{x:.2f}' for x in ratios)}")


def numbers(text):
    return [int(n) for n in text.split(",")]


def main():
    p = argparse.ArgumentParser(description="ctlm and llama.cpp in turn")
    p.add_argument("speed", help="the built bench/speed")
    p.add_argument("--peer", type=Peer, action="append", required=True, help="NAME=FOLDER[,OPTION...]")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--depths", type=numbers, default=[0, 4096], help="0 and 4096, or one of them")
    p.add_argument("--shapes", type=lambda t: t.split(","), default=list(SHAPES))
    p.add_argument("--models", type=pathlib.Path, help="where the models are kept")
    o = p.parse_args()
    if set(o.depths) - {0, 4096} or set(o.shapes) - set(SHAPES):
        p.error("depths are 0 and 4096, shapes " + " and ".join(SHAPES))
    temporary = tempfile.TemporaryDirectory()
    models = o.models or pathlib.Path(temporary.name)
    models.mkdir(parents=True, exist_ok=True)
    files = prepare(o.peer[0].folder, models)

    seen = {}

    def add(key, who, rate):
        announce(key, who, rate)
        seen.setdefault(key, {}).setdefault(who, []).append(rate)

    for r in range(o.rounds):
        one_round(o, files, add)
        print(f"round {r + 1} of {o.rounds} done", file=sys.stderr, flush=True)
    table(seen, [peer.name for peer in o.peer])


if __name__ == "__main__":
    main()
