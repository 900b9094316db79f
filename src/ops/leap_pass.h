// SPDX-License-Identifier: MIT

/// LEAP in LibTorch: forward, continuation of a sequence, and backward, on any device and with any options.
/// Arguments are already checked.
#pragma once

#include <array>

#include <ATen/core/Tensor.h>

#include "mneme/ops/leap.h"
#include "ops/checks.h"

namespace mneme::ops {

/// Arguments of one call: tensors [B, T, H, D or V] in float32 or float64.
struct LeapCall {
  at::Tensor query, focus, key, value; ///< focus is multiplied by LeapOptions::logit_factor
  at::Tensor key_padding_mask;         ///< bool [B, T], true = ignored; or undefined
  Windows windows;
  FocusWeight weight;
  LeapGate gate;
  double scale, gate_scale, epsilon;
  bool joins_sequences = false; ///< the only window is the length of several sequences, one after the other
};

/// Checks the arguments and converts them to the type of the computation. Errors  UsageError, as leap
LeapCall leap_call(const Checks& checks, const at::Tensor& query, const at::Tensor& focus,
                   const at::Tensor& key, const at::Tensor& value, const LeapOptions& options);

/// Several sequences of at most a tile, [B, T, H, D], as one [1, B T, H, D] for the kernels, which then
/// compute whole tiles. Its readout is [1, B T, H, D] too.
bool has_short_sequences(const LeapCall& call);
LeapCall as_one_sequence(LeapCall call);

/// scale focus . key: [..., D] -> [...]
at::Tensor focus_logit(const at::Tensor& focus, const at::Tensor& key, double scale);

/// 1 / |row|; 0 for a row of zeros. [..., D] -> [..., 1]
at::Tensor inverse_length(const at::Tensor& rows);

/// The gate of every query position [..., 1], from its query and mean key [..., D].
at::Tensor gate_of(LeapGate kind, double scale, const at::Tensor& query, const at::Tensor& mean_key);

/// The readout [B, T, H, V].
at::Tensor leap_readout(const LeapCall& call);

/// The gradients of query, focus, key and value.
std::array<at::Tensor, 4> leap_gradient(const LeapCall& call, const at::Tensor& d_readout);

/// The readout of the tokens after `state`; updates the state. The state of position 0 has no tensors.
at::Tensor leap_readout_continue(const LeapCall& call, LeapState& state);

} // namespace mneme::ops
