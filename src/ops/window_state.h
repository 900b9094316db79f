// SPDX-License-Identifier: MIT

/// How a sequence goes on after a state: sums that see all tokens, and the last tokens for windows.
#pragma once

#include <ATen/core/Tensor.h>

#include "ops/head_slices.h"

namespace mneme::ops {

/// Factors [G, T], in float64, of the sums so far and of those of a piece alone, that make the sums of both at every
/// reader of the piece, times exp(-reference).
struct JoinedSums {
  at::Tensor of_earlier, of_piece, reference;
};

/// earlier_reference [G], float64; reference [G, T], undefined for 0; decay [G], undefined for 0.
JoinedSums join_sums(const at::Tensor& earlier_reference, const at::Tensor& reference,
                     const at::Tensor& decay, int64_t tokens);

/// A slice's tokens of a piece, behind the last `earlier` that a state remembers.
at::Tensor with_earlier(const HeadSlice& slice, const at::Tensor& remembered, const at::Tensor& piece,
                        int64_t earlier);

/// The last `count` tokens [B, <= count, ...] of those of a state, if any, and a piece.
at::Tensor last_tokens(const at::Tensor& earlier, const at::Tensor& piece, int64_t count);

} // namespace mneme::ops
