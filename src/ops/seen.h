// SPDX-License-Identifier: MIT

/// Which stored patterns queries see: padding and masks of a call, checked, and as the kernels take them.
#pragma once

#include <ATen/core/Tensor.h>

#include "kernels/score_mask.h"
#include "ops/checks.h"

namespace mneme::ops {

/// Queries [B, Q, ..] and stored patterns [B, S, ..]; B may be 1 on either side.
class Seen {
public:
  Seen() = default; ///< everything
  /// missing [M, S] and mask [Q, S] or [M, Q, S], as AssociateOptions has them. Errors  UsageError
  Seen(const Checks& checks, const at::Tensor& missing, const at::Tensor& mask, const Checks::Named& query,
       const Checks::Named& stored, int64_t batches);

  /// What an earlier one had checked.
  Seen(at::Tensor missing, at::Tensor mask) : missing_(std::move(missing)), mask_(std::move(mask)) {}

  bool everything() const { return !missing_.defined() && !mask_.defined(); }
  const at::Tensor& missing() const { return missing_; }
  const at::Tensor& mask() const { return mask_; }

  /// For the queries of one batch of `batches`.
  template <class T> kernels::ScoreMask<T> of(int64_t batch, int64_t batches) const;

  /// softmax(scores [B, Q, S], masked) in plain LibTorch; a row that sees nothing is 0, and no gradient passes it.
  at::Tensor softmax(const at::Tensor& scores) const;

private:
  at::Tensor missing_; ///< bool [M, S], S contiguous
  at::Tensor mask_;    ///< bool or of the queries' type, [M, Q, S], S contiguous
};

} // namespace mneme::ops
