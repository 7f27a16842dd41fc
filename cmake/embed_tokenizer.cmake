# SPDX-License-Identifier: MIT
# ctlm_embed_tokenizer(TARGET NAME name FILE file [VOCAB n]): packs a tokenizer while the program is built, and links its
# image into read-only memory, as ctlm_embed_model does with a model's. FILE is a tokenizer.json, or a tokenizer of
# llama2.c, which needs VOCAB, the number of tokens of the model. A program includes <name.hpp> and binds name::image()
# (ctlm/text/flash_tokenizer.hpp). A tokenizer that flash cannot have ends the build in words.
include_guard(GLOBAL)

set(ctlm_embed_tokenizer_folder ${CMAKE_CURRENT_LIST_DIR})

# The program that packs, for this computer; once in a folder. Its file is ctlm_packer there.
function(ctlm_add_packer)
  get_property(packer DIRECTORY PROPERTY ctlm_packer)
  if(packer)
    return()
  endif()
  set(compiler ${CMAKE_CXX_COMPILER})
  if(CMAKE_CROSSCOMPILING)
    find_program(CTLM_HOST_CXX NAMES c++ g++ clang++ REQUIRED NO_CMAKE_FIND_ROOT_PATH
      DOC "Compiler for programs that run while building")
    set(compiler ${CTLM_HOST_CXX})
  endif()
  set(here ${ctlm_embed_tokenizer_folder})
  find_path(ctlm_headers ctlm/ctlm.hpp NO_DEFAULT_PATH NO_CMAKE_FIND_ROOT_PATH
    HINTS ${here}/../include ${here}/../../../include ${here}/../../../../include)
  mark_as_advanced(ctlm_headers)
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/ctlm_tokenizers)
  set(packer ${folder}/pack_tokenizer)
  file(MAKE_DIRECTORY ${folder})
  add_custom_command(OUTPUT ${packer} DEPENDS ${here}/pack_tokenizer.cpp DEPFILE ${packer}.d
    COMMAND ${compiler} -std=c++20 -O1 -I${ctlm_headers} -MD -MF ${packer}.d -MT ${packer} ${here}/pack_tokenizer.cpp
      -o ${packer} VERBATIM)
  set_property(DIRECTORY PROPERTY ctlm_packer ${packer})
endfunction()

function(ctlm_embed_tokenizer target)
  cmake_parse_arguments(PARSE_ARGV 1 ctlm "" "NAME;FILE;VOCAB" "")
  set(call "ctlm_embed_tokenizer(${target} NAME name FILE file [VOCAB n])")
  if(NOT ctlm_NAME OR NOT ctlm_FILE)
    message(FATAL_ERROR "${call}: NAME or FILE is missing")
  endif()
  get_filename_component(file ${ctlm_FILE} ABSOLUTE BASE_DIR ${CMAKE_CURRENT_SOURCE_DIR})
  if(NOT ctlm_FILE MATCHES "\\.json$" AND NOT ctlm_VOCAB MATCHES "^[1-9][0-9]*$")
    message(FATAL_ERROR "${call}: ${ctlm_FILE} is no .json, and a tokenizer of llama2.c needs VOCAB, the model's number of tokens")
  endif()
  ctlm_add_packer()
  get_property(packer DIRECTORY PROPERTY ctlm_packer)
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/ctlm_tokenizers)
  get_property(packed DIRECTORY PROPERTY ctlm_packed_tokenizers)
  if(NOT ctlm_NAME IN_LIST packed)  # two programs may have the same one
    add_custom_command(OUTPUT ${folder}/${ctlm_NAME}.tokenizer ${folder}/${ctlm_NAME}.hpp DEPENDS ${packer} ${file}
      COMMAND ${packer} ${ctlm_NAME} ${file} ${folder} ${ctlm_VOCAB} VERBATIM)
    add_custom_target(ctlm_pack_${ctlm_NAME} DEPENDS ${folder}/${ctlm_NAME}.tokenizer ${folder}/${ctlm_NAME}.hpp)
    set_property(DIRECTORY APPEND PROPERTY ctlm_packed_tokenizers ${ctlm_NAME})
  endif()
  ctlm_embed_model(${target} NAME ${ctlm_NAME} IMAGE ${folder}/${ctlm_NAME}.tokenizer)
  add_dependencies(${target} ctlm_pack_${ctlm_NAME})
  target_sources(${target} PRIVATE ${folder}/${ctlm_NAME}.hpp)
  target_include_directories(${target} PRIVATE ${folder})
endfunction()
