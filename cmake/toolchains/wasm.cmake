# SPDX-License-Identifier: MIT
# Toolchain of the preset `wasm`: WebAssembly modules without a C library, of which only the headers of Clang and libc++
# are used (Debian: clang-14 lld-14 libc++-14-dev-wasm32). ctlm_add_wasm links them.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR wasm32)
find_program(ctlm_clang NAMES clang++-14 clang++ REQUIRED)
set(CMAKE_CXX_COMPILER ${ctlm_clang})
set(CMAKE_CXX_COMPILER_TARGET wasm32-wasi)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)  # a program would need a runtime
set(CMAKE_EXECUTABLE_SUFFIX_CXX .wasm)
# errno is nobody's: without it a square root is an instruction, with the same bits.
set(CMAKE_CXX_FLAGS_INIT "-ffreestanding -fno-exceptions -fno-rtti -fno-threadsafe-statics -fno-math-errno -msimd128 -mbulk-memory")
