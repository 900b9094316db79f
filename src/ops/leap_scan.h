// SPDX-License-Identifier: MIT

/// LEAP by its kernels, on the CPU: the calls they know, forward, continued, and backward from right to left.
#pragma once

#include <array>

#include "ops/leap_pass.h"

namespace mneme::ops {

/// Whether the kernels know the options of a call; they know sigmoid gates of the scale of the logits, the published
/// epsilon, and values as large as keys, without decay.
bool has_scan(const LeapCall& call);
/// The same for a call that begins or goes on with a state: no window may be larger than a state should be.
bool has_scan_with_state(const LeapCall& call);

/// What a scan tells about itself for the way back: 4 numbers per token and head, and the sums at every tile.
struct LeapTrace {
  at::Tensor tracks;  ///< [4, B, H, T]
  at::Tensor carries; ///< [B, H, n]
};

/// Fills readout [B, T, H, D], of any strides with whole heads side by side.
void leap_scan(const LeapCall& given, const at::Tensor& readout, LeapTrace* trace);

/// The same after a state, which becomes that after these tokens; it holds a scan and nothing else.
void leap_scan_after(const LeapCall& given, const at::Tensor& readout, LeapState& state);
/// LeapState::windows of a call, and the numbers per batch of LeapState::scan.
at::Tensor scan_windows(const LeapCall& call);
int64_t scan_state_size(const LeapCall& call);

/// The way back, in pieces from right to left.
class LeapScanBack {
public:
  LeapScanBack(const LeapCall& call, const at::Tensor& readout, const LeapTrace& trace,
               const at::Tensor& d_readout);

  /// The gradients of query, focus, key and value of the tokens from `begin` to where the last piece began: each
  /// [B, tokens, H, D], all of the same strides.
  ///
  /// begin  a multiple of kWindowScanTile
  void take(int64_t begin, const std::array<at::Tensor, 4>& d_rows);

private:
  LeapCall call_;
  at::Tensor readout_, d_readout_, memory_;
  LeapTrace trace_;
  std::vector<int64_t> windows_;
  int64_t end_;
};

} // namespace mneme::ops
