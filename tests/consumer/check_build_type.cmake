# Configures mneme, and a project that contains it, without a build type, and checks the default, the warning,
# and that OpenMP is not required without LibTorch. Nothing is compiled.
function(configure source)
  file(REMOVE_RECURSE ${WORK})
  execute_process(COMMAND ${CMAKE_COMMAND} -S ${source} -B ${WORK} -G ${GENERATOR} -DCMAKE_CXX_COMPILER=${CXX} ${ARGN}
    RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "Configuring ${source} with ${ARGN} ended with ${status}:\n${output}")
  endif()
  set(is_warned FALSE PARENT_SCOPE)
  if(output MATCHES "without[ \n]+optimisation")
    set(is_warned TRUE PARENT_SCOPE)
  endif()
  file(STRINGS ${WORK}/CMakeCache.txt build_type REGEX "^CMAKE_BUILD_TYPE:")
  string(REGEX REPLACE "^[^=]*=" "" build_type "${build_type}")
  set(build_type "${build_type}" PARENT_SCOPE)
endfunction()

function(expect what is_warned_expected build_type_expected)
  if(NOT is_warned STREQUAL is_warned_expected OR NOT build_type STREQUAL build_type_expected)
    message(FATAL_ERROR "${what}: the warning is ${is_warned} and the build type '${build_type}', "
                        "but ${is_warned_expected} and '${build_type_expected}' were expected.")
  endif()
endfunction()

if(GENERATOR MATCHES "Multi-Config|Visual Studio|Xcode")
  return() # the build type is selected when such a project is built
endif()
set(parent ${CMAKE_CURRENT_LIST_DIR}/subdirectory)
configure(${parent} -DCMAKE_BUILD_TYPE= -DCMAKE_CXX_FLAGS=)
expect("parent project without a build type" TRUE "")
configure(${parent} -DCMAKE_BUILD_TYPE= -DCMAKE_CXX_FLAGS=-O2)
expect("parent project with -O2 in its flags" FALSE "")
configure(${parent} -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS=)
expect("parent project with a build type" FALSE Debug)
configure(${MNEME_SOURCE_DIR} -DCMAKE_BUILD_TYPE= -DCMAKE_CXX_FLAGS=
  -DMNEME_WITH_TORCH=OFF -DMNEME_BUILD_TESTS=OFF -DMNEME_BUILD_CLI=OFF)
expect("mneme as the top-level project" FALSE Release)
file(STRINGS ${WORK}/CMakeCache.txt openmp REGEX "^OpenMP_")
if(openmp)
  message(FATAL_ERROR "mneme::memory alone needs no OpenMP, but it was searched:\n${openmp}")
endif()
