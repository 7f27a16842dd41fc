#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What llama.cpp's formats cost a model, on the ids that ./dev quality reads: a table to lay beside its own.

  python bench/versus_llama_quality.py MODEL.gguf IDS [--windows 16] [--formats q4_0,q4_1,iq4_nl,q5_0,q8_0,q3_k,q2_k]
                                       [--folder HF --calibrate IDS] [--threads 2]

MODEL.gguf holds the model in single precision (ctlm::save_gguf writes one, and llama.cpp's convert_hf_to_gguf.py). Each format
is made with --pure, so that every matrix has it, and predicts the ids in windows of 512; losses are compared token by token
with those of the full model in llama.cpp. With --folder, the same model from Hugging Face reads the ids of --calibrate, and
llama.cpp rounds a second time with the mean squares of the inputs that it found: an importance matrix.

Needs llama-cpp-python and numpy; with --folder also torch and transformers.
"""
import argparse
import ctypes
import pathlib
import sys
import tempfile

try:
    import numpy
    import llama_cpp
except ImportError:
    sys.exit("versus_llama_quality: please type: pip install llama-cpp-python numpy")

WINDOW = 512


silent = llama_cpp.llama_log_callback(lambda *_: None)


class Reader:
    """The logits of a GGUF file."""

    def __init__(self, path, threads):
        model = llama_cpp.llama_model_default_params()
        model.use_extra_bufts = False
        self.model = llama_cpp.llama_model_load_from_file(str(path).encode(), model)
        if not self.model:
            sys.exit(f"versus_llama_quality: llama.cpp does not load {path}")
        context = llama_cpp.llama_context_default_params()
        context.n_ctx = context.n_batch = context.n_ubatch = WINDOW
        context.n_threads = context.n_threads_batch = threads
        context.type_k = context.type_v = llama_cpp.GGML_TYPE_F16
        self.context = llama_cpp.llama_init_from_model(self.model, context)
        self.vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))
        self.batch = llama_cpp.llama_batch_init(WINDOW, 0, 1)

    def window(self, ids):
        """Log probabilities [len(ids) - 1][vocabulary] after each id but the last."""
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)
        self.batch.n_tokens = len(ids) - 1
        for i, token in enumerate(ids[:-1]):
            self.batch.token[i], self.batch.pos[i] = int(token), i
            self.batch.n_seq_id[i], self.batch.seq_id[i][0], self.batch.logits[i] = 1, 0, 1
        if llama_cpp.llama_decode(self.context, self.batch) != 0:
            sys.exit("versus_llama_quality: llama.cpp cannot read the ids")
        logits = llama_cpp.llama_get_logits(self.context)
        rows = numpy.ctypeslib.as_array(logits, shape=(len(ids) - 1, self.vocabulary)).astype(numpy.float32)
        rows -= rows.max(axis=1, keepdims=True)
        return rows - numpy.log(numpy.exp(rows).sum(axis=1, dtype=numpy.float64, keepdims=True)).astype(numpy.float32)

    def close(self):
        llama_cpp.llama_batch_free(self.batch)
        llama_cpp.llama_free(self.context)
        llama_cpp.llama_model_free(self.model)


def importance(folder, ids):
    """{name of a matrix in GGUF: mean squares of its inputs} of a Llama from Hugging Face."""
    import torch
    from transformers import AutoModelForCausalLM
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    names = {"q_proj": "attn_q", "k_proj": "attn_k", "v_proj": "attn_v", "o_proj": "attn_output", "gate_proj": "ffn_gate",
             "up_proj": "ffn_up", "down_proj": "ffn_down"}
    sums = {}

    def hook(name):
        def add(_, inputs, __):
            x = inputs[0].reshape(-1, inputs[0].shape[-1])
            sums[name] = sums.get(name, 0) + (x * x).mean(0).double()
        return add

    for name, part in model.named_modules():
        last = name.split(".")[-1]
        if last in names:
            part.register_forward_hook(hook(f"blk.{name.split('.')[2]}.{names[last]}.weight"))
    with torch.no_grad():
        for first in range(0, len(ids) - WINDOW + 1, WINDOW):
            model.model(torch.tensor(ids[first:first + WINDOW].astype(numpy.int64))[None])
    return {name: (s / (len(ids) // WINDOW)).numpy().astype(numpy.float32) for name, s in sums.items()}


def quantise(source, target, name, threads, matrix):
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{name.upper()}")
    params.pure, params.nthread, params.allow_requantize = True, threads, True
    kept = []
    if matrix:
        entries = (llama_cpp.llama_model_imatrix_data * (len(matrix) + 1))()
        for entry, (tensor, squares) in zip(entries, matrix.items()):
            kept += [tensor.encode(), numpy.ascontiguousarray(squares)]
            entry.name = kept[-2]
            entry.data = kept[-1].ctypes.data_as(ctypes.POINTER(ctypes.c_float))
            entry.size = squares.size
        params.imatrix = entries  # ends with an entry without a name
        kept.append(entries)
    return llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(params)) == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("ids", type=pathlib.Path)
    parser.add_argument("--windows", type=int, default=16)
    parser.add_argument("--formats", default="q8_0,q5_0,q4_1,iq4_nl,q4_0,q3_k_s,q2_k")
    parser.add_argument("--folder")
    parser.add_argument("--calibrate", type=pathlib.Path)
    parser.add_argument("--threads", type=int, default=2)
    o = parser.parse_args()
    if bool(o.folder) != bool(o.calibrate):
        sys.exit("versus_llama_quality: --folder and --calibrate go together")
    llama_cpp.llama_log_set(silent, None)
    llama_cpp.llama_backend_init()
    ids = numpy.fromfile(o.ids, numpy.int32)
    windows = [ids[i:i + WINDOW] for i in range(0, min(len(ids) // WINDOW, o.windows) * WINDOW, WINDOW)]
    matrix = importance(o.folder, numpy.fromfile(o.calibrate, numpy.int32)[:16384]) if o.folder else None

    def losses(path, exact):
        """Loss of each prediction, the divergence from `exact`, and whether the first choice is the same."""
        reader = Reader(path, o.threads)
        out = []
        for i, window in enumerate(windows):
            rows = reader.window(window)
            loss = -rows[numpy.arange(len(rows)), window[1:]].astype(numpy.float64)
            if exact is None:
                out.append((loss, rows.astype(numpy.float16)))
            else:
                full = exact[i][1].astype(numpy.float32)
                divergence = (numpy.exp(full) * (full - rows)).sum(axis=1, dtype=numpy.float64)
                out.append((loss, divergence, full.argmax(1) == rows.argmax(1)))
        reader.close()
        return out

    exact = losses(o.model, None)
    print(f"{'format':<22}{'bytes':>12}{'bits':>7}{'loss':>9}{'added':>10}{'':9}{'KL':>8}{'top 1':>8}", flush=True)
    full_bytes, mean = o.model.stat().st_size, numpy.concatenate([e[0] for e in exact]).mean()
    print(f"{'f32':<22}{full_bytes:>12}{32:>7.2f}{mean:>9.4f}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in o.formats.split(","):
            for squares in [None, matrix] if matrix and name != "q8_0" else [None]:
                target = pathlib.Path(folder) / "model.gguf"
                label = name.upper() + (", importance" if squares else "")
                if not quantise(o.model, target, name, o.threads, squares):
                    print(f"{label:<22} is refused by llama.cpp", flush=True)
                    continue
                found = losses(target, exact)
                added = numpy.concatenate([f[0] - e[0] for f, e in zip(found, exact)])
                loss = numpy.concatenate([f[0] for f in found]).mean()
                divergence = numpy.concatenate([f[1] for f in found]).mean()
                same = 100 * numpy.concatenate([f[2] for f in found]).mean()
                size = target.stat().st_size
                print(f"{label:<22}{size:>12}{32 * size / full_bytes:>7.2f}{loss:>9.4f}{added.mean():>+10.4f} +-{added.std() / len(added) ** 0.5:.4f}"
                      f"{divergence:>9.4f}{same:>7.1f}%", flush=True)
                target.unlink()


if __name__ == "__main__":
    main()
