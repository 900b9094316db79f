// SPDX-License-Identifier: MIT

/// Instruction set of the kernels: selected at run time, or forced with MNEME_CPU_ISA.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mneme {

/// Instruction set that this library is built for.
struct CpuTarget {
  std::string name; ///< "reference", "emu128", "ssse3", "sse4", "avx2", "avx512", "avx3_dl", "neon", ...
  std::string description; ///< one line of text
  bool runnable;           ///< this CPU can run it
};

/// All targets built into this library, simplest first. "reference", the plain loops that specify the
/// kernels, is always included.
std::vector<CpuTarget> cpu_targets();

/// Target that the kernels run on: MNEME_CPU_ISA if it is set, else the best runnable one.
///
/// Errors  UnsupportedError if MNEME_CPU_ISA names a target that is not built in or that this CPU cannot run
std::string cpu_target();

/// The best target of this CPU, if this library was built without it, as with the CMake option
/// MNEME_CPU_TARGETS=native on an older machine; else empty.
std::string better_cpu_target();

/// Selects a target for all later calls (tests, benchmarks). Must not be called while kernels run. Errors as
/// `cpu_target`.
void select_cpu_target(std::string_view name);

/// True if kernels must use their reference path. Selects the target on first use. Errors as `cpu_target`.
bool use_reference_kernels();

/// Whether kernels on the current target multiply bfloat16 numbers with instructions of this CPU, which need
/// a library compiled by GCC. Otherwise they compute the same products in float32. Errors as `cpu_target`.
bool has_bfloat16_products();

/// Whether this CPU counts the bits of two 512-bit vectors per cycle, as those of AMD do from family 26 (Zen
/// 5) on. Others count those of one or less.
bool has_fast_popcount();

/// Name of the CPU, with family and model where the system reports them, because CPUs of one name can differ
/// by a factor of two: such as "AMD EPYC (family 25 model 17)"; or "unknown CPU".
std::string cpu_model();

} // namespace mneme
