// SPDX-License-Identifier: MIT

/// Softmax attention on the CPU by the cheaper of its implementations, differentiable.
#pragma once

#include <ATen/core/Tensor.h>

#include "kernels/philox_dropout.h"
#include "ops/attention_masks.h"

namespace mneme::ops {

/// `associate_heads` for checked arguments: float32 or float64 on a CPU, none of them empty; the masks need
/// no gradient.
at::Tensor head_attention(const at::Tensor& query, const at::Tensor& stored, const at::Tensor& value,
                          double beta, const AttentionMasks& masks, const kernels::PhiloxDropout& dropout,
                          at::Tensor* weights = nullptr);

} // namespace mneme::ops
