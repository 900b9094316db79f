// SPDX-License-Identifier: MIT

/// Sizes derived from HopfieldCoreOptions.
#pragma once

#include <optional>

#include "mneme/nn/hopfield_core.h"

namespace mneme::nn {

/// d, e and the features of the output; nullopt if they depend on the input.
struct CoreSizes {
  std::optional<int64_t> head, pattern, output;
};
CoreSizes core_sizes(const HopfieldCoreOptions& options);

/// Any parameter of a core; undefined if it has none.
at::Tensor any_parameter(const HopfieldCoreImpl& core);

/// Required features of the inputs; nullopt: any.
struct InputSizes {
  std::optional<int64_t> query, key, value;
};
InputSizes input_sizes(const HopfieldCoreOptions& options);

} // namespace mneme::nn
