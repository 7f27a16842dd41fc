# SPDX-License-Identifier: MIT
# xsimd 8.1 or newer: the system's or, with CTLM_DOWNLOAD, a pinned release, checked by its hash. Yields ctlm_with_xsimd,
# the target ctlm_xsimd and the list of folders xsimd_includes. -DCTLM_DOWNLOAD=ON -DCMAKE_DISABLE_FIND_PACKAGE_xsimd=ON
# takes the pinned release in any case.
set(CTLM_XSIMD_URL https://github.com/xtensor-stack/xsimd/archive/13.2.0.tar.gz CACHE STRING
  "Where the archive of xsimd 13.2.0 is downloaded from if the system has no xsimd: an address or a file")
mark_as_advanced(CTLM_XSIMD_URL)

if(CMAKE_CROSSCOMPILING)
  include(${CMAKE_CURRENT_LIST_DIR}/lone_headers.cmake)
  ctlm_lone_headers(xsimd xsimd.hpp xsimd_includes)
else()
  find_package(xsimd QUIET)
endif()
if(xsimd_FOUND AND xsimd_VERSION VERSION_LESS 8.1)
  message(STATUS "ctlm: xsimd ${xsimd_VERSION} is older than 8.1")
  set(xsimd_FOUND FALSE)
endif()
if(xsimd_FOUND)
  get_target_property(xsimd_includes xsimd INTERFACE_INCLUDE_DIRECTORIES)
  if(NOT xsimd_includes)
    set(xsimd_includes "")
  endif()
elseif(NOT xsimd_includes AND CTLM_DOWNLOAD)
  include(FetchContent)
  FetchContent_Declare(xsimd URL ${CTLM_XSIMD_URL}
    URL_HASH SHA256=edd8cd3d548c185adc70321c53c36df41abe64c1fe2c67bc6d93c3ecda82447a
    DOWNLOAD_EXTRACT_TIMESTAMP ON
    SOURCE_SUBDIR include)  # headers are all we need: no CMakeLists.txt there, so none of its targets and install rules
  FetchContent_MakeAvailable(xsimd)
  set(xsimd_includes ${xsimd_SOURCE_DIR}/include)
elseif(NOT xsimd_includes)
  set(remedy "install it, or let it be downloaded by -DCTLM_DOWNLOAD=ON")
  if(NOT CTLM_XSIMD STREQUAL "AUTO")
    message(FATAL_ERROR "ctlm: there is no xsimd 8.1 or newer, on which CTLM_XSIMD=${CTLM_XSIMD} insists: ${remedy}")
  endif()
  message(STATUS "ctlm: no xsimd 8.1 or newer, so ctlm::ctlm has the portable kernels, which are slower: ${remedy}")
  return()
endif()
set(ctlm_with_xsimd TRUE)

# SYSTEM: a user's warnings stay the user's own.
add_library(ctlm_xsimd INTERFACE)
target_include_directories(ctlm_xsimd SYSTEM INTERFACE ${xsimd_includes})
