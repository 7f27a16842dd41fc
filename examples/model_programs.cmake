# SPDX-License-Identifier: MIT
# Programs that are compiled for one model. ./dev logits, chat, quantise and quality set these variables; without them
# the programs are built for the small model of the tests, where it is there.
set(CTLM_MODEL "" CACHE PATH "Model for examples/logits, chat, quantise, quality: a folder from Hugging Face, or a GGUF file")
set(CTLM_MODEL_WEIGHTS f32 CACHE STRING "How they store its weights: f32, bf16, int8, int4, int2, int4<64, asymmetric>, ...")
set(CTLM_MODEL_CONTEXT "" CACHE STRING "Positions that they have room for; empty: as many as the model was made for")

set(model "${CTLM_MODEL}")
if(NOT model)
  set(model "${CTLM_TEST_DATA}/stories260K-hf")
  if(NOT EXISTS "${model}/model.safetensors")
    message(STATUS "ctlm: ${model} is absent, so the programs for one model are left out (-DCTLM_MODEL=FOLDER)")
    return()
  endif()
endif()
if(CTLM_MODEL_CONTEXT)
  ctlm_add_model(example_model "${model}" CONTEXT ${CTLM_MODEL_CONTEXT})
else()
  ctlm_add_model(example_model "${model}")
endif()

string(REPLACE " " "" format "${CTLM_MODEL_WEIGHTS}")
if(format MATCHES "^(f32|bf16|f16)$")
  set(format ctlm::${format})
elseif(format MATCHES "^(int8|int4|int2)$")
  set(format ctlm::${format}<32>)
elseif(format MATCHES "^(int8|int4|int2)<([0-9]*|([1-9][0-9]*),(a?symmetric))>$")
  string(REGEX REPLACE ",(.*)>" ",ctlm::\\1>" format "ctlm::${format}")
else()
  message(FATAL_ERROR "ctlm: CTLM_MODEL_WEIGHTS is f32, bf16, f16, int8, int4 or int2, or has the group and the range, as in "
    "int4<64, asymmetric>; not ${CTLM_MODEL_WEIGHTS}")
endif()
foreach(program logits chat quantise quality)
  add_example(${program} ${program}/${program}.cpp)
  target_link_libraries(${program} PRIVATE example_model)
  if(program STREQUAL quantise AND NOT CTLM_MODEL)  # something to round, for the tests
    target_compile_definitions(${program} PRIVATE "CTLM_EXAMPLE_WEIGHTS=ctlm::int4<32>")
  else()
    target_compile_definitions(${program} PRIVATE "CTLM_EXAMPLE_WEIGHTS=${format}")
  endif()
endforeach()

if(CTLM_TESTS AND Python3_FOUND AND NOT CTLM_MODEL)
  foreach(program logits chat quantise quality)
    add_test(NAME example_${program} COMMAND ${Python3_EXECUTABLE}
      ${CMAKE_CURRENT_SOURCE_DIR}/${program}/test_${program}.py $<TARGET_FILE:${program}> ${CTLM_TEST_DATA})
  endforeach()
endif()
