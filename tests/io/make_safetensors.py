#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes every_type.safetensors, which tests/io/safetensors.cpp reads: a tensor of each type, and odd ones.

  make_safetensors.py every_type.safetensors     made with safetensors 0.8.0 and numpy 2.4.6
"""
import sys

import numpy as np
import safetensors

REAL, INTEGER, NATURAL = [-1.5, 0.25, 448], [-7, 0, 100], [7, 0, 200]
TENSORS = {  # name: (type, shape, numbers)
    "f64": ("float64", [1, 3], np.array(REAL, "<f8")),
    "f32": ("float32", [3, 1], np.array(REAL, "<f4")),
    "f16": ("float16", [3], np.array(REAL, "<f2")),
    "bf16": ("bfloat16", [3], np.array([0xBFC0, 0x3E80, 0x43E0], "<u2")),
    "f8_e4m3": ("float8_e4m3fn", [3], np.array([0xBC, 0x28, 0x7E], "u1")),
    "f8_e5m2": ("float8_e5m2", [3], np.array([0xBE, 0x34, 0x5F], "u1")),
    **{f"i{8 * n}": (f"int{8 * n}", [3], np.array(INTEGER, f"<i{n}")) for n in (8, 4, 2, 1)},
    **{f"u{8 * n}": (f"uint{8 * n}", [3], np.array(NATURAL, f"<u{n}")) for n in (8, 4, 2, 1)},
    "bool": ("bool", [3], np.array([1, 0, 1], "u1")),
    "a scalar": ("float32", [], np.array([3], "<f4")),
    "nothing": ("float32", [2, 0, 4], np.array([], "<f4")),
    'a "name"\\\n\u00e9\U0001F600': ("uint8", [1], np.array([5], "u1")),
}

specs = {name: safetensors.TensorSpec(dtype=dtype, shape=shape, data_ptr=a.ctypes.data, data_len=a.nbytes)
         for name, (dtype, shape, a) in TENSORS.items()}
with open(sys.argv[1], "wb") as f:
    f.write(safetensors.serialize(specs, metadata={"format": "pt"}))
