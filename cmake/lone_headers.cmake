# SPDX-License-Identifier: MIT
# ctlm_lone_headers(name header result): for a cross compiler, a header-only library of this machine. It usually lies in
# /usr/include, whose other headers belong to another machine: `result` is a folder with a link to `name` alone, or
# NOTFOUND.
function(ctlm_lone_headers name header result)
  find_path(ctlm_${name}_folder NAMES ${name}/${header} NO_CMAKE_FIND_ROOT_PATH PATHS /usr/include /usr/local/include)
  mark_as_advanced(ctlm_${name}_folder)
  if(NOT ctlm_${name}_folder)
    set(${result} NOTFOUND PARENT_SCOPE)
    return()
  endif()
  set(lone ${PROJECT_BINARY_DIR}/headers/${name})
  file(MAKE_DIRECTORY ${lone})
  file(CREATE_LINK ${ctlm_${name}_folder}/${name} ${lone}/${name} SYMBOLIC)
  set(${result} ${lone} PARENT_SCOPE)
endfunction()
