// SPDX-License-Identifier: MIT

/// Attention over a large bag whose rows pass a layer norm first, differentiable.
#pragma once

#include <memory>

#include <ATen/core/Tensor.h>

#include "mneme/core/row_source.h"

namespace mneme::ops {

/// readout = softmax(query . y^T) . y, with y = (rows - mean) / sqrt(variance + epsilon), the layer norm of
/// the rows over their features, without affine parameters.
///
/// Keys and values that are linear in y need no copy of the bag: softmax(q . (K y)^T) . (V y) is V times this
/// readout for the query K^T q. The rows are read once; neither normalised nor projected rows are stored.
///
/// Shapes  query [B, Q, E], already multiplied by beta; rows [B, N, E] -> [B, Q, E]; B of the query may be 1;
///         E >= 1. key_padding_mask bool [B, N]; true: the row is ignored. Without rows the readout is 0
/// Types   float32, float64, float16, bfloat16, the same for both, on any device. Differentiable once
/// Errors  UsageError if a tensor is undefined or not of real floating point, if shapes, types or devices
///         disagree, if there is no feature, or if epsilon is not finite or <= 0; in backward, if a second
///         derivative is requested (create_graph)
/// Cost    O(B N Q E) time. float32 and float64 on a CPU: no extra memory that grows with N E, and neither
///         the readout nor the gradients depend on the number of threads. Meant for few queries
at::Tensor associate_normed(const at::Tensor& query, const at::Tensor& rows, double epsilon,
                            const at::Tensor& key_padding_mask = {});

/// associate_normed for one bag that is read in chunks, for example from a file: once in forward and once in
/// backward.
///
/// Shapes  query [1, Q, E]; rows of E features -> [1, Q, E]
/// Types   float32, float64 on a CPU. Differentiable once, in the query
/// Errors  UsageError if the query is undefined, if `rows` is null, or if their sizes disagree; every
///         exception of `rows`
/// Cost    O(N Q E) time; 4096 rows in memory per thread, and 3 Q E numbers for every 4096 rows
at::Tensor associate_normed(const at::Tensor& query, const std::shared_ptr<const RowSource>& rows,
                            double epsilon);

} // namespace mneme::ops
