// SPDX-License-Identifier: MIT

/// The sizes that the options of a core come to.
#pragma once

#include <optional>

#include "mneme/nn/hopfield_core.h"

namespace mneme::nn {

/// d, e and the features of the output; none where the input decides.
struct CoreSizes {
  std::optional<int64_t> head, pattern, output;
};
CoreSizes core_sizes(const HopfieldCoreOptions& options);

/// Features that the inputs must have; none where any will do.
struct InputSizes {
  std::optional<int64_t> query, key, value;
};
InputSizes input_sizes(const HopfieldCoreOptions& options);

} // namespace mneme::nn
