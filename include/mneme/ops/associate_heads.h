// SPDX-License-Identifier: MIT

/// Scaled dot-product attention of several heads over stored patterns, which are read and written where the
/// projections of a layer put them.
#pragma once

#include <ATen/core/Tensor.h>

namespace mneme::ops {

/// N, H, L and S are the sizes of the arguments of `associate_heads`.
struct AssociateHeadsOptions {
  /// Inverse temperature, finite.
  double beta = 1;
  /// bool [N, S]; true: all queries of this batch entry ignore the stored pattern. Undefined: none.
  at::Tensor key_padding_mask = {};
  /// [1, 1, L, S] or [N, H, L, S]; bool, true: ignored, or numbers of the type of the query, which are added
  /// to beta * scores. Undefined: none.
  at::Tensor attention_mask = {};
  /// As in AssociateOptions; the dropout mask depends on the seed and on the index in [N, H, L, S].
  double dropout = 0;
  int64_t dropout_seed = 0;
  /// Not null: receives the attention weights [N, H, L, S] before dropout, without gradient. Requires float32
  /// or float64 on a CPU, and memory for them.
  at::Tensor* weights = nullptr;
};

/// readout = dropout(softmax(beta * query . stored^T + mask)) . value, for each head.
///
/// Shapes  query [N, H, L, d], stored [N, H, S, d], value [N, H, S, e] -> [N, H, L, e]; N may be 1 in each of
///         them and is then broadcast without a copy; S, d >= 1. Best if the features of a row are
///         contiguous; other strides are arbitrary. The result has the memory layout of the query
/// Types   as `associate`. Differentiable once, in query, stored, value and an attention mask of numbers
/// Errors  UsageError as `associate`
/// Cost    as `associate`
at::Tensor associate_heads(const at::Tensor& query, const at::Tensor& stored, const at::Tensor& value,
                           const AssociateHeadsOptions& options = {});

} // namespace mneme::ops
