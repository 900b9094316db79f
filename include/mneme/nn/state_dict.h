// SPDX-License-Identifier: MIT

/// State dicts of modules: parameters and buffers by name.
#pragma once

#include <string>
#include <vector>

#include <torch/nn/module.h>

#include "mneme/nn/tensor_file.h"

namespace mneme::nn {

/// Copies of all parameters and buffers, on the CPU.
NamedTensors state_dict(const torch::nn::Module& module);

/// Copies a state dict into the parameters and buffers of a module, whose types and devices do not change. If
/// it throws, the module is unchanged.
///
/// Prefixes that wrappers add to the names, such as "module." (DataParallel), "_orig_mod." (torch.compile) or
/// "model.", are removed if the names match the module without them. Returns a note for each, a sentence that
/// does not name the source. A tensor that shares its storage with another one (tied parameters) may have a
/// name that the module does not have. A tensor that nothing else refers to becomes the memory of its
/// parameter; others are copied.
///
/// Errors  DataError that begins with `source` and lists names that are missing or unexpected, or whose
///         tensors have the wrong shape, or integer instead of floating-point type or vice versa
std::vector<std::string> load_state_dict(torch::nn::Module& module, NamedTensors state,
                                         const std::string& source);

/// Number of numbers in all parameters of a module.
int64_t count_parameters(const torch::nn::Module& module);

} // namespace mneme::nn
