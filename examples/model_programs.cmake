# SPDX-License-Identifier: MIT
# Programs that are compiled for one model. ./dev logits and ./dev chat set these variables; without them the programs
# are built for the small model of the tests, where it is there.
set(CTLM_MODEL "" CACHE PATH "Model for examples/logits and examples/chat: a folder from Hugging Face")
set(CTLM_MODEL_WEIGHTS f32 CACHE STRING "How they store its weights: f32, bf16, int8 or int4")
set_property(CACHE CTLM_MODEL_WEIGHTS PROPERTY STRINGS f32 bf16 int8 int4)
set(CTLM_MODEL_CONTEXT "" CACHE STRING "Positions that they have room for; empty: as many as the model was made for")

set(model "${CTLM_MODEL}")
if(NOT model)
  set(model "${CTLM_TEST_DATA}/stories260K-hf")
  if(NOT EXISTS "${model}/model.safetensors")
    message(STATUS "ctlm: ${model} is absent, so examples/logits and examples/chat are left out (-DCTLM_MODEL=FOLDER)")
    return()
  endif()
endif()
if(CTLM_MODEL_CONTEXT)
  ctlm_add_model(example_model "${model}" CONTEXT ${CTLM_MODEL_CONTEXT})
else()
  ctlm_add_model(example_model "${model}")
endif()

if(CTLM_MODEL_WEIGHTS MATCHES "^(f32|bf16)$")
  set(format ctlm::${CTLM_MODEL_WEIGHTS})
elseif(CTLM_MODEL_WEIGHTS MATCHES "^(int8|int4)$")
  set(format ctlm::${CTLM_MODEL_WEIGHTS}<32>)
else()
  message(FATAL_ERROR "ctlm: CTLM_MODEL_WEIGHTS is f32, bf16, int8 or int4, not ${CTLM_MODEL_WEIGHTS}")
endif()
foreach(program logits)
  add_example(${program} ${program}/${program}.cpp)
  target_link_libraries(${program} PRIVATE example_model)
  target_compile_definitions(${program} PRIVATE CTLM_EXAMPLE_WEIGHTS=${format})
endforeach()

if(CTLM_TESTS AND Python3_FOUND AND NOT CTLM_MODEL)
  add_test(NAME example_logits COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/logits/test_logits.py
    $<TARGET_FILE:logits> ${CTLM_TEST_DATA})
endif()
