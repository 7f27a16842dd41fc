#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes what tests/io/save_gguf.cpp compares with: the logits of llama.cpp for files that ctlm has written.

  CTLM_LLAMA_CPP_FILES=FOLDER ctlm_tests "llama.cpp computes*"      writes FOLDER/NAME.gguf
  make_llama_cpp.py FOLDER tests/io/llama_cpp.safetensors           made with llama-cpp-python 0.3.36

For each file NAME:
  NAME.logits  [16][vocabulary]   after each of the tokens (7 i + 3) % vocabulary; fewer where the context is shorter
  NAME.bytes   [2]                the two sums of Adler-32, of the file that llama.cpp has read

Computed in single precision, keys and values too, without the kernels that pack weights anew.
"""
import pathlib
import sys
import zlib

import llama_cpp
import numpy
from llama_cpp import llama as binding
from safetensors.numpy import save_file

F32 = 0  # a type of ggml


def default_params(original=llama_cpp.llama_model_default_params):
    params = original()
    params.use_extra_bufts = False
    return params


binding.llama_cpp.llama_model_default_params = default_params


def logits_of(path):
    context = llama_cpp.Llama(str(path), vocab_only=True, n_ctx=8, verbose=False).metadata
    context = int(context[context["general.architecture"] + ".context_length"])
    model = llama_cpp.Llama(str(path), n_ctx=context, type_k=F32, type_v=F32, logits_all=True, verbose=False)
    tokens = [(7 * i + 3) % model.n_vocab() for i in range(min(16, context))]
    model.eval(tokens)
    return numpy.array(model.scores[: len(tokens)], "<f4")


def main(folder, out):
    numbers = {}
    for path in sorted(pathlib.Path(folder).glob("*.gguf")):
        numbers[path.stem + ".logits"] = logits_of(path)
        sums = zlib.adler32(path.read_bytes())
        numbers[path.stem + ".bytes"] = numpy.array([sums & 0xFFFF, sums >> 16], "<f4")
        print(path.stem, numbers[path.stem + ".logits"].shape, flush=True)
    save_file(numbers, out)


main(*sys.argv[1:])
