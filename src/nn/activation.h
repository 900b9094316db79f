// SPDX-License-Identifier: MIT

/// Functions of single numbers that layers apply to their output, by their names in LibTorch.
#pragma once

#include <string>

#include <ATen/core/Tensor.h>

namespace mneme::nn {

using Activation = at::Tensor (*)(const at::Tensor&);

/// Errors  UsageError with the names there are; it begins with the name of the layer
Activation activation_named(const char* layer, const std::string& name);

} // namespace mneme::nn
