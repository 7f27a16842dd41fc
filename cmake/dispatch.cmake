# SPDX-License-Identifier: MIT
# ctlm_dispatch(NAME SOURCES file... TARGETS level...): one library for processors with different instructions. It compiles
# the files once for each level, and the program takes the best variant that its processor can run (docs/dispatch.md).
#
#   ctlm_dispatch(story SOURCES model.cpp TARGETS x86-64-v2 x86-64-v3 x86-64-v4+vnni+bf16)
#   target_link_libraries(program PRIVATE story)
#
# One of the files has CTLM_VARIANT(NAME) (<ctlm/app/dispatch.hpp>). NAME is a static library; what it links, and its
# definitions, folders and options, all variants have too. Each variant is linked to one object, in which all names but its
# table's are local: the linker would keep one copy of an inline function that several files have, of std::vector, say, and
# the others would run instructions that their processor may not have.
#
# Elsewhere than on x86-64 with ELF, and with -DCTLM_DISPATCH=OFF, there is one variant: the files as they are.

if(CMAKE_SCRIPT_MODE_FILE)  # cmake -D... -P: makes one object of a variant's
  cmake_minimum_required(VERSION 3.25...4.0)
  function(ctlm_run output)
    execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE said ERROR_VARIABLE complaint)
    if(NOT status EQUAL 0)
      list(JOIN ARGN " " command)
      file(REMOVE ${result})
      message(FATAL_ERROR "ctlm_dispatch(${name}): ${command}\n${complaint}")
    endif()
    set(${output} "${said}" PARENT_SCOPE)
  endfunction()
  function(ctlm_refuse words)
    file(REMOVE ${result})
    message(FATAL_ERROR "ctlm_dispatch(${name}): ${words}")
  endfunction()

  # Groups of sections, which the linker keeps one of by their names, become ordinary sections.
  ctlm_run(said ${compiler} -r -nostdlib -fuse-ld=bfd -Wl,--force-group-allocation ${objects} -o ${result})
  ctlm_run(said ${objcopy} --keep-global-symbol=${symbol} ${result})
  ctlm_run(sections ${objdump} -h ${result})
  if(sections MATCHES "[ \t]\\.(preinit_array|init_array|ctors)")
    ctlm_refuse("the variant for ${level} has code that runs before main, on every processor: an object outside of functions whose constructor is no constant, or <iostream>, or a sanitizer. Put the object into a function; with sanitizers, -DCTLM_DISPATCH=OFF")
  endif()
  ctlm_run(globals ${nm} -g -P --defined-only ${result})
  string(REGEX REPLACE " [^\n]*\n" ";" globals "${globals}")
  list(REMOVE_ITEM globals "")
  if(NOT globals)
    ctlm_refuse("none of the files has CTLM_VARIANT(${name})")
  elseif(NOT globals STREQUAL symbol)
    ctlm_refuse("the variant for ${level} should have one global name, ${symbol}, and has ${globals}")
  endif()
  return()
endif()

include_guard(GLOBAL)
option(CTLM_DISPATCH "ctlm_dispatch compiles its files for several levels of x86-64; OFF: once, as they are" ON)

# The options that compile for a level; empty if there is no such level. docs/dispatch.md lists them.
function(ctlm_level_options level result)
  set(v4 -march=x86-64-v4)
  set(vnni ${v4} -mavx512vnni)
  set(gfni ${vnni} -mgfni)
  set(bf16 ${gfni} -mavx512bf16)
  set(options "")
  if(level MATCHES "^x86-64(-v[234])?$")
    set(options -march=${level})
  elseif(level STREQUAL "x86-64-v4+vnni")
    set(options ${vnni})
  elseif(level STREQUAL "x86-64-v4+vnni+gfni")
    set(options ${gfni})
  elseif(level STREQUAL "x86-64-v4+vnni+bf16")
    set(options ${bf16})
  elseif(level STREQUAL "x86-64-v4+vnni+bf16+amx")
    set(options ${bf16} -mamx-tile -mamx-int8 -mamx-bf16)
  endif()
  set(${result} "${options}" PARENT_SCOPE)
endfunction()

# An object library NAME_LEVEL of the files; what ${name} has, it has.
function(ctlm_add_variant name level id sources)
  add_library(${name}_${id} OBJECT EXCLUDE_FROM_ALL ${sources})
  foreach(kind INCLUDE_DIRECTORIES COMPILE_DEFINITIONS COMPILE_OPTIONS COMPILE_FEATURES)
    set_property(TARGET ${name}_${id} PROPERTY ${kind} $<TARGET_PROPERTY:${name},${kind}>)
  endforeach()
  target_compile_definitions(${name}_${id} PRIVATE CTLM_VARIANT_TARGET=${id})
  target_link_libraries(${name}_${id} PRIVATE $<TARGET_PROPERTY:${name},LINK_LIBRARIES>)
endfunction()

function(ctlm_dispatch name)
  set(call "ctlm_dispatch(${name} SOURCES file... TARGETS level...)")
  cmake_parse_arguments(PARSE_ARGV 1 ctlm "" "" "SOURCES;TARGETS")
  if(NOT ctlm_SOURCES OR NOT ctlm_TARGETS OR ctlm_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "${call}: SOURCES or TARGETS are missing, or there is more: \"${ctlm_UNPARSED_ARGUMENTS}\"")
  elseif(NOT name MATCHES "^[A-Za-z_][A-Za-z0-9_]*$")
    message(FATAL_ERROR "${call}: \"${name}\" cannot be a name in C++")
  endif()
  foreach(level IN LISTS ctlm_TARGETS)
    ctlm_level_options(${level} options)
    if(NOT options)
      message(FATAL_ERROR "${call}: there is no level ${level}: there are x86-64, x86-64-v2, x86-64-v3, x86-64-v4, and x86-64-v4 with +vnni, +vnni+gfni, +vnni+bf16 or +vnni+bf16+amx")
    endif()
  endforeach()
  list(REMOVE_DUPLICATES ctlm_TARGETS)
  set(several ${CTLM_DISPATCH})
  if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$" OR NOT CMAKE_SIZEOF_VOID_P EQUAL 8
      OR NOT CMAKE_EXECUTABLE_FORMAT STREQUAL ELF)
    set(several OFF)
  endif()
  if(NOT several)
    set(ctlm_TARGETS native)
    message(STATUS "ctlm: ${name} has one variant, native")
  elseif(NOT CMAKE_OBJCOPY OR NOT CMAKE_OBJDUMP OR NOT CMAKE_NM)
    message(FATAL_ERROR "${call}: there is no objcopy, objdump or nm: install binutils")
  endif()

  set(linked "")
  set(choices "")
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/ctlm_dispatch)
  add_library(${name} STATIC ${folder}/${name}.cpp)
  target_link_libraries(${name} PUBLIC ctlm::portable PRIVATE ctlm::ctlm)  # the program needs headers, variants xsimd
  foreach(level IN LISTS ctlm_TARGETS)
    string(MAKE_C_IDENTIFIER ${level} id)
    string(APPEND linked "CTLM_LINKED(${name}, ${id})\n")
    string(APPEND choices ", CTLM_CHOICE(${name}, ${id})")
    ctlm_add_variant(${name} ${level} ${id} "${ctlm_SOURCES}")
    if(several)
      ctlm_seal_variant(${name} ${level} ${id} ${folder})
    else()
      target_sources(${name} PRIVATE $<TARGET_OBJECTS:${name}_${id}>)
    endif()
  endforeach()
  file(CONFIGURE OUTPUT ${folder}/${name}.cpp @ONLY CONTENT [[
// Generated by ctlm_dispatch: chooses among the variants of @name@.
#include <ctlm/app/dispatch.hpp>

@linked@CTLM_CHOOSE(@name@@choices@)
]])
endfunction()

# Compiles NAME_LEVEL for its level alone, and gives ${name} one object with one global name.
function(ctlm_seal_variant name level id folder)
  ctlm_level_options(${level} options)
  add_library(${name}_${id}_options INTERFACE)  # linked last: its options win over those of ${name}
  target_compile_options(${name}_${id}_options INTERFACE ${options} -fno-lto $<$<CXX_COMPILER_ID:GNU>:-fno-gnu-unique>)
  target_link_libraries(${name}_${id} PRIVATE ${name}_${id}_options)
  set_target_properties(${name}_${id} PROPERTIES POSITION_INDEPENDENT_CODE ON INTERPROCEDURAL_OPTIMIZATION OFF
    CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  get_property(multiple GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
  if(multiple)
    string(APPEND folder /$<CONFIG>)
  endif()
  set(object ${folder}/${name}_${id}.o)
  set(compiler ${CMAKE_CXX_COMPILER})
  if(CMAKE_CXX_COMPILER_TARGET)
    list(APPEND compiler --target=${CMAKE_CXX_COMPILER_TARGET})
  endif()
  add_custom_command(OUTPUT ${object} DEPENDS ${name}_${id} $<TARGET_OBJECTS:${name}_${id}> ${CMAKE_CURRENT_FUNCTION_LIST_FILE}
    COMMAND ${CMAKE_COMMAND} -Dname=${name} -Dlevel=${level} -Dsymbol=ctlm_variant_${name}_${id}
      "-Dcompiler=${compiler}" -Dobjcopy=${CMAKE_OBJCOPY} -Dobjdump=${CMAKE_OBJDUMP} -Dnm=${CMAKE_NM}
      -Dresult=${object} "-Dobjects=$<TARGET_OBJECTS:${name}_${id}>" -P ${CMAKE_CURRENT_FUNCTION_LIST_FILE}
    COMMENT "Sealing the variant of ${name} for ${level}" VERBATIM)
  set_source_files_properties(${object} PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
  target_sources(${name} PRIVATE ${object})
endfunction()
