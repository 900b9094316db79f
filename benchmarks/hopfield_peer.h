// SPDX-License-Identifier: MIT

/// Hopfield layer as a chain of attention calls of LibTorch, for comparison.
#pragma once

#include <torch/torch.h>

#include "mneme/nn/hopfield.h"

namespace mneme::benchmarks {

/// Converts the masks to those of scaled_dot_product_attention: true = attended, numbers are added to scores.
inline at::Tensor mask_for_sdpa(const nn::HopfieldMasks& masks) {
  if (masks.stored_pattern_padding_mask.defined()) {
    return masks.stored_pattern_padding_mask.logical_not().unsqueeze(1).unsqueeze(1);
  }
  const at::Tensor& mask = masks.association_mask;
  return mask.defined() && mask.scalar_type() == at::kBool ? mask.logical_not() : mask;
}

/// Output of `layer` with the stored patterns as the input of the pattern projection.
/// update(query, key, beta) returns the next query, read_out(query, key, value, beta) the last readout; all
/// [N, H, length, features of a head].
template <class Update, class ReadOut>
at::Tensor hopfield_by(const nn::Hopfield& layer, const at::Tensor& stored, const at::Tensor& state,
                       int64_t updates, const Update& update, const ReadOut& read_out) {
  nn::HopfieldCore core = layer->association_core;
  const int64_t heads = layer->options.num_heads();
  const auto weights = core->in_proj_weight.chunk(3), biases = core->in_proj_bias.chunk(3);
  const auto projected = [&](const at::Tensor& input, torch::nn::LayerNorm norm, size_t part) {
    return at::linear(norm->forward(input), weights[part], biases[part])
        .unflatten(-1, {heads, -1})
        .transpose(1, 2);
  };
  at::Tensor query = projected(state, layer->norm_state_pattern, 0);
  const at::Tensor key = projected(stored, layer->norm_stored_pattern, 1);
  const at::Tensor value = projected(stored, layer->norm_pattern_projection, 2);
  const double beta = layer->scaling().of(0);
  for (int64_t i = 0; i < updates; ++i) {
    query = update(query, key, beta);
  }
  return core->out_proj->forward(read_out(query, key, value, beta).transpose(1, 2).flatten(2));
}

/// `hopfield_by` with scaled_dot_product_attention.
inline at::Tensor hopfield_by_sdpa(const nn::Hopfield& layer, const at::Tensor& stored,
                                   const at::Tensor& state, int64_t updates, const at::Tensor& mask = {},
                                   double dropout = 0) {
  const auto optional = mask.defined() ? std::optional(mask) : std::nullopt;
  return hopfield_by(
      layer, stored, state, updates,
      [&](const at::Tensor& query, const at::Tensor& key, double beta) {
        return at::scaled_dot_product_attention(query, key, key, optional, 0, false, beta);
      },
      [&](const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, double beta) {
        return at::scaled_dot_product_attention(query, key, value, optional, dropout, false, beta);
      });
}

} // namespace mneme::benchmarks
