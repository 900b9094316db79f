// SPDX-License-Identifier: MIT

#include "mneme/nn/gained_attention.h"

#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>

#include "nn/checks.h"
#include "nn/refuse.h"

namespace mneme::nn {

GainedAttention gained_attention(const at::Tensor& input, const at::Tensor& patterns,
                                 const at::Tensor& gains) {
  constexpr const char* kName = "gained_attention";
  check_shape(kName, "input", input, {"T"}, "It has one number per position.");
  check_shape(kName, "patterns", patterns, {"K", input.size(0)},
              "Each pattern has one attention score for every position of the input.");
  constexpr const char* kGains = "Give one gain for each pattern; several lists of gains are rows.";
  gains.defined() && gains.dim() == 2 ? check_shape(kName, "gains", gains, {"N", patterns.size(0)}, kGains)
                                      : check_shape(kName, "gains", gains, {patterns.size(0)}, kGains);
  check_sizes(kName,
              {{"the number of positions", input.size(0)}, {"the number of patterns", patterns.size(0)}});
  for (const at::Tensor* tensor : {&input, &patterns, &gains}) {
    if (!at::isFloatingType(tensor->scalar_type()) || tensor->scalar_type() != input.scalar_type() ||
        tensor->device() != input.device()) {
      refuse(kName,
             c10::str("input is of type ", input.scalar_type(), " on ", input.device(),
                      ", and another argument of type ", tensor->scalar_type(), " on ", tensor->device(),
                      "."),
             "All three must have the same floating-point type and device.");
    }
  }
  const at::Tensor weights = at::softmax(at::matmul(gains, patterns), -1);
  return {weights, at::matmul(weights, input)};
}

} // namespace mneme::nn
