# SPDX-License-Identifier: MIT
# A program for the computer that builds, at ${name}_file. Its bits are those of a device: products are not fused with
# sums, no vector units.
function(add_host_program name)
  cmake_parse_arguments(PARSE_ARGV 1 program "" "" "SOURCES;OPTIONS;DEPENDS")
  if(NOT CMAKE_CROSSCOMPILING)
    add_executable(${name} ${program_SOURCES})
    target_link_libraries(${name} PRIVATE ctlm_options ctlm::portable)
    set(${name}_file $<TARGET_FILE:${name}> PARENT_SCOPE)
    return()
  endif()
  find_program(CTLM_HOST_CXX NAMES c++ g++ clang++ REQUIRED NO_CMAKE_FIND_ROOT_PATH
    DOC "Compiler for programs that run while building")
  set(file ${CMAKE_CURRENT_BINARY_DIR}/here/${name})
  file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/here)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/*.hpp)
  add_custom_command(OUTPUT ${file} DEPENDS ${program_SOURCES} ${program_DEPENDS} ${headers}
    WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}
    COMMAND ${CTLM_HOST_CXX} -std=c++20 -O2 -ffp-contract=off -I${PROJECT_SOURCE_DIR}/include ${program_OPTIONS}
      ${program_SOURCES} -o ${file} VERBATIM)
  add_custom_target(${name} ALL DEPENDS ${file})
  set(${name}_file ${file} PARENT_SCOPE)
endfunction()
