// SPDX-License-Identifier: MIT

/// How the tensors of a case file are compared.
#pragma once

#include <string>

#include "mneme/nn/tensor_file.h"
#include "verify/checker.h"

namespace mneme::verify {

/// The tensors whose names begin with `prefix`, without it.
nn::NamedTensors under(const nn::NamedTensors& tensors, const std::string& prefix);

/// Every element, within `allowed`; the one that is furthest off stands for the tensor.
void expect_tensor(Checker& checker, const std::string& name, const at::Tensor& expected,
                   const at::Tensor& actual, double allowed);

/// The largest absolute value; 0 where there is none.
double largest_of(const at::Tensor& tensor);

} // namespace mneme::verify
