#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes float8_golden.hpp: what PyTorch makes of 8-bit floating point numbers, and of numbers that become such.

  make_float8.py tests/format/float8_golden.hpp     made with torch 2.13.0, on a processor
"""
import pathlib
import sys

import torch

TYPES = {"e4m3": torch.float8_e4m3fn, "e5m2": torch.float8_e5m2}


def bits_of(x):
    return [v & 0xFFFFFFFF for v in x.view(torch.int32).tolist()]


def inputs(values):
    """Every value; what lies half way between two neighbours, and the numbers next to that; numbers beyond the largest."""
    v = values[torch.isfinite(values)].unique()
    ties = ((v[1:].double() + v[:-1].double()) / 2).float()
    largest = v[-1] + (v[-1] - v[-2]) * torch.tensor([0.5, 1.0, 1.5, 2.0])
    odd = torch.tensor([0.0, -0.0, 1e-45, 1e-30, float("inf"), float("nan"), 3.4e38, 65504.0, 65536.0, 1e9, 3.14159])
    up, down = torch.tensor(float("inf")), torch.tensor(float("-inf"))
    near = torch.cat([ties, largest])
    # Of either sign where it is cheap: the sign takes no part in rounding.
    return torch.cat([v, near[near > 0], torch.nextafter(near, up)[near > 0], torch.nextafter(near, down)[near > 0],
                      -near[near > 0][::8], odd, -odd])


def table(kind, name, entries, per_line):
    lines = [", ".join(entries[i:i + per_line]) for i in range(0, len(entries), per_line)]
    return f"inline constexpr {kind} {name}[] = {{\n    " + ",\n    ".join(lines) + "};\n"


if __name__ == "__main__":
    text = ("// What PyTorch makes of 8-bit floating point numbers; written by make_float8.py.\n#pragma once\n\n"
            "#include <cstdint>\n\nnamespace float8_golden {\n\n// clang-format off\n"
            "struct rounding {\n  std::uint32_t from;  // bits of single precision\n  std::uint8_t to;\n};\n\n")
    for name, kind in TYPES.items():
        codes = torch.arange(256, dtype=torch.uint8).view(kind)
        values = codes.float()
        given = inputs(values)
        rounded = given.to(kind).view(torch.uint8).tolist()
        text += table("std::uint32_t", f"decoded_{name}", [f"0x{b:08X}" for b in bits_of(values)], 8)
        text += table("rounding", f"rounded_{name}",
                      [f"{{0x{b:08X}, 0x{r:02X}}}" for b, r in zip(bits_of(given), rounded)], 5) + "\n"
    pathlib.Path(sys.argv[1]).write_text(text + "// clang-format on\n\n}  // namespace float8_golden\n")
