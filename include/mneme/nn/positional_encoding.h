// SPDX-License-Identifier: MIT

/// Fixed sinusoidal positional encoding.
#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace mneme::nn {

/// Formula  position p, features 2i and 2i + 1: sin(p w), cos(p w) with w = 10000^(-2i / size), size rounded
///          up to even
/// Shapes   -> [length, size], float64
/// Errors   UsageError if length or size is below 1
/// Source   Vaswani et al. 2017, section 3.5
at::Tensor sinusoidal_positions(int64_t length, int64_t size);

} // namespace mneme::nn
