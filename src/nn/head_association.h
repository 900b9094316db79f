// SPDX-License-Identifier: MIT

/// Association step of several heads, after updates of the state.
#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "mneme/nn/per_head.h"
#include "mneme/ops/separate.h"

namespace mneme::nn {

/// N batch, H heads, L queries, S stored patterns. Tensors may be expanded (stride 0), and N of query, stored
/// and value may be 1.
struct HeadAssociationArgs {
  const char* layer;        ///< name of the layer, for error messages
  int64_t batch;            ///< N
  at::Tensor query;         ///< [N, H, L, d]
  at::Tensor stored, value; ///< [N, H, S, d], [N, H, S, e]
  double beta = 1;          ///< inverse temperature of all heads
  /// [1, 1 or H, 1, 1 or d]: factors of an updated state besides beta, as the query has been multiplied by
  /// those of the initial state; undefined: none.
  at::Tensor update_scale = {};
  /// bool [1, H, 1, 1], heads with infinite beta, in which only the best match gets weight; undefined: none.
  at::Tensor hardmax_heads = {};
  /// Key padding mask, bool [N, S], true: ignored; undefined: none.
  at::Tensor key_padding_mask = {};
  /// [1, 1, L, S] or [N, H, L, S]: bool, true: ignored; or numbers added to the scores. Undefined: none.
  at::Tensor attention_mask = {};
  PerHead<int64_t> update_steps_max = 0; ///< negative: update until convergence
  PerHead<double> update_steps_eps = 0;  ///< a head has converged once its association changes by no more
  ops::Separation separation = ops::Separation::softmax;
  double dropout = 0;           ///< dropout probability of the last association
  at::Generator generator = {}; ///< for dropout; undefined: LibTorch's default generator
  bool need_weights = false;
  bool streaming = true; ///< false: never use the streaming op
};

struct HeadAssociation {
  at::Tensor readout;                    ///< [N, H, L, e]
  at::Tensor association, after_dropout; ///< [N, H, L, S], before and after dropout; undefined if streamed
  std::vector<int64_t> updates;          ///< [H]
  /// For every update, [H]: the change of each head's association; for the streaming path see
  /// HopfieldCoreResult.
  std::vector<std::vector<double>> changes;
};

/// Errors  UsageError if a head has not converged after 10 000 updates
HeadAssociation associate_heads(const HeadAssociationArgs& args);

} // namespace mneme::nn
