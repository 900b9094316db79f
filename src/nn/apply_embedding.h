// SPDX-License-Identifier: MIT

/// Forward pass of torch::nn::Embedding, whose weight may be an int8 matrix.
#pragma once

#include <torch/nn/modules/embedding.h>

#include "mneme/ops/int8_matrix.h"

namespace mneme::nn {

/// As embedding.forward(ids).
inline at::Tensor apply_embedding(torch::nn::EmbeddingImpl& embedding, const at::Tensor& ids) {
  return ops::is_int8_matrix(embedding.weight) ? ops::int8_matrix_rows(embedding.weight, ids)
                                               : embedding.forward(ids);
}

} // namespace mneme::nn
