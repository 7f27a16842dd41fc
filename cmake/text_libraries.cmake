# SPDX-License-Identifier: MIT
# PCRE2 and utf8proc, for tokenizers whose patterns or normal forms of Unicode need them: linked to ctlm::ctlm where they are
# found. -DCTLM_PCRE2=OFF and -DCTLM_UTF8PROC=OFF leave them out. Included by ctlm's own build and by its package.
function(ctlm_add_text_library target choice header library definition)
  if(NOT choice)
    return()
  endif()
  find_path(ctlm_${library}_include ${header})
  find_library(ctlm_${library}_library ${library})
  mark_as_advanced(ctlm_${library}_include ctlm_${library}_library)
  if(ctlm_${library}_include AND ctlm_${library}_library)
    target_compile_definitions(${target} INTERFACE ${definition}=1)
    target_include_directories(${target} SYSTEM INTERFACE ${ctlm_${library}_include})
    target_link_libraries(${target} INTERFACE ${ctlm_${library}_library})
  elseif(NOT choice STREQUAL "AUTO")
    message(FATAL_ERROR "ctlm: there is no ${library}, on which ${definition}=${choice} insists: install it")
  endif()
endfunction()
