# Settings that every target of ours shares; kept off the targets' public interface.
function(mneme_target_defaults target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON)
  # -ffp-contract=off: a fused multiply-add where the compiler likes one would make answers depend on the compiler.
  # Options structs name the fields they set: the others keep their defaults.
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wno-missing-field-initializers -Wpedantic -Wshadow
                                           -ffp-contract=off
                                           $<$<BOOL:${MNEME_WERROR}>:-Werror>)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # False alarms on "a" + std::string (GCC bug 105651) and on moved std::variant (GCC bug 105562).
    target_compile_options(${target} PRIVATE -Wno-restrict -Wno-maybe-uninitialized)
  endif()
  target_compile_definitions(${target} PRIVATE $<$<BOOL:${MNEME_ASSERTS}>:MNEME_ASSERTS_ON>)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR})
  if(MNEME_SANITIZE)
    # No recovery: what a sanitizer finds ends the program, so that a test fails.
    target_compile_options(${target} PRIVATE -fsanitize=${MNEME_SANITIZE} -fno-sanitize-recover=all
                                             -fno-omit-frame-pointer -g)
    target_link_options(${target} PUBLIC -fsanitize=${MNEME_SANITIZE})
  endif()
endfunction()

# mneme_room(<library> <room> HEADERS ... SOURCES ...): adds a room's public headers and its sources to a library.
function(mneme_room library room)
  cmake_parse_arguments(ROOM "" "" "HEADERS;SOURCES" ${ARGN})
  list(TRANSFORM ROOM_HEADERS PREPEND ${PROJECT_SOURCE_DIR}/include/mneme/${room}/)
  list(TRANSFORM ROOM_SOURCES PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  target_sources(${library} PRIVATE ${ROOM_SOURCES}
    PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/include FILES ${ROOM_HEADERS})
endfunction()

# mneme_program_defaults(<target> [HEADERS_OF <target>]): settings of what only programs link. It is most of what a first build compiles, and waits for
# files and kernels when it runs: so headers that take seconds are compiled once, and the optimiser is not asked for its last.
function(mneme_program_defaults target)
  cmake_parse_arguments(PROGRAM "" "HEADERS_OF" "" ${ARGN})
  mneme_target_defaults(${target})
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1> $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
  target_link_libraries(${target} PRIVATE fmt::fmt nlohmann_json::nlohmann_json)
  if(PROGRAM_HEADERS_OF)
    target_precompile_headers(${target} REUSE_FROM ${PROGRAM_HEADERS_OF})
  endif()
endfunction()

# mneme_add_kernel(<name> [TENSORS]): src/kernels/<name>/ holds <name>.cpp, <name>_reference.cpp, <name>_test.cpp, <name>_benchmark.cpp.
# The test runs once on every CPU target that this machine can run (and asserts which one that is).
function(mneme_add_kernel name)
  set(library mneme_memory)
  if("TENSORS" IN_LIST ARGN)
    set(library mneme_tensor_kernels)
  endif()
  target_sources(${library} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/${name}/${name}.cpp
                                    ${CMAKE_CURRENT_SOURCE_DIR}/${name}/${name}_reference.cpp)
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

# mneme_add_test(<target> SOURCES ... [LIBRARIES ...] [LABEL fast|slow|golden]): a GoogleTest program, its cases known to ctest.
function(mneme_add_test target)
  cmake_parse_arguments(TEST "" "LABEL" "SOURCES;LIBRARIES" ${ARGN})
  if(NOT TEST_LABEL)
    set(TEST_LABEL fast)
  endif()
  add_executable(${target} ${TEST_SOURCES} ${PROJECT_SOURCE_DIR}/tests/core/fixed_seed.cpp)
  mneme_target_defaults(${target})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_compile_definitions(${target} PRIVATE MNEME_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  target_link_libraries(${target} PRIVATE mneme_memory GTest::gtest_main rapidcheck rapidcheck_gtest
                                          fmt::fmt nlohmann_json::nlohmann_json ${TEST_LIBRARIES})
  if("mneme_nn" IN_LIST TEST_LIBRARIES)
    mneme_reuse_torch_headers(${target})
  endif()
  # Tests run side by side: threads that spin while they wait for one another would take the cores from those that work.
  gtest_discover_tests(${target} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 120 NO_PRETTY_VALUES
                       PROPERTIES LABELS ${TEST_LABEL} ENVIRONMENT OMP_WAIT_POLICY=passive)
endfunction()

# mneme_reuse_torch_headers(<target>): takes the precompiled LibTorch headers of mneme_nn (14 s of parsing per file otherwise).
function(mneme_reuse_torch_headers target)
  # A precompiled header fits only what is compiled alike: -fPIC as in the library, where CMake would say -fPIE.
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${target} PRIVATE -fPIC)
  target_precompile_headers(${target} REUSE_FROM mneme_nn)
endfunction()

# mneme_torch_functions(<library> <source>...): what implements the library's TorchFunctions (mneme/core/torch_function.h), as
# objects <library>_nn for programs with LibTorch. Nothing in a build without it.
function(mneme_torch_functions library)
  if(MNEME_WITH_TORCH)
    add_library(${library}_nn OBJECT ${ARGN})
    mneme_target_defaults(${library}_nn)
    target_link_libraries(${library}_nn PUBLIC ${library} mneme_nn PRIVATE fmt::fmt nlohmann_json::nlohmann_json)
    mneme_reuse_torch_headers(${library}_nn)
  endif()
endfunction()

# mneme_embed_text(<target> <constant> <file> HEADER <header> NAMESPACE <namespace>): the file's text becomes a constant of the
# target, which the header declares as a std::string_view.
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
