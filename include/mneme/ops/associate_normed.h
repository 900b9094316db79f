// SPDX-License-Identifier: MIT

/// Association with a large bag whose rows go through a layer norm on the way, differentiable.
#pragma once

#include <memory>

#include <ATen/core/Tensor.h>

#include "mneme/core/row_source.h"

namespace mneme::ops {

/// readout = softmax(query . y^T) . y, where y = (rows - their mean) / sqrt(their variance + epsilon), over features.
///
/// Everything that is linear in y can be folded around it: softmax(q . (K y)^T) . (V y) is V times this readout for the
/// query K^T q. So a bag is read once, and neither a normalised nor a projected copy of it exists.
///
/// Shapes  query [B, Q, E], times beta; rows [B, N, E] -> [B, Q, E]; B of the query may be 1; E >= 1. missing [B, N]:
///         true for a row that is not there. No rows: readout 0
/// Types   float32, float64, float16, bfloat16, the same for both, on any device. Differentiable once
/// Errors  UsageError if a tensor is undefined or not of real floating point, if shapes, types or devices
///         disagree, if there is no feature, or if epsilon is not > 0; in backward, if a second derivative is asked for
/// Cost    O(B N Q E) time. float32 and float64 on a CPU: no extra memory that grows with N E. Meant for few queries.
///         Neither readout nor gradients depend on the number of threads there
at::Tensor associate_normed(const at::Tensor& query, const at::Tensor& rows, double epsilon,
                            const at::Tensor& missing = {});

/// The same for one bag that is read piece by piece, from a file for example: once forward, and once more backward.
///
/// Shapes  query [1, Q, E]; rows of E features -> [1, Q, E]
/// Types   float32, float64 on a CPU. Differentiable once, in the query
/// Errors  UsageError if query or rows are missing or do not fit; whatever `rows` throws
/// Cost    O(N Q E) time; 4096 rows in memory per thread, and 3 Q E numbers for every 4096 rows
at::Tensor associate_normed(const at::Tensor& query, const std::shared_ptr<const RowSource>& rows,
                            double epsilon);

} // namespace mneme::ops
