// SPDX-License-Identifier: MIT

#include "mneme/core/cpu.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>

#include <hwy/highway.h>
#if HWY_ARCH_X86 && HWY_COMPILER_GCC
#include <cpuid.h>
#endif

#include "mneme/core/error.h"

namespace mneme {
namespace {

struct KnownTarget {
  int64_t bit; ///< of Highway; 0: reference path
  const char* name;
  const char* description;
};

// Simplest first within an architecture.
constexpr std::array kKnownTargets = {
    KnownTarget{0, "reference", "plain loops, the specification"},
    KnownTarget{HWY_SCALAR, "scalar", "one lane"},
    KnownTarget{HWY_EMU128, "emu128", "128-bit vectors in plain C++"},
    KnownTarget{HWY_SSSE3, "ssse3", "x86, 128-bit vectors"},
    KnownTarget{HWY_SSE4, "sse4", "x86, 128-bit vectors"},
    KnownTarget{HWY_AVX2, "avx2", "x86, 256-bit vectors, fused multiply-add"},
    KnownTarget{HWY_AVX3, "avx512", "x86, 512-bit vectors"},
    KnownTarget{HWY_AVX3_DL, "avx3_dl", "x86, 512-bit vectors with vector popcount"},
    KnownTarget{HWY_NEON, "neon", "Arm, 128-bit vectors"},
    KnownTarget{HWY_SVE, "sve", "Arm, scalable vectors"},
    KnownTarget{HWY_SVE2, "sve2", "Arm, scalable vectors"},
    KnownTarget{HWY_SVE_256, "sve_256", "Arm, 256-bit scalable vectors"},
    KnownTarget{HWY_SVE2_128, "sve2_128", "Arm, 128-bit scalable vectors"},
};

std::mutex selection_mutex;
std::optional<std::string> selected;
/// Of `selected`, for the callers of kernels, which do not wait for the mutex.
enum class Kernels { not_selected, of_a_target, reference };
std::atomic<Kernels> selected_kernels{Kernels::not_selected};

/// Targets that the CPU can run, built in or not, independent of a forced selection.
int64_t supported_bits() {
  static const int64_t bits = hwy::SupportedTargets();
  return bits;
}
int64_t runnable_bits() {
  return supported_bits() & HWY_TARGETS;
}

bool is_built(const KnownTarget& target) {
  return target.bit == 0 || (target.bit & HWY_TARGETS) != 0;
}
bool is_runnable(const KnownTarget& target) {
  return target.bit == 0 || (target.bit & runnable_bits()) != 0;
}

std::string names(bool only_runnable) {
  std::string list;
  for (const KnownTarget& target : kKnownTargets) {
    if (is_built(target) && (!only_runnable || is_runnable(target))) {
      list += (list.empty() ? "" : ", ") + std::string(target.name);
    }
  }
  return list;
}

std::string both_lists() {
  return "  Built in: " + names(false) + ". This CPU runs: " + names(true) + ".";
}

void select(std::string_view requested, const char* caller) {
  const std::string name(requested == "avx3" ? "avx512" : requested);
  const auto found = std::find_if(kKnownTargets.begin(), kKnownTargets.end(), [&](const KnownTarget& target) {
    return name == target.name && is_built(target);
  });
  if (found == kKnownTargets.end()) {
    throw UnsupportedError(std::string(caller) + " requests the CPU target \"" + name +
                           "\", which this build does not have.\n" + both_lists());
  }
  if (!is_runnable(*found)) {
    throw UnsupportedError(std::string(caller) + " requests the CPU target \"" + name +
                           "\", which this CPU (" + cpu_model() + ") cannot run.\n" + both_lists());
  }
  if (found->bit != 0) {
    hwy::SetSupportedTargetsForTest(found->bit);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
  selected = name;
  selected_kernels = found->bit == 0 ? Kernels::reference : Kernels::of_a_target;
}

/// The mutex must be locked.
const std::string& selection() {
  if (!selected) {
    const int64_t runnable = runnable_bits();
    if (const char* requested = std::getenv("MNEME_CPU_ISA"); requested != nullptr && *requested != '\0') {
      select(requested, "MNEME_CPU_ISA");
    } else {
      const auto best =
          std::find_if(kKnownTargets.rbegin(), kKnownTargets.rend(), [&](const KnownTarget& target) {
            return target.bit != 0 && (target.bit & runnable) != 0;
          });
      select(best == kKnownTargets.rend() ? "reference" : best->name, "mneme");
    }
  }
  return *selected;
}

} // namespace

std::vector<CpuTarget> cpu_targets() {
  std::vector<CpuTarget> targets;
  for (const KnownTarget& target : kKnownTargets) {
    if (is_built(target)) {
      targets.push_back({target.name, target.description, is_runnable(target)});
    }
  }
  return targets;
}

std::string cpu_target() {
  const std::lock_guard lock(selection_mutex);
  return selection();
}

void select_cpu_target(std::string_view name) {
  const std::lock_guard lock(selection_mutex);
  supported_bits(); // Cached before a target is forced, which would hide the others.
  select(name, "mneme::select_cpu_target");
}

std::string better_cpu_target() {
  const std::lock_guard lock(selection_mutex);
  const auto best = std::find_if(kKnownTargets.rbegin(), kKnownTargets.rend(), [](const KnownTarget& target) {
    return (target.bit & supported_bits()) != 0;
  });
  return best == kKnownTargets.rend() || is_built(*best) ? "" : best->name;
}

bool use_reference_kernels() {
  if (selected_kernels == Kernels::not_selected) {
    const std::lock_guard lock(selection_mutex);
    selection();
  }
  return selected_kernels == Kernels::reference;
}

bool has_bfloat16_products() {
#if HWY_ARCH_X86 && HWY_COMPILER_GCC_ACTUAL
  const std::lock_guard lock(selection_mutex);
  const std::string& target = selection();
  return (target == "avx512" || target == "avx3_dl") && __builtin_cpu_supports("avx512bf16") != 0;
#else
  return false;
#endif
}

bool has_fast_popcount() {
#if HWY_ARCH_X86 && HWY_COMPILER_GCC
  static const bool is_fast = [] {
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    if (__get_cpuid(0, &eax, &ebx, &ecx, &edx) == 0) {
      return false;
    }
    const bool is_amd = ebx == 0x68747541 && edx == 0x69746E65 && ecx == 0x444D4163; // "AuthenticAMD"
    __get_cpuid(1, &eax, &ebx, &ecx, &edx);
    const unsigned family = ((eax >> 8) & 0xF) + ((eax >> 20) & 0xFF);
    return is_amd && family >= 26;
  }();
  return is_fast;
#else
  return false;
#endif
}

std::string cpu_model() {
  std::map<std::string, std::string> values; // of the first CPU
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line) && !line.empty();) {
    if (const size_t colon = line.find(": "); colon != std::string::npos) {
      values[line.substr(0, line.find_last_not_of(" \t", colon - 1) + 1)] = line.substr(colon + 2);
    }
  }
  if (!values.contains("model name")) {
    return "unknown CPU";
  }
  if (!values.contains("cpu family") || !values.contains("model")) {
    return values["model name"];
  }
  return values["model name"] + " (family " + values["cpu family"] + " model " + values["model"] + ")";
}

} // namespace mneme
