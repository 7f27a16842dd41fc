# SPDX-License-Identifier: MIT
# Catch2 2.13 or 3: the system's, or a pinned release, checked by its hash. Yields the target ctlm_catch2; tests
# include tests/catch.hpp, which knows both.
find_package(Catch2 QUIET)
if(NOT Catch2_FOUND)
  include(FetchContent)
  FetchContent_Declare(Catch2
    URL https://github.com/catchorg/Catch2/archive/v3.6.0.tar.gz
    URL_HASH SHA256=485932259a75c7c6b72d4b874242c489ea5155d17efa345eb8cc72159f49f356
    DOWNLOAD_EXTRACT_TIMESTAMP ON)
  FetchContent_MakeAvailable(Catch2)
  set(Catch2_VERSION 3.6.0)
endif()

add_library(ctlm_catch2 INTERFACE)
if(Catch2_VERSION VERSION_LESS 3)
  target_link_libraries(ctlm_catch2 INTERFACE Catch2::Catch2)
else()
  target_link_libraries(ctlm_catch2 INTERFACE Catch2::Catch2WithMain)
  target_compile_definitions(ctlm_catch2 INTERFACE CTLM_CATCH2_V3=1)
endif()
