// SPDX-License-Identifier: MIT

/// Queries, keys and values of the attention layers of a model, layer by layer while it runs, so that
/// those of all layers need not be kept.
#pragma once

#include <cstdint>
#include <functional>

#include <ATen/core/Tensor.h>

namespace mneme::nn {

/// Inputs of the softmax of one attention layer, for a batch of texts: the readout of query t is
/// sum over j of softmax_j(scale query_t . key_j) value_j.
struct AttentionView {
  int64_t layer = 0;
  at::Tensor query; ///< [B, num_heads, T, head_size]
  at::Tensor key;   ///< [B, num_heads, S, head_size]; S > T if earlier keys come from a cache
  at::Tensor value; ///< [B, num_heads, S, head_size]
  double scale = 1; ///< factor of the dot products
  bool causal = true;
  at::Tensor key_padding_mask = {}; ///< bool [B, S], true = ignored; undefined: no key is ignored

  /// The inputs of the softmax of the queries [first, end): [B, num_heads, end - first, S], -infinity for
  /// keys that are ignored.
  at::Tensor scores(int64_t first, int64_t end) const;
};

using AttentionObserver = std::function<void(const AttentionView&)>;

/// Returns the readout of a layer, [B, num_heads, T, head_size], in place of its own, such as that of
/// attention weights in which some heads are replaced; an undefined tensor: the layer computes its own.
using AttentionReadout = std::function<at::Tensor(const AttentionView&)>;

} // namespace mneme::nn
