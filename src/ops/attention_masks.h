// SPDX-License-Identifier: MIT

/// Key padding mask and attention mask of a call: checked, and in the layout that the kernels read.
#pragma once

#include <ATen/core/Tensor.h>

#include "kernels/score_mask.h"
#include "ops/checks.h"

namespace mneme::ops {

/// Masks for queries [B, Q, ..] and stored patterns [B, S, ..]; B may be 1 on either side.
class AttentionMasks {
public:
  AttentionMasks() = default; ///< no masks
  /// key_padding_mask [M, S] and attention_mask [Q, S] or [M, Q, S] as in AssociateOptions; either may be
  /// undefined. Errors  UsageError
  AttentionMasks(const Checks& checks, const at::Tensor& key_padding_mask, const at::Tensor& attention_mask,
                 const Checks::Named& query, const Checks::Named& stored, int64_t batches);

  /// From the masks of an earlier, checked object.
  AttentionMasks(at::Tensor key_padding_mask, at::Tensor attention_mask)
      : key_padding_mask_(std::move(key_padding_mask)), attention_mask_(std::move(attention_mask)) {}

  bool empty() const { return !key_padding_mask_.defined() && !attention_mask_.defined(); }
  const at::Tensor& key_padding_mask() const { return key_padding_mask_; }
  const at::Tensor& attention_mask() const { return attention_mask_; }

  /// Masks of one batch of `batches`.
  template <class T> kernels::ScoreMask<T> of_batch(int64_t batch, int64_t batches) const;

  /// AttentionShape::attended, from some of the rows of the attention mask.
  double attended() const;

  /// softmax(scores [B, Q, S], masked) in plain LibTorch. Rows in which all scores are masked are 0, and no
  /// gradient passes through them.
  at::Tensor softmax(const at::Tensor& scores) const;

private:
  at::Tensor key_padding_mask_; ///< bool [M, S], S contiguous
  at::Tensor attention_mask_;   ///< bool or of the type of the queries, [M, Q, S], S contiguous
};

} // namespace mneme::ops
