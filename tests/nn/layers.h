// SPDX-License-Identifier: MIT

/// Layers for tests: with parameters far from their small first values, in float64.
#pragma once

#include <torch/torch.h>

#include "mneme/nn/hopfield.h"
#include "ops/tensors.h"

namespace mneme::nn {

using ops::data_error_of;
using ops::expect_contains;
using ops::largest_difference;
using ops::random_tensor;
using ops::usage_error_of;

/// Random parameters, so that associations are far from uniform. Float64, eval.
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

/// No norms: inputs are used as they are.
inline HopfieldOptions without_norms(HopfieldOptions options) {
  return options.normalize_stored_pattern(false)
      .normalize_stored_pattern_affine(false)
      .normalize_state_pattern(false)
      .normalize_state_pattern_affine(false)
      .normalize_pattern_projection(false)
      .normalize_pattern_projection_affine(false);
}

} // namespace mneme::nn
