// SPDX-License-Identifier: MIT

/// Continuation of a sequence from a recurrent state: sums of heads without a window, and the last tokens for
/// heads with one.
#pragma once

#include <ATen/core/Tensor.h>

#include "ops/head_groups.h"

namespace mneme::ops {

/// Joins the sums of a state with the sums of new tokens. At every query position, in float64 [G, T]:
/// earlier_factor * earlier sums + new_factor * new sums = joint sums, times exp(-reference).
struct JoinedSums {
  at::Tensor earlier_factor, new_factor, reference;
};

/// earlier_reference [G], float64; reference [G, T], undefined for 0; decay [G], undefined for 0; `tokens`:
/// number of new tokens.
JoinedSums join_sums(const at::Tensor& earlier_reference, const at::Tensor& reference,
                     const at::Tensor& decay, int64_t tokens);

/// The last `earlier` tokens of `stored` (from a state), then the new tokens, for a group of heads:
/// [G, tokens, ...].
at::Tensor with_earlier(const HeadGroup& group, const at::Tensor& stored, const at::Tensor& added,
                        int64_t earlier);

/// The last `count` tokens [B, <= count, ...] of `earlier` (undefined: none), followed by `added`.
at::Tensor last_tokens(const at::Tensor& earlier, const at::Tensor& added, int64_t count);

} // namespace mneme::ops
