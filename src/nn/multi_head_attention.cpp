// SPDX-License-Identifier: MIT

#include "mneme/nn/multi_head_attention.h"

#include <cmath>

#include <ATen/TensorOperators.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>

#include "mneme/core/error.h"

namespace mneme::nn {
namespace {

void check_pair(const char* name, const at::Tensor& tensor, const at::Tensor& query) {
  if (!tensor.defined() || tensor.dim() != 4) {
    throw UsageError(c10::str("mneme::nn::multi_head_attention: ", name, " has ",
                              tensor.defined() ? tensor.dim() : 0,
                              " dimensions, but must have 4: batch, head, position, feature."));
  }
  if (!at::isFloatingType(tensor.scalar_type()) || tensor.scalar_type() != query.scalar_type() ||
      tensor.device() != query.device()) {
    throw UsageError(c10::str("mneme::nn::multi_head_attention: ", name, " is of type ", tensor.scalar_type(),
                              " on ", tensor.device(), " but query of type ", query.scalar_type(), " on ",
                              query.device(),
                              ".\n  All three must have the same floating-point type and device."));
  }
}

void check_equal(const char* a, const at::Tensor& first, const char* b, const at::Tensor& second,
                 int64_t dimension, const char* what) {
  if (first.size(dimension) != second.size(dimension)) {
    throw UsageError(c10::str("mneme::nn::multi_head_attention: ", b, " has ", second.size(dimension), " ",
                              what, " (shape ", second.sizes(), ") but ", a, " has ", first.size(dimension),
                              " (shape ", first.sizes(), ")."));
  }
}

} // namespace

MultiHeadAttention multi_head_attention(const at::Tensor& query, const at::Tensor& key,
                                        const at::Tensor& value, const MultiHeadAttentionOptions& options) {
  check_pair("query", query, query);
  check_pair("key", key, query);
  check_pair("value", value, query);
  check_equal("query", query, "key", key, 0, "batches");
  check_equal("query", query, "value", value, 0, "batches");
  check_equal("query", query, "key", key, 1, "heads");
  check_equal("query", query, "value", value, 1, "heads");
  check_equal("query", query, "key", key, 3, "features");
  check_equal("key", key, "value", value, 2, "positions");
  if (key.size(2) == 0 || key.size(3) == 0) {
    throw UsageError(c10::str("mneme::nn::multi_head_attention: key has shape ", key.sizes(),
                              ", but must have at least one position and one feature."));
  }
  const double beta = options.beta.value_or(1.0 / std::sqrt(static_cast<double>(key.size(3))));
  if (!std::isfinite(beta) || beta <= 0) {
    throw UsageError(c10::str("mneme::nn::multi_head_attention: beta is ", beta,
                              ", but must be finite and > 0.\n  Leave it out to get 1 / sqrt(features)."));
  }
  MultiHeadAttention result;
  result.scores = at::matmul(query * beta, key.transpose(2, 3));
  result.weights = at::softmax(result.scores, -1);
  result.readout = at::matmul(result.weights, value);
  return result;
}

} // namespace mneme::nn
