// SPDX-License-Identifier: MIT

/// Element-wise activation functions by their LibTorch names.
#pragma once

#include <string>

#include <ATen/core/Tensor.h>

namespace mneme::nn {

using Activation = at::Tensor (*)(const at::Tensor&);

/// `layer` is the name that the error message begins with.
///
/// Errors  UsageError for an unknown name, with the list of known names
Activation activation_named(const char* layer, const std::string& name);

/// Whether a known activation is `torch.NAME` in Python; the others are in torch.nn.functional only.
bool is_in_torch(const std::string& name);

} // namespace mneme::nn
