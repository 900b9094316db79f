if(NOT MNEME_INSTALL)
  return()
endif()
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(mneme_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/mneme)

# One export set per component, so that users of the component `memory` do not need LibTorch.
function(mneme_install_library target component)
  set_target_properties(${target} PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  install(TARGETS ${target} EXPORT mneme-${component}
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT ${component}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT ${component}
    FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT ${component})
  install(EXPORT mneme-${component} FILE mneme-${component}.cmake NAMESPACE mneme::
    DESTINATION ${mneme_package_dir} COMPONENT ${component})
endfunction()

mneme_install_library(mneme_memory memory)
if(TARGET mneme_nn)
  mneme_install_library(mneme_nn nn)
  # CMake itself adds no folder of the source tree to an RPATH, and ./dev installs LibTorch in .venv.
  set(mneme_torch_folder $<TARGET_FILE_DIR:c10>)
  set_target_properties(mneme_nn PROPERTIES INSTALL_RPATH "$ORIGIN;${mneme_torch_folder}")
endif()
if(TARGET mneme_program)
  # The RPATH contains the folders of libraries at link time, and the installed library folder for a shared mneme.
  file(RELATIVE_PATH mneme_bin_to_lib ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
  set(mneme_programs mneme_program)
  set_target_properties(mneme_program PROPERTIES INSTALL_RPATH "$ORIGIN/${mneme_bin_to_lib}")
  if(TARGET mneme_nn_program)
    list(APPEND mneme_programs mneme_nn_program)
    set_target_properties(mneme_nn_program PROPERTIES INSTALL_RPATH "$ORIGIN/${mneme_bin_to_lib};${mneme_torch_folder}")
  endif()
  set_target_properties(${mneme_programs} PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON)
  install(TARGETS ${mneme_programs} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program)
endif()

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/mnemeConfig.cmake.in ${PROJECT_BINARY_DIR}/mnemeConfig.cmake
  INSTALL_DESTINATION ${mneme_package_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/mnemeConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/mnemeConfig.cmake ${PROJECT_BINARY_DIR}/mnemeConfigVersion.cmake
  DESTINATION ${mneme_package_dir} COMPONENT memory)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT memory)
