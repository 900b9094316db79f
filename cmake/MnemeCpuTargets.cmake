# CPU targets of the kernels (MNEME_CPU_TARGETS). Sets mneme_disabled_targets, the value of Highway's macro HWY_DISABLED_TARGETS.
# HWY_WANT_AVX3_DL: kernels also for CPUs with vector popcount, three times faster than its replacement.
set(mneme_disabled_targets 0)
if(MNEME_CPU_TARGETS STREQUAL "native")
  # This program must run on the machine that builds. Better targets are lower bits.
  unset(mneme_probe_exit CACHE)
  try_run(mneme_probe_exit mneme_probe_compiled
    SOURCE_FROM_CONTENT cpu_targets.cpp [[
#include <hwy/targets.h>
#include <cinttypes>
#include <cstdio>
int main() {
  const int64_t runnable = hwy::SupportedTargets() & HWY_TARGETS;
  int64_t kept = (runnable & -runnable) | HWY_STATIC_TARGET;
#if HWY_ARCH_X86
  kept |= HWY_AVX2;
#endif
  std::printf("%" PRId64, HWY_TARGETS & ~kept);
}
]]
    COMPILE_DEFINITIONS -DHWY_WANT_AVX3_DL
    LINK_LIBRARIES hwy::hwy
    CXX_STANDARD 20
    COMPILE_OUTPUT_VARIABLE mneme_probe_log
    RUN_OUTPUT_VARIABLE mneme_disabled_targets)
  if(NOT mneme_probe_compiled OR NOT mneme_probe_exit EQUAL 0)
    message(FATAL_ERROR "The CPU targets of this machine could not be read (exit code ${mneme_probe_exit}). Configure with "
                        "-DMNEME_CPU_TARGETS=all.\n${mneme_probe_log}")
  endif()
elseif(NOT MNEME_CPU_TARGETS STREQUAL "all")
  message(FATAL_ERROR "MNEME_CPU_TARGETS is \"${MNEME_CPU_TARGETS}\"; it must be all or native.")
endif()
set(mneme_cpu_target_definitions HWY_WANT_AVX3_DL HWY_DISABLED_TARGETS=${mneme_disabled_targets})
