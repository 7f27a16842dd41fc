# SPDX-License-Identifier: MIT
# ctlm_embed_model(TARGET NAME name IMAGE file): links a flash image (ctlm::write_image) into a program, in its read-only
# memory; the header that ctlm::write_model_header wrote under the same name knows where it lies. On bare metal the image
# has a section of its own, `.image`, for the linker script to place.
function(ctlm_embed_model target)
  cmake_parse_arguments(PARSE_ARGV 1 ctlm "" "NAME;IMAGE" "")
  if(NOT ctlm_NAME OR NOT ctlm_IMAGE)
    message(FATAL_ERROR "ctlm_embed_model(${target} NAME name IMAGE file): NAME or IMAGE is missing")
  endif()
  get_filename_component(image ${ctlm_IMAGE} ABSOLUTE BASE_DIR ${CMAKE_CURRENT_SOURCE_DIR})
  set(source ${CMAKE_CURRENT_BINARY_DIR}/${target}_${ctlm_NAME}_image.cpp)
  if(APPLE)
    set(prefix _)
    set(section ".const_data")
  elseif(CMAKE_SYSTEM_NAME STREQUAL Generic)
    set(section ".section .image,\\\"a\\\"")
  else()
    set(section ".section .rodata.ctlm_image_${ctlm_NAME},\\\"a\\\"")
  endif()
  set(symbol ${prefix}ctlm_image_${ctlm_NAME})
  file(CONFIGURE OUTPUT ${source} @ONLY CONTENT [[
asm("@section@\n"
    ".balign 64\n"
    ".globl @symbol@\n@symbol@:\n"
    ".incbin \"@image@\"\n"
    ".globl @symbol@_end\n@symbol@_end:\n"
    ".byte 0\n"
    ".text\n");
]])
  set_source_files_properties(${source} PROPERTIES OBJECT_DEPENDS ${image})
  target_sources(${target} PRIVATE ${source})
endfunction()
