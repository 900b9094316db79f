// SPDX-License-Identifier: MIT

/// The memory in main memory of a durable memory of stored patterns.
#pragma once

#include "mneme/memory/associate.h"
#include "mneme/store/durable_memory.h"
#include "mneme/trials/memory_kinds.h"

namespace mneme::store {

/// Options of a design without hard locations.
AssociateOptions<BitPatterns> association_of(const MemoryDesign& design);

} // namespace mneme::store
