// SPDX-License-Identifier: MIT

/// Memory and CPUs of this machine, or of the container in which the process runs.
#pragma once

#include <cstdint>
#include <optional>

namespace mneme::cli {

/// Memory in bytes. A value is empty if the system does not report it.
struct MachineMemory {
  std::optional<uint64_t> total, available;
  std::optional<uint64_t> limit; ///< limit of the process's control group (container), if below `total`
};
MachineMemory machine_memory();

int logical_cpus();

} // namespace mneme::cli
