// SPDX-License-Identifier: MIT

/// The dropout of ops::associate, for those who keep the association.
#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace mneme::ops {

/// What dropout multiplies every weight of an association with: 0, or 1 / (1 - share).
///
/// Shapes  association [..., Q, S] -> the same shape, type and device
/// Units   share in [0, 1] is dropped. The number at a place depends on the seed and on that place alone
/// Errors  UsageError if the share is no share, or the association has less than two dimensions
at::Tensor association_dropout(const at::Tensor& association, double share, int64_t seed);

} // namespace mneme::ops
