// SPDX-License-Identifier: MIT

/// Scaled dot-product attention over stored patterns, differentiable: one update of a modern Hopfield
/// network.
///
/// All functions of `ops`: batch first, row-major, features last; no argument is modified in place.
#pragma once

#include <optional>

#include <ATen/core/Tensor.h>

namespace mneme::ops {

/// Inverse temperature, masks and dropout of `associate`. B, Q, S and D are the sizes of its arguments.
struct AssociateOptions {
  /// Inverse temperature: the factor of the dot products, called `scale` in scaled_dot_product_attention.
  /// Finite and > 0, no unit. Default: 1 / sqrt(D).
  std::optional<double> beta = {};
  /// Inverse temperature as a tensor [1], or [B] with one value per batch (for example per head); finite, of
  /// any sign. Differentiable, so that it can be learned. Set either this or `beta`. Default: undefined.
  at::Tensor beta_tensor = {};
  /// bool or uint8 [M, S]; true: all queries ignore this stored pattern, as in torch.nn.MultiheadAttention.
  /// M divides B: each row of the mask serves B / M consecutive batches (for example all heads of a
  /// sequence). Ignored patterns may hold NaN on the streaming path (see Cost). Default: undefined, nothing
  /// is ignored.
  at::Tensor key_padding_mask = {};
  /// Mask of pairs, [Q, S] or [M, Q, S], with M as above; may be an expanded view. Either bool or uint8;
  /// true: the query ignores this stored pattern (the opposite of scaled_dot_product_attention, where true
  /// means that it takes part). Or numbers of the type of the query, which are added to beta * scores;
  /// -infinity: ignored. Default: undefined, nothing is ignored.
  at::Tensor attention_mask = {};
  /// Probability that an attention weight is set to 0, in [0, 1]. The weights that are kept are multiplied by
  /// 1 / (1 - dropout). Default: 0, no dropout.
  double dropout = 0;
  /// Seed of the dropout mask. Whether a weight is dropped depends only on the seed and on its indices
  /// (batch, query, stored pattern). The mask itself: association_dropout.h. Default: 0.
  int64_t dropout_seed = 0;
};

/// readout = dropout(softmax(beta * query . stored^T + mask)) . value
///
/// Attention with the stored patterns as keys. Without masks and dropout, this is
///
///     at::Tensor scores = beta * at::matmul(query, stored.transpose(1, 2)); // [B, Q, S]
///     at::Tensor readout = at::matmul(at::softmax(scores, -1), value);      // [B, Q, V]
///
/// The score of an ignored pair is -infinity. A query that ignores all stored patterns has the readout 0, not
/// NaN, and no gradient passes through it.
///
/// Shapes  query [B, Q, D], stored [B, S, D], value [B, S, V] -> [B, Q, V]; B may be 1 in any of the three,
///         which is then broadcast; D, S >= 1
/// Types   float32, float64, float16, bfloat16, the same for all, on any device; value also uint8: pixels,
///         which count as byte / 255. Differentiable once, in query, stored, value (not in bytes),
///         beta_tensor and an attention mask of numbers
/// Errors  UsageError if a tensor is undefined or not of real floating point; if shapes, types or devices
///         disagree; if there is no stored pattern or no feature; if `beta` is not finite or <= 0; if
///         `beta_tensor` is not finite (checked on the CPU only); if `dropout` is not in [0, 1]; in backward,
///         if a second derivative is requested (create_graph)
/// Cost    O(B Q S (D + V)) time. Streaming path, for float32 and float64 on a CPU: the weights [B, Q, S] are
///         never stored, neither in forward nor in backward; O(B Q V) extra memory, at most 16 times the
///         readout or a gradient. Tiles in which every pair is ignored are skipped: a causal mask halves the
///         time. The readout does not depend on the number of threads.
///         Other types and devices: cost of LibTorch's scaled_dot_product_attention; with dropout, O(B Q S)
///         memory. An attention mask that requires a gradient: O(B Q S) memory, on the CPU as well
/// Also    torch.ops.mneme.associate(query, stored, value, beta, key_padding_mask=None, attention_mask=None,
///         dropout=0, dropout_seed=0)
/// Source  Ramsauer et al. 2020, "Hopfield Networks is All You Need", update rule (eq. 3) with separate
///         values
at::Tensor associate(const at::Tensor& query, const at::Tensor& stored, const at::Tensor& value,
                     const AssociateOptions& options = {});

} // namespace mneme::ops
