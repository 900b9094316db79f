// SPDX-License-Identifier: MIT

/// Which instruction set the kernels run on: chosen at run time, forced with MNEME_CPU_ISA.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mneme {

struct CpuTarget {
  std::string name; ///< "reference", "emu128", "ssse3", "sse4", "avx2", "avx512", "avx3_dl", "neon", ...
  std::string description; ///< one line for a reader
  bool runnable;           ///< this CPU can run it
};

/// All targets built into this library, plainest first ("reference", the specification, is always there).
std::vector<CpuTarget> cpu_targets();

/// The target kernels run on: MNEME_CPU_ISA where it is set, else the best runnable one.
///
/// Errors  UnsupportedError if MNEME_CPU_ISA names a target that is not built in or that this CPU cannot run
std::string cpu_target();

/// Forces a target from now on (tests, benchmarks); not while kernels run. Errors as `cpu_target`.
void select_cpu_target(std::string_view name);

/// True if kernels must take their reference path. Selects the target on first use. Errors as `cpu_target`.
bool use_reference_kernels();

/// The CPU's own name, such as "AMD EPYC"; "unknown CPU" where the system does not tell.
std::string cpu_model();

} // namespace mneme
