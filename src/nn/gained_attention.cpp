// SPDX-License-Identifier: MIT

#include "mneme/nn/gained_attention.h"

#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>

#include "mneme/core/error.h"

namespace mneme::nn {

GainedAttention gained_attention(const at::Tensor& input, const at::Tensor& patterns,
                                 const at::Tensor& gains) {
  for (const at::Tensor* tensor : {&input, &patterns, &gains}) {
    if (!tensor->defined() || !at::isFloatingType(tensor->scalar_type())) {
      throw UsageError(
          "mneme::nn::gained_attention: input, patterns and gains must be floating-point tensors.");
    }
    if (tensor->scalar_type() != input.scalar_type() || tensor->device() != input.device()) {
      throw UsageError(c10::str("mneme::nn::gained_attention: input is of type ", input.scalar_type(), " on ",
                                input.device(), ", but another argument is of type ", tensor->scalar_type(),
                                " on ", tensor->device(), ".\n  Convert one of them."));
    }
  }
  if (input.dim() != 1 || patterns.dim() != 2 || patterns.size(1) != input.size(0) || input.size(0) < 1) {
    throw UsageError(
        c10::str("mneme::nn::gained_attention: input has shape ", input.sizes(), " and patterns have ",
                 patterns.sizes(),
                 ", but must have [T] and [K, T]: each pattern has one attention score for every "
                 "position of the input."));
  }
  if (gains.dim() < 1 || gains.dim() > 2 || gains.size(-1) != patterns.size(0) || patterns.size(0) < 1) {
    throw UsageError(c10::str("mneme::nn::gained_attention: gains have shape ", gains.sizes(),
                              ", but must have [K] or [N, K]: one gain for each of the ", patterns.size(0),
                              " patterns."));
  }
  const at::Tensor weights = at::softmax(at::matmul(gains, patterns), -1);
  return {weights, at::matmul(weights, input)};
}

} // namespace mneme::nn
