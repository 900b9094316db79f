// SPDX-License-Identifier: MIT

/// What this machine, or the container around us, has.
#pragma once

#include <cstdint>
#include <optional>

namespace mneme::cli {

/// In bytes; nothing where the system does not tell.
struct MachineMemory {
  std::optional<uint64_t> total, available;
  std::optional<uint64_t> limit; ///< of this process's control group (container), where it is below `total`
};
MachineMemory machine_memory();

int logical_cpus();

} // namespace mneme::cli
