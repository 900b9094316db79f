// SPDX-License-Identifier: MIT

/// Comparison of the tensors of a case file.
#pragma once

#include <string>

#include "mneme/nn/tensor_file.h"
#include "verify/checker.h"

namespace mneme::verify {

/// The tensors whose names begin with `prefix`, under their names without it.
nn::NamedTensors with_prefix(const nn::NamedTensors& tensors, const std::string& prefix);

/// Compares all elements, with an allowed absolute error of `allowed`; reports the one with the largest
/// error.
void expect_tensor(Checker& checker, const std::string& name, const at::Tensor& expected,
                   const at::Tensor& actual, double allowed);

/// Maximum absolute value; 0 for an empty tensor.
double max_abs(const at::Tensor& tensor);

} // namespace mneme::verify
