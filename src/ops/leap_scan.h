// SPDX-License-Identifier: MIT

/// LEAP with the CPU kernels: forward, continuation of a sequence, and backward from right to left.
#pragma once

#include <array>

#include "ops/leap_pass.h"

namespace mneme::ops {

/// Whether the kernels support a call: sigmoid gates with the scale of the focus logits, the published
/// epsilon, and values of the size of keys, without decay.
bool has_scan(const LeapCall& call);
/// Whether the kernels support a call with a recurrent state: also, no window exceeds the limit for states.
bool has_scan_with_state(const LeapCall& call);

/// Intermediates saved by the forward pass for the backward pass: 4 numbers per token and head, and sums per
/// tile.
struct LeapTrace {
  at::Tensor tracks;  ///< [4, B, H, T]
  at::Tensor carries; ///< [B, H, n]
};

/// Writes readout [B, T, H, D], whose heads must be contiguous within a token. `trace` is optional.
void leap_scan(const LeapCall& given, const at::Tensor& readout, LeapTrace* trace);

/// leap_scan for the tokens after `state`; updates the state. The state has no tensors except `scan` and
/// `windows`.
void leap_scan_continue(const LeapCall& given, const at::Tensor& readout, LeapState& state);
/// LeapState::windows of a call, and the size of LeapState::scan per batch.
at::Tensor scan_windows(const LeapCall& call);
int64_t scan_state_size(const LeapCall& call);

/// Backward pass, in blocks of tokens from right to left.
class LeapScanBackward {
public:
  LeapScanBackward(const LeapCall& call, const at::Tensor& readout, const LeapTrace& trace,
                   const at::Tensor& d_readout);

  /// Writes the gradients of query, focus, key and value for the tokens from `begin` to the begin of the
  /// previous block: each [B, tokens, H, D], all with the same strides.
  ///
  /// begin  a multiple of kWindowScanTile
  void run(int64_t begin, const std::array<at::Tensor, 4>& d_rows);

private:
  LeapCall call_;
  at::Tensor readout_, d_readout_, state_;
  LeapTrace trace_;
  std::vector<int64_t> windows_;
  int64_t end_;
};

} // namespace mneme::ops
