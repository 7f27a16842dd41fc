# SPDX-License-Identifier: MIT
# Toolchain of the preset `clang`: the oldest supported Clang if it is here, or whatever is called clang++.
find_program(ctlm_clang NAMES clang++-14 clang++ REQUIRED)
set(CMAKE_CXX_COMPILER ${ctlm_clang})
