#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the GGUF file that the tests compare with: written, decoded and quantised by the Python package gguf.

  pip install gguf==0.19.0 numpy
  python tests/io/make_gguf.py [FILE]       (default: golden.gguf beside this script)

For each encoding E that ctlm reads, it holds random blocks as the tensor E, of two rows, and as E.decoded what the package
makes of them, in F32. For each block encoding E that ctlm writes, it holds numbers as E.numbers, in F32, and as E.quantised
what the package makes of them. Its metadata has a value of each type.
"""
import pathlib
import sys

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type, GGUFValueType as Value

# Where the 16-bit scales of a block are, which must not become infinite.
SCALES = {Type.Q8_0: [0], Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.Q2_K: [80, 82],
          Type.Q3_K: [108], Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208], Type.IQ4_NL: [0], Type.IQ4_XS: [0]}
WRITTEN = [Type.Q8_0, Type.Q4_0, Type.Q4_1]
random = np.random.default_rng(14)


def random_blocks(kind, rows=2):
    numbers, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = random.integers(0, 256, (rows * (4 if numbers == 32 else 2), size), np.uint8)
    for at in SCALES[kind]:
        scales = random.normal(0, 1, len(blocks)) * 10.0 ** random.integers(-7, 3, len(blocks))
        blocks[:, at:at + 2] = scales.astype(np.float16).view(np.uint8).reshape(-1, 2)
    return blocks.reshape(rows, -1)


def numbers_to_quantise():
    """Blocks as weights have them, and those where something is special."""
    x = random.normal(0, 1, (10, 32)) * 10.0 ** random.integers(-6, 4, (10, 1))
    x[4] = 0
    x[5] = 0.25
    x[6] = -np.abs(x[6])
    x[7] = np.arange(32) % 16 - 8          # halves and ends of the range
    x[8] = np.arange(32) * 0.5 - 7.75
    x[9] = np.where(np.arange(32) % 2, 3.0, -3.0)  # two are farthest from zero: the first counts
    return x.astype(np.float32)


def main():
    path = sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "golden.gguf"
    out = gguf.GGUFWriter(path, "golden")
    for name, value, kind in [("u8", 200, Value.UINT8), ("i8", -100, Value.INT8), ("u16", 60000, Value.UINT16),
                              ("i16", -30000, Value.INT16), ("u32", 4000000000, Value.UINT32),
                              ("i32", -2000000000, Value.INT32), ("f32", 0.5, Value.FLOAT32),
                              ("u64", 2**63 + 5, Value.UINT64), ("i64", -2**62, Value.INT64),
                              ("f64", 1e-300, Value.FLOAT64), ("yes", True, Value.BOOL), ("no", False, Value.BOOL),
                              ("text", "Grüße", Value.STRING)]:
        out.add_key_value(f"golden.{name}", value, kind)
    out.add_array("golden.words", ["one", "", "three"])
    out.add_array("golden.integers", [1, -2, 3])
    out.add_array("golden.numbers", [0.5, -0.25])
    out.add_array("golden.bools", [True, False, True])

    plain = random.normal(0, 1, (2, 8)).astype(np.float32)
    out.add_tensor("F32", plain)
    out.add_tensor("F64", plain.astype(np.float64) / 3)
    out.add_tensor("F64.decoded", (plain.astype(np.float64) / 3).astype(np.float32))
    out.add_tensor("F16", plain.astype(np.float16))
    out.add_tensor("F16.decoded", plain.astype(np.float16).astype(np.float32))
    halves = gguf.quants.quantize(plain, Type.BF16)
    out.add_tensor("BF16", halves, raw_dtype=Type.BF16)
    out.add_tensor("BF16.decoded", gguf.quants.dequantize(halves, Type.BF16))
    for kind in SCALES:
        blocks = random_blocks(kind)
        out.add_tensor(kind.name, blocks, raw_dtype=kind)
        out.add_tensor(f"{kind.name}.decoded", gguf.quants.dequantize(blocks, kind))
    for kind in WRITTEN:
        numbers = numbers_to_quantise()
        out.add_tensor(f"{kind.name}.numbers", numbers)
        out.add_tensor(f"{kind.name}.quantised", gguf.quants.quantize(numbers, kind), raw_dtype=kind)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


main()
