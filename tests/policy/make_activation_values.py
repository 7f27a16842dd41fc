#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Values and derivatives of the activation functions, by PyTorch in double.

  python tests/policy/make_activation_values.py > tests/policy/activation_values.txt

Each line: the function, x, f(x), f'(x). Every x is exact in single precision, so that both precisions are asked the same.
"""
import torch
import torch.nn.functional as F

functions = {
    "relu": F.relu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
    "swish_17_10": lambda x: x * torch.sigmoid(1.7 * x),
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}
points = sorted({i / 16 * s for i in range(0, 49, 3) for s in (1, -1)} | {i * 0.625 * s for i in range(5, 20) for s in (1, -1)} |
                {2.0**-e * s for e in (8, 14, 20, 30) for s in (1, -1)} | {15.0, -15.0, 25.0, -25.0, 60.0, -60.0})

if __name__ == "__main__":
    print(f"# function x value derivative; float64, torch {torch.__version__}")
    for name, f in functions.items():
        x = torch.tensor(points, dtype=torch.float64, requires_grad=True)
        y = f(x)
        y.sum().backward()
        for point, value, slope in zip(points, y.tolist(), x.grad.tolist()):
            print(name, repr(point), repr(value), repr(slope))
