// SPDX-License-Identifier: MIT

/// Layers for tests, in float64, with parameters much larger than the initial ones.
#pragma once

#include <torch/torch.h>

#include "mneme/nn/hopfield.h"
#include "ops/tensors.h"

namespace mneme::nn {

using ops::data_error_of;
using ops::expect_contains;
using ops::max_abs_difference;
using ops::random_tensor;
using ops::usage_error_of;

/// Converts a module to float64 and eval mode, with random parameters that make associations far from
/// uniform.
template <class Module> Module prepared(Module module, uint64_t seed = 1) {
  module->to(at::kDouble);
  module->eval();
  const at::NoGradGuard no_gradient;
  for (const auto& parameter : module->named_parameters()) {
    parameter.value().copy_(0.6 * random_tensor(parameter.value().sizes(), ++seed));
  }
  return module;
}

inline Hopfield hopfield(const HopfieldOptions& options, uint64_t seed = 1) {
  return prepared(Hopfield(options), seed);
}

/// Turns off the norms of all inputs.
inline HopfieldOptions without_norms(HopfieldOptions options) {
  return options.normalize_stored_pattern(false)
      .normalize_stored_pattern_affine(false)
      .normalize_state_pattern(false)
      .normalize_state_pattern_affine(false)
      .normalize_pattern_projection(false)
      .normalize_pattern_projection_affine(false);
}

} // namespace mneme::nn
