// SPDX-License-Identifier: MIT

/// The parameters of a module under their published names.
#pragma once

#include <string>
#include <vector>

#include <torch/nn/module.h>

#include "mneme/nn/tensor_file.h"

namespace mneme::nn {

/// All parameters and buffers, on the CPU.
NamedTensors state_dict(const torch::nn::Module& module);

/// Copies numbers into the module's parameters and buffers; type and device stay the module's. All or nothing.
///
/// Prefixes that training puts before names, such as "module." of DataParallel, "_orig_mod." of torch.compile or "model."
/// of a wrapper, are left out where the names fit without them; each is returned as a note, a sentence without the source. A
/// tensor that is tied to another (the same numbers in the same place) may be there under a name that the module lacks.
///
/// Errors  DataError that begins with `source` and lists names that are missing, unexpected, of another shape, or whole
///         numbers where the module has numbers with a fraction, or the other way round
std::vector<std::string> load_state_dict(torch::nn::Module& module, NamedTensors state,
                                         const std::string& source);

} // namespace mneme::nn
