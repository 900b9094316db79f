option(MNEME_BUILD_CLI "Build the program mneme" ${PROJECT_IS_TOP_LEVEL})
option(MNEME_BUILD_TESTS "Build the tests" ${PROJECT_IS_TOP_LEVEL})
option(MNEME_BUILD_BENCHMARKS "Build the benchmarks" OFF)
option(MNEME_BUILD_DEVICE_BENCHMARK "Build device_benchmark, which benchmarks/device_check.sh runs" ${MNEME_BUILD_TESTS})
option(MNEME_BUILD_FUZZERS "Build the libFuzzer targets (needs clang)" OFF)
option(MNEME_WITH_TORCH "Build mneme::nn, the layers on LibTorch" ${PROJECT_IS_TOP_LEVEL})
# OpenMP: its threads serve loops that call LibTorch; all others have threads of mneme. mneme::memory alone does not need it, nor do
# programs that link it, such as those of clang, for which Debian has OpenMP in another package.
if(NOT DEFINED MNEME_WITH_OPENMP)
  set(MNEME_WITH_OPENMP ${MNEME_WITH_TORCH})
endif()
option(MNEME_INSTALL "Add the install rules" ${PROJECT_IS_TOP_LEVEL})
option(MNEME_WERROR "Treat warnings as errors" OFF)
option(MNEME_ASSERTS "Check internal invariants (MNEME_ASSERT) at run time" ${PROJECT_IS_TOP_LEVEL})
set(MNEME_SANITIZE "" CACHE STRING "Sanitizers for all targets, such as address,undefined or thread")
set(MNEME_CPU_TARGETS "all" CACHE STRING
    "CPU targets of the kernels: all; or native: portable code, AVX2 on x86, and the best target of this machine, which compile in half the time")
set_property(CACHE MNEME_CPU_TARGETS PROPERTY STRINGS all native)
set(MNEME_VEGA_BUNDLE "" CACHE FILEPATH "JavaScript bundle of Vega-Lite to embed into offline pages")

# Generators with a single configuration do not optimise if no build type is set. The default is Release where mneme is the top-level
# project. A parent project keeps its own setting, with a warning, unless its compiler flags select an optimisation level.
get_property(mneme_is_multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
if(NOT CMAKE_BUILD_TYPE AND NOT mneme_is_multi_config)
  if(PROJECT_IS_TOP_LEVEL)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release, RelWithDebInfo" FORCE)
    message(STATUS "mneme: CMAKE_BUILD_TYPE was not set, and is now Release.")
  else()
    get_directory_property(mneme_parent_options COMPILE_OPTIONS)
    if(NOT "${CMAKE_CXX_FLAGS};${mneme_parent_options}" MATCHES "(^|[ ;])-O([1-9sf]|[ ;]|$)")
      message(WARNING "mneme is compiled without optimisation, because CMAKE_BUILD_TYPE is not set; searches then take about 25 times as "
                      "long. Configure with -DCMAKE_BUILD_TYPE=Release, or set CMAKE_BUILD_TYPE before add_subdirectory(mneme).")
    endif()
  endif()
endif()

if(PROJECT_IS_TOP_LEVEL)
  # A compiler cache is used if it is installed. The linker mold is not used: version 1.10.1 of Debian produced a program that
  # the loader rejected.
  if(NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
    find_program(MNEME_CCACHE ccache)
    if(MNEME_CCACHE)
      set(CMAKE_CXX_COMPILER_LAUNCHER ${MNEME_CCACHE})
    endif()
  endif()
endif()
