// SPDX-License-Identifier: MIT

/// Dropout mask of ops::associate, for code that stores the attention weights.
#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace mneme::ops {

/// Factors of the attention weights under dropout: 0 with probability p, else 1 / (1 - p). For equal p and
/// seed, `association * association_dropout(association, p, seed)` drops the same weights as ops::associate.
///
/// Shapes  association [..., Q, S] -> the same shape, type and device
/// Units   p in [0, 1]. The factor at an index depends on p, the seed and the index alone
/// Errors  UsageError if p is not in [0, 1], or if association has fewer than two dimensions
at::Tensor association_dropout(const at::Tensor& association, double p, int64_t seed);

} // namespace mneme::ops
