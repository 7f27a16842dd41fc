# SPDX-License-Identifier: MIT
# xsimd 8.1 or newer: the system's, or a pinned release, checked by its hash. Yields the target ctlm_xsimd.
find_package(xsimd QUIET)
if(xsimd_FOUND AND xsimd_VERSION VERSION_LESS 8.1)
  message(STATUS "xsimd ${xsimd_VERSION} is older than 8.1: taking a newer one")
  set(xsimd_FOUND FALSE)
endif()
if(NOT xsimd_FOUND)
  include(FetchContent)
  FetchContent_Declare(xsimd
    URL https://github.com/xtensor-stack/xsimd/archive/13.2.0.tar.gz
    URL_HASH SHA256=edd8cd3d548c185adc70321c53c36df41abe64c1fe2c67bc6d93c3ecda82447a
    DOWNLOAD_EXTRACT_TIMESTAMP ON)
  FetchContent_MakeAvailable(xsimd)
endif()

# SYSTEM: a user's warnings stay the user's own.
add_library(ctlm_xsimd INTERFACE)
get_target_property(xsimd_includes xsimd INTERFACE_INCLUDE_DIRECTORIES)
if(xsimd_includes)
  target_include_directories(ctlm_xsimd SYSTEM INTERFACE ${xsimd_includes})
endif()
