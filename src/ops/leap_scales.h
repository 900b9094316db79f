// SPDX-License-Identifier: MIT

/// The two scales of LEAP, with their defaults.
#pragma once

#include <cmath>

#include "mneme/ops/leap.h"

namespace mneme::ops {

inline double focus_scale(const std::optional<double>& scale, int64_t features) {
  return scale.value_or(1.0 / std::sqrt(static_cast<double>(features)));
}

inline double gate_scale(const LeapOptions& options, int64_t features) {
  return options.gate_scale.value_or(options.gate == LeapGate::cosine ? kCosineGateScale
                                                                      : focus_scale(options.scale, features));
}

} // namespace mneme::ops
