# SPDX-License-Identifier: MIT
# install, find_package(ctlm) and pkg-config.
include(CMakePackageConfigHelpers)

install(DIRECTORY include/ctlm DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS ctlm_portable EXPORT ctlm)
install(EXPORT ctlm NAMESPACE ctlm:: FILE ctlm-targets.cmake DESTINATION ${CMAKE_INSTALL_DATADIR}/cmake/ctlm)
configure_package_config_file(cmake/ctlm-config.cmake.in ${PROJECT_BINARY_DIR}/ctlm-config.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_DATADIR}/cmake/ctlm)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/ctlm-config-version.cmake COMPATIBILITY SameMinorVersion
  ARCH_INDEPENDENT)
install(FILES ${PROJECT_BINARY_DIR}/ctlm-config.cmake ${PROJECT_BINARY_DIR}/ctlm-config-version.cmake
  cmake/add_model.cmake cmake/gguf_config.cpp cmake/embed_model.cmake cmake/add_wasm.cmake cmake/dispatch.cmake
  cmake/embed_tokenizer.cmake cmake/pack_tokenizer.cpp cmake/text_libraries.cmake
  DESTINATION ${CMAKE_INSTALL_DATADIR}/cmake/ctlm)
install(FILES cmake/wasm/runtime.cpp DESTINATION ${CMAKE_INSTALL_DATADIR}/cmake/ctlm/wasm)
install(FILES cmake/toolchains/wasm.cmake DESTINATION ${CMAKE_INSTALL_DATADIR}/cmake/ctlm/toolchains)

# ctlm.pc is the portable library; with xsimd installed, ctlm-xsimd.pc asks for it. The folders are relative to the files',
# so that the installed tree can be moved.
file(RELATIVE_PATH ctlm_pc_includes ${CMAKE_INSTALL_FULL_DATADIR}/pkgconfig ${CMAKE_INSTALL_FULL_INCLUDEDIR})
foreach(name ctlm ctlm-xsimd)
  configure_file(cmake/${name}.pc.in ${PROJECT_BINARY_DIR}/${name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_DATADIR}/pkgconfig)
endforeach()
