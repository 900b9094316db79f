// SPDX-License-Identifier: MIT

/// The association step of several heads at once, with updates of the state before it.
#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "mneme/nn/per_head.h"
#include "mneme/ops/separate.h"

namespace mneme::nn {

/// N batch, H heads, L queries, S stored patterns; all may be expanded.
struct HeadAssociationArgs {
  const char* layer;         ///< for messages
  at::Tensor query;          ///< [N, H, L, d], scaled by beta
  at::Tensor stored, value;  ///< [N, H, S, d], [N, H, S, e]
  at::Tensor update_scale;   ///< [1, 1 or H, 1, 1 or d]: beta for an updated state
  at::Tensor only_best = {}; ///< bool [1, H, 1, 1]: heads with infinite beta; undefined: none
  at::Tensor missing = {};   ///< bool [N, S]: patterns that no state sees; undefined: none
  at::Tensor mask =
      {}; ///< [1, 1, L, S] or [N, H, L, S], bool: not seen, or added to the scores; undefined: none
  PerHead<int64_t> update_steps_max = 0; ///< negative: until convergence
  PerHead<double> update_steps_eps = 0;
  ops::Separation separation = ops::Separation::softmax;
  double dropout = 0;           ///< of the last association; 0 while not training
  at::Generator generator = {}; ///< for it; undefined: the default one
  bool need_weights = false;
  bool streaming = true; ///< allowed
};

struct HeadAssociation {
  at::Tensor readout;              ///< [N, H, L, e]
  at::Tensor association, dropped; ///< [N, H, L, S] before and after dropout; undefined where streamed
  std::vector<int64_t> updates;    ///< per head
  std::vector<std::vector<double>> changes; ///< per update, per head; streamed: see HopfieldCoreResult
};

/// Errors  UsageError where a head has not converged after 10 000 updates
HeadAssociation associate_heads(const HeadAssociationArgs& args);

} // namespace mneme::nn
