# SPDX-License-Identifier: MIT
# Catch2 2.13 or 3: the system's or, with CTLM_DOWNLOAD, a pinned release, checked by its hash. Yields the target
# ctlm_catch2, or nothing; tests include tests/catch.hpp, which knows both. -DCTLM_DOWNLOAD=ON
# -DCMAKE_DISABLE_FIND_PACKAGE_Catch2=ON takes the pinned release in any case.
set(CTLM_CATCH2_URL https://github.com/catchorg/Catch2/archive/v3.7.1.tar.gz CACHE STRING
  "Where the archive of Catch2 3.7.1 is downloaded from if the system has no Catch2: an address or a file")
mark_as_advanced(CTLM_CATCH2_URL)

if(CMAKE_CROSSCOMPILING)  # release 2 is a header; release 3 has a library, and that of this machine is of no use
  include(${CMAKE_CURRENT_LIST_DIR}/lone_headers.cmake)
  ctlm_lone_headers(catch2 catch.hpp catch2_includes)
  if(catch2_includes)
    add_library(Catch2::Catch2 INTERFACE IMPORTED)
    target_include_directories(Catch2::Catch2 INTERFACE ${catch2_includes})
    set(Catch2_FOUND TRUE)
    set(Catch2_VERSION 2)
  endif()
else()
  find_package(Catch2 3 QUIET)
  if(NOT Catch2_FOUND)
    find_package(Catch2 2.13 QUIET)
  endif()
endif()
if(NOT Catch2_FOUND AND NOT CTLM_DOWNLOAD)
  return()
elseif(NOT Catch2_FOUND)
  include(FetchContent)
  FetchContent_Declare(Catch2 URL ${CTLM_CATCH2_URL}
    URL_HASH SHA256=c991b247a1a0d7bb9c39aa35faf0fe9e19764213f28ffba3109388e62ee0269c
    DOWNLOAD_EXTRACT_TIMESTAMP ON
    SYSTEM)
  FetchContent_MakeAvailable(Catch2)
  set(Catch2_VERSION 3.7.1)
endif()

add_library(ctlm_catch2 INTERFACE)
if(Catch2_VERSION VERSION_LESS 3)
  target_link_libraries(ctlm_catch2 INTERFACE Catch2::Catch2)
else()
  target_link_libraries(ctlm_catch2 INTERFACE Catch2::Catch2WithMain)
  target_compile_definitions(ctlm_catch2 INTERFACE CTLM_CATCH2_V3=1)
endif()
