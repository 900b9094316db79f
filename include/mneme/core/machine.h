// SPDX-License-Identifier: MIT

/// Memory and CPUs of this machine, or of the container in which the process runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace mneme {

/// Memory in bytes. A value is empty if the system does not report it.
struct MachineMemory {
  std::optional<uint64_t> total, available;
  std::optional<uint64_t> limit; ///< limit of the process's control group (container), if below `total`
};
MachineMemory machine_memory();

int logical_cpus();

/// Requests huge pages for memory that was not written yet: fewer page faults and TLB misses. Only a hint.
void prefer_huge_pages(void* data, size_t bytes);

} // namespace mneme
