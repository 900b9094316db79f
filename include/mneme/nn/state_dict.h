// SPDX-License-Identifier: MIT

/// The parameters of a module under their published names.
#pragma once

#include <string>

#include <torch/nn/module.h>

#include "mneme/nn/tensor_file.h"

namespace mneme::nn {

/// All parameters and buffers, on the CPU.
NamedTensors state_dict(const torch::nn::Module& module);

/// Copies numbers into the module's parameters and buffers; type and device stay the module's. All or nothing.
///
/// Errors  DataError that begins with `source` and lists every name that is missing, unexpected or of another
///         shape
void load_state_dict(torch::nn::Module& module, const NamedTensors& state, const std::string& source);

} // namespace mneme::nn
