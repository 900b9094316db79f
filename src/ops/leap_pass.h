// SPDX-License-Identifier: MIT

/// LEAP forward, continued and backward by LibTorch, on tensors that were checked: on any device, with any options.
#pragma once

#include <array>

#include <ATen/core/Tensor.h>

#include "mneme/ops/leap.h"
#include "ops/checks.h"

namespace mneme::ops {

/// One call: tensors [B, T, H, D or V], of float32 or float64.
struct LeapCall {
  at::Tensor query, focus, key, value; ///< focus: times LeapOptions::logit_factor
  at::Tensor is_token;                 ///< [B, T], or undefined
  Windows windows;
  FocusWeight weight;
  LeapGate gate;
  double scale, gate_scale, epsilon;
};

/// A call that was checked, in the type that it is computed in. Errors  UsageError, as leap
LeapCall leap_call(const Checks& checks, const at::Tensor& query, const at::Tensor& focus,
                   const at::Tensor& key, const at::Tensor& value, const LeapOptions& options);

/// [..., D] -> [...]
at::Tensor focus_logit(const at::Tensor& focus, const at::Tensor& key, double scale);

/// 1 / |row|; 0 for a row of zeros, which has no direction. [..., D] -> [..., 1]
at::Tensor inverse_length(const at::Tensor& rows);

/// The gate of every reader [..., 1], from its query and mean key [..., D].
at::Tensor gate_of(LeapGate kind, double scale, const at::Tensor& query, const at::Tensor& mean_key);

/// [B, T, H, V]
at::Tensor leap_readout(const LeapCall& call);

/// The gradients of query, focus, key and value.
std::array<at::Tensor, 4> leap_gradient(const LeapCall& call, const at::Tensor& d_readout);

/// The readout after `state`, which becomes the state after it. A state of position 0 holds no tensors.
at::Tensor leap_readout_after(const LeapCall& call, LeapState& state);

} // namespace mneme::ops
