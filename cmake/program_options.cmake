# SPDX-License-Identifier: MIT
# How this project's own programs are compiled: ctlm_options is linked by tests, benchmarks and examples alike.
include(CheckCXXCompilerFlag)

add_library(ctlm_options INTERFACE)
if(NOT CMAKE_SYSTEM_NAME STREQUAL Generic)  # bare metal has no threads
  find_package(Threads REQUIRED)
  target_link_libraries(ctlm_options INTERFACE Threads::Threads)
endif()
target_compile_options(ctlm_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion)
if(CTLM_WERROR)
  target_compile_options(ctlm_options INTERFACE -Werror)
endif()
if(CTLM_NATIVE)
  check_cxx_compiler_flag(-march=native ctlm_has_march_native)
  if(ctlm_has_march_native)
    target_compile_options(ctlm_options INTERFACE -march=native)
  endif()
endif()
if(CTLM_SANITIZE)
  target_compile_options(ctlm_options INTERFACE -fsanitize=${CTLM_SANITIZE} -fno-sanitize-recover=all)
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)  # what a sanitizer adds lets it see uninitialised values where there are none
    target_compile_options(ctlm_options INTERFACE -g1 -Wno-maybe-uninitialized)
  else()
    target_compile_options(ctlm_options INTERFACE
      -fsanitize-ignorelist=${CMAKE_CURRENT_LIST_DIR}/sanitizer_ignorelist.txt)
    if(CTLM_SANITIZE MATCHES address)
      # Two thirds of the compiler's time less. Lines are said by ./dev check asan. Checks of a pointer itself are left to
      # those of what it points to, and to the fuzz targets, which have all.
      target_compile_options(ctlm_options INTERFACE -g0 -fno-sanitize=pointer-overflow,null,object-size,vptr)
      # For what is optimised: addresses are checked in functions.
      set(CTLM_CHECKS_IN_FUNCTIONS "SHELL:-mllvm -asan-instrumentation-with-call-threshold=0")
    endif()
  endif()
  target_link_options(ctlm_options INTERFACE -fsanitize=${CTLM_SANITIZE})
endif()

# The library that this build's programs use.
if(ctlm_with_xsimd)
  set(ctlm_library ctlm::ctlm)
else()
  set(ctlm_library ctlm::portable)
endif()
