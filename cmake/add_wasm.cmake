# SPDX-License-Identifier: MIT
# ctlm_add_wasm(TARGET [STACK bytes] SOURCES...): a WebAssembly module, TARGET.wasm, with the library and a runtime: the
# functions that a compiler expects, and ctlm::fatal, which calls the import env.fatal(text). It exports its memory and
# what is marked with __attribute__((export_name("..."))). The toolchain is cmake/toolchains/wasm.cmake, or one like it.
#
# Products and sums are rounded apart: results have the bits of a portable build with -ffp-contract=off on a computer.
include_guard(GLOBAL)
set(ctlm_wasm_runtime ${CMAKE_CURRENT_LIST_DIR}/wasm/runtime.cpp)

function(ctlm_add_wasm target)
  cmake_parse_arguments(PARSE_ARGV 1 ctlm "" "STACK" "")
  if(NOT CMAKE_SYSTEM_PROCESSOR STREQUAL wasm32)
    message(FATAL_ERROR "ctlm_add_wasm(${target}): this build is not for WebAssembly: configure it with the toolchain file wasm.cmake, or the preset wasm")
  endif()
  if(NOT ctlm_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "ctlm_add_wasm(${target} [STACK bytes] SOURCES...): SOURCES are missing")
  endif()
  if(NOT ctlm_STACK)
    set(ctlm_STACK 65536)
  endif()
  add_library(${target}_runtime OBJECT ${ctlm_wasm_runtime})
  target_link_libraries(${target}_runtime PRIVATE ctlm::portable)
  target_compile_definitions(${target}_runtime PRIVATE CTLM_FREESTANDING=1 CTLM_USER_FATAL=1)
  target_compile_options(${target}_runtime PRIVATE -fno-builtin)  # or memcpy would call itself

  add_executable(${target} ${ctlm_UNPARSED_ARGUMENTS} $<TARGET_OBJECTS:${target}_runtime>)
  target_link_libraries(${target} PRIVATE ctlm::portable)
  target_compile_definitions(${target} PRIVATE CTLM_FREESTANDING=1 CTLM_USER_FATAL=1)
  target_compile_options(${target} PRIVATE -ffp-contract=off -flto)  # -flto: a third fewer bytes
  target_link_options(${target} PRIVATE -flto -nostdlib -Wl,--no-entry -Wl,--gc-sections -Wl,--strip-all
    -Wl,--stack-first -Wl,-z,stack-size=${ctlm_STACK})  # --stack-first: an overflow is an error and eats no data
endfunction()
