# mneme_target_defaults(<target>): compiler settings of all targets; PRIVATE, so users of the library do not inherit them.
function(mneme_target_defaults target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON)
  # -ffp-contract=off: automatic fused multiply-adds would make results depend on the compiler.
  # -Wno-missing-field-initializers: options structs are initialised by naming only the fields that differ from the defaults.
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wno-missing-field-initializers -Wpedantic -Wshadow
                                           -ffp-contract=off
                                           $<$<BOOL:${MNEME_WERROR}>:-Werror>)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # False positives for "a" + std::string (GCC bug 105651) and moved std::variant (GCC bug 105562).
    target_compile_options(${target} PRIVATE -Wno-restrict -Wno-maybe-uninitialized)
  endif()
  target_compile_definitions(${target} PRIVATE $<$<BOOL:${MNEME_ASSERTS}>:MNEME_ASSERTS_ON>)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR})
  if(MNEME_SANITIZE)
    # No recovery: an error found by a sanitizer aborts the program, so that the test fails.
    target_compile_options(${target} PRIVATE -fsanitize=${MNEME_SANITIZE} -fno-sanitize-recover=all
                                             -fno-omit-frame-pointer -g)
    target_link_options(${target} PUBLIC -fsanitize=${MNEME_SANITIZE})
  endif()
endfunction()

# mneme_module(<library> <module> HEADERS ... SOURCES ...): adds the public headers and the sources of a module to a library.
function(mneme_module library module)
  cmake_parse_arguments(MODULE "" "" "HEADERS;SOURCES" ${ARGN})
  list(TRANSFORM MODULE_HEADERS PREPEND ${PROJECT_SOURCE_DIR}/include/mneme/${module}/)
  list(TRANSFORM MODULE_SOURCES PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  target_sources(${library} PRIVATE ${MODULE_SOURCES}
    PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/include FILES ${MODULE_HEADERS})
endfunction()

# mneme_program_defaults(<target> [HEADERS_OF <target>]): settings of targets that are linked only into programs. Most of the first
# build is spent on them, and at run time they mostly wait for files and kernels. So large headers are precompiled once (those of
# HEADERS_OF are reused), and optimisation is limited to -Og, which GCC compiles in 0.87 of the time of -O1.
function(mneme_program_defaults target)
  cmake_parse_arguments(PROGRAM "" "HEADERS_OF" "" ${ARGN})
  mneme_target_defaults(${target})
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-Og> $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
  target_link_libraries(${target} PRIVATE fmt::fmt nlohmann_json::nlohmann_json)
  if(PROGRAM_HEADERS_OF)
    target_precompile_headers(${target} REUSE_FROM ${PROGRAM_HEADERS_OF})
  endif()
endfunction()

# mneme_add_kernel(<name> [TENSORS]): adds the kernel in src/kernels/<name>/, which contains <name>.cpp, <name>_reference.cpp,
# <name>_test.cpp and <name>_benchmark.cpp. The test runs on every CPU target that this machine supports, and asserts which one it is.
function(mneme_add_kernel name)
  set(library mneme_memory)
  if("TENSORS" IN_LIST ARGN)
    set(library mneme_tensor_kernels)
  endif()
  target_sources(${library} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/${name}/${name}.cpp
                                    ${CMAKE_CURRENT_SOURCE_DIR}/${name}/${name}_reference.cpp)
  # Without optimisation, as in debug builds, GCC 12 rejects AVX-512 intrinsics after a precompiled header: "the last argument must be
  # an 8-bit immediate".
  set_source_files_properties(${CMAKE_CURRENT_SOURCE_DIR}/${name}/${name}.cpp TARGET_DIRECTORY ${library}
    PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
  if(MNEME_BUILD_TESTS)
    mneme_add_test(${name}_kernel_tests SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/${name}/${name}_test.cpp
                   LIBRARIES $<$<STREQUAL:${library},mneme_tensor_kernels>:mneme_tensor_kernels>)
  endif()
  if(MNEME_BUILD_BENCHMARKS)
    add_executable(${name}_benchmark ${CMAKE_CURRENT_SOURCE_DIR}/${name}/${name}_benchmark.cpp)
    mneme_target_defaults(${name}_benchmark)
    set_target_properties(${name}_benchmark PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/benchmarks)
    target_link_libraries(${name}_benchmark PRIVATE
      $<$<STREQUAL:${library},mneme_tensor_kernels>:mneme_tensor_kernels> mneme_memory benchmark::benchmark_main fmt::fmt)
  endif()
endfunction()

# mneme_add_test(<target> SOURCES ... [LIBRARIES ...] [LABEL fast|slow|golden]): adds a GoogleTest program and registers its cases
# with ctest.
function(mneme_add_test target)
  cmake_parse_arguments(TEST "" "LABEL" "SOURCES;LIBRARIES" ${ARGN})
  if(NOT TEST_LABEL)
    set(TEST_LABEL fast)
  endif()
  add_executable(${target} ${TEST_SOURCES} ${PROJECT_SOURCE_DIR}/tests/core/fixed_seed.cpp)
  mneme_target_defaults(${target})
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-Og>) # the tested code is in the libraries
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_compile_definitions(${target} PRIVATE MNEME_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  target_link_libraries(${target} PRIVATE mneme_memory GTest::gtest_main rapidcheck rapidcheck_gtest
                                          fmt::fmt nlohmann_json::nlohmann_json ${TEST_LIBRARIES})
  if("mneme_nn" IN_LIST TEST_LIBRARIES)
    mneme_reuse_torch_headers(${target})
  endif()
  # Tests run in parallel, so waiting threads must not spin: they would take CPU time from other tests.
  gtest_discover_tests(${target} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 120 NO_PRETTY_VALUES
                       PROPERTIES LABELS ${TEST_LABEL} ENVIRONMENT OMP_WAIT_POLICY=passive)
endfunction()

# mneme_reuse_torch_headers(<target>): uses the precompiled LibTorch headers of mneme_nn; parsing them takes 14 s per file otherwise.
function(mneme_reuse_torch_headers target)
  # A precompiled header requires the same compiler flags: -fPIC as in the library, instead of CMake's -fPIE for programs.
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${target} PRIVATE -fPIC)
  target_precompile_headers(${target} REUSE_FROM mneme_nn)
endfunction()

# mneme_verify_torch_headers(<library>): compiles each public header of the library alone, as VERIFY_INTERFACE_HEADER_SETS does, but
# with the precompiled LibTorch headers, and only headers that no source of the library includes first: the others are checked where
# that source is compiled. That every header includes what it uses of LibTorch is a rule of house_tests.
function(mneme_verify_torch_headers library)
  get_target_property(headers ${library} HEADER_SET)
  get_target_property(sources ${library} SOURCES)
  list(FILTER sources INCLUDE REGEX "[.]cpp$")
  foreach(source IN LISTS sources)
    file(STRINGS ${source} first_include REGEX "^#include" LIMIT_COUNT 1)
    list(APPEND first_includes ${first_include})
  endforeach()
  set(checks)
  foreach(header IN LISTS headers)
    cmake_path(RELATIVE_PATH header BASE_DIRECTORY ${PROJECT_SOURCE_DIR}/include)
    if(NOT "#include \"${header}\"" IN_LIST first_includes)
      set(check ${CMAKE_CURRENT_BINARY_DIR}/headers/${header}.cpp)
      file(CONFIGURE OUTPUT ${check} CONTENT "#include <${header}>\n")
      list(APPEND checks ${check})
    endif()
  endforeach()
  add_library(${library}_headers OBJECT ${checks})
  mneme_target_defaults(${library}_headers)
  target_link_libraries(${library}_headers PRIVATE ${library})
  mneme_reuse_torch_headers(${library}_headers)
endfunction()

# mneme_torch_functions(<library> <source>...): adds the object library <library>_nn, which implements the TorchFunctions of the
# library (mneme/core/torch_function.h) for programs with LibTorch. Does nothing in a build without LibTorch.
function(mneme_torch_functions library)
  if(MNEME_WITH_TORCH)
    add_library(${library}_nn OBJECT ${ARGN})
    mneme_target_defaults(${library}_nn)
    # LibTorch brings headers of another fmt, without its library.
    target_link_libraries(${library}_nn PUBLIC ${library} mneme_nn PRIVATE fmt::fmt-header-only nlohmann_json::nlohmann_json)
    mneme_reuse_torch_headers(${library}_nn)
  endif()
endfunction()

# mneme_embed_text(<target> <constant> <file> HEADER <header> NAMESPACE <namespace>): embeds a text file into the target as a
# constant, which the header declares as a std::string_view.
set(MNEME_EMBED_TEXT_SCRIPT ${CMAKE_CURRENT_LIST_DIR}/embed_text.cmake)
function(mneme_embed_text target name file)
  cmake_parse_arguments(EMBED "" "HEADER;NAMESPACE" "" ${ARGN})
  set(source ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp)
  add_custom_command(OUTPUT ${source}
    COMMAND ${CMAKE_COMMAND} -DNAME=${name} -DINPUT=${file} -DOUTPUT=${source} -DHEADER=${EMBED_HEADER} -DNAMESPACE=${EMBED_NAMESPACE}
            -P ${MNEME_EMBED_TEXT_SCRIPT}
    DEPENDS ${file} ${MNEME_EMBED_TEXT_SCRIPT} VERBATIM)
  set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS -Wno-overlength-strings)
  target_sources(${target} PRIVATE ${source})
endfunction()
