// SPDX-License-Identifier: MIT

/// LEAP by its formulas, as a reference: a dense matrix over all pairs of tokens, differentiable by autograd.
#pragma once

#include <torch/torch.h>

#include "mneme/ops/leap.h"

namespace mneme::ops {

/// exp(-decay (i - j)) where token j is in the window of query position i, else 0: [H, T, T]
inline at::Tensor plain_window(const Windows& windows, int64_t heads, int64_t tokens,
                               bool both_sides = false) {
  std::vector<at::Tensor> of_heads;
  for (int64_t h = 0; h < heads; ++h) {
    const auto of_head = [&](const auto& values) {
      return values[values.size() == 1 ? 0 : static_cast<size_t>(h)];
    };
    const int64_t window = of_head(windows.tokens);
    at::Tensor distance = at::arange(tokens).unsqueeze(1) - at::arange(tokens);
    distance = both_sides ? distance.abs() : distance;
    const at::Tensor in_window = (distance >= 0) & (distance < (window == 0 ? tokens : window));
    of_heads.push_back(at::where(in_window, (-of_head(windows.decay) * distance.to(at::kDouble)).exp(), 0.0));
  }
  return at::stack(of_heads);
}

/// Weights of tokens in the window mean of every query position [B, H, T, T], from logits [B, T, H].
inline at::Tensor plain_mean_weights(const at::Tensor& logit, const WindowMeansOptions& options) {
  const at::Tensor l = logit.transpose(1, 2).unsqueeze(2); // [B, H, 1, T]
  const at::Tensor window = plain_window(options.windows, logit.size(2), logit.size(1), options.both_sides);
  at::Tensor factor = window.unsqueeze(0).expand({logit.size(0), -1, -1, -1});
  if (options.key_padding_mask.defined()) {
    factor = factor * options.key_padding_mask.logical_not().unsqueeze(1).unsqueeze(2);
  }
  if (options.weight == FocusWeight::elu) {
    // elu(l) + 1 would lose digits.
    const at::Tensor weights = at::where(l > 0, l + 1, l.clamp_max(0).exp()) * factor;
    return weights / (weights.sum(-1, true) + options.epsilon);
  }
  const at::Tensor max =
      at::where(factor > 0, l.detach().expand_as(factor), -1e300).amax(-1, true).clamp_min(-1e300);
  const at::Tensor weights = at::where(factor > 0, (l - max).clamp_max(0), -1e300).exp() * factor;
  const at::Tensor total = weights.sum(-1, true);
  return weights / at::where(total > 0, total + options.epsilon * (-max).exp(), 1.0);
}

/// Means of rows [B, T, H, ...], weighted by mean_weights [B, H, T, T].
inline at::Tensor plain_means(const at::Tensor& mean_weights, const at::Tensor& rows) {
  return at::matmul(mean_weights, rows.transpose(1, 2)).transpose(1, 2);
}

inline at::Tensor plain_leap(const at::Tensor& query, const at::Tensor& focus, const at::Tensor& key,
                             const at::Tensor& value, const LeapOptions& options = {}) {
  const double scale = options.scale.value_or(1 / std::sqrt(static_cast<double>(query.size(3))));
  at::Tensor logit = scale * (focus * key).sum(-1);
  if (options.logit_factor.defined()) {
    logit = logit * options.logit_factor;
  }
  const at::Tensor mean_weights = plain_mean_weights(logit, {.weight = options.weight,
                                                             .windows = options.windows,
                                                             .epsilon = options.epsilon,
                                                             .both_sides = options.both_sides,
                                                             .key_padding_mask = options.key_padding_mask});
  const at::Tensor mean_key = plain_means(mean_weights, key), dot = (query * mean_key).sum(-1, true);
  const double gate_scale = options.gate_scale.value_or(options.gate == LeapGate::cosine ? 10 : scale);
  at::Tensor gate;
  switch (options.gate) {
  case LeapGate::sigmoid:
    gate = (gate_scale * dot).sigmoid();
    break;
  case LeapGate::cosine:
    gate = (gate_scale * dot / (query.norm(2, -1, true) * mean_key.norm(2, -1, true))).sigmoid();
    break;
  case LeapGate::dot_product:
    gate = gate_scale * dot;
    break;
  case LeapGate::open:
    gate = at::ones_like(dot);
  }
  return gate * plain_means(mean_weights, value);
}

} // namespace mneme::ops
