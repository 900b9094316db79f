// SPDX-License-Identifier: MIT

#include "mneme/nn/multi_head_attention.h"

#include <cmath>

#include <ATen/TensorOperators.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>

#include "nn/checks.h"
#include "nn/refuse.h"

namespace mneme::nn {
namespace {

constexpr const char* kName = "multi_head_attention";

void check_type(const char* name, const at::Tensor& tensor, const at::Tensor& query) {
  if (!at::isFloatingType(tensor.scalar_type()) || tensor.scalar_type() != query.scalar_type() ||
      tensor.device() != query.device()) {
    refuse(kName,
           c10::str(name, " is of type ", tensor.scalar_type(), " on ", tensor.device(),
                    " but query of type ", query.scalar_type(), " on ", query.device(), "."),
           "All three must have the same floating-point type and device.");
  }
}

} // namespace

MultiHeadAttention multi_head_attention(const at::Tensor& query, const at::Tensor& key,
                                        const at::Tensor& value, const MultiHeadAttentionOptions& options) {
  check_shape(kName, "query", query, {"batches", "heads", "positions", "features"},
              "Use unflatten to split features into heads.");
  check_shape(kName, "key", key, {query.size(0), query.size(1), "positions", query.size(3)},
              "Scores are dot products with each query of the same batch and head.");
  check_shape(kName, "value", value, {query.size(0), query.size(1), key.size(2), "features"},
              "Each key needs one value.");
  check_type("query", query, query);
  check_type("key", key, query);
  check_type("value", value, query);
  check_sizes(kName, {{"the number of keys", key.size(2)}, {"the number of features", key.size(3)}});
  const double beta = options.beta.value_or(1.0 / std::sqrt(static_cast<double>(key.size(3))));
  check_positive(kName, "beta", beta, "Leave it out to get 1 / sqrt(features).");
  MultiHeadAttention result;
  result.scores = at::matmul(query * beta, key.transpose(2, 3));
  result.weights = at::softmax(result.scores, -1);
  result.readout = at::matmul(result.weights, value);
  return result;
}

} // namespace mneme::nn
