// SPDX-License-Identifier: MIT

/// Groups of heads with equal windows: parts of tensors [B, T, H, ...], small enough that intermediates
/// computed from them stay small compared with the tensors.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "mneme/ops/window_means.h"
#include "ops/checks.h"

namespace mneme::ops {

/// Some heads of some consecutive batches; G = batches * heads.
struct HeadGroup {
  int64_t window;    ///< in tokens, >= 1, at most the number of tokens
  bool is_unlimited; ///< the requested window is 0: all tokens, however many follow
  at::Tensor decay;  ///< [G]; undefined: no decay
  int64_t first_batch, batches;
  std::vector<int64_t> heads;

  /// [B, T, H, ...] -> [G, T, ...]; an undefined tensor stays undefined.
  at::Tensor gather(const at::Tensor& from) const;
  /// [B, T] -> [G, T]; an undefined tensor stays undefined.
  at::Tensor expand_batches(const at::Tensor& from) const;
  /// Inverse of gather: copies `group` [G, T, ...] to its place in `into` [B, T, H, ...].
  void scatter(const at::Tensor& into, const at::Tensor& group) const;
};

/// Errors  UsageError if a window or a decay is negative or not finite, or their number is neither 1 nor
///         `heads`
void check_windows(const Checks& checks, const Windows& windows, int64_t heads);

/// Calls `body` for groups that cover all of `like` [B, T, H, ...]. `tokens` >= T also counts the tokens of a
/// recurrent state; `row` is the number of elements per token.
void for_each_head_group(const at::Tensor& like, int64_t tokens, int64_t row, const Windows& windows,
                         const std::function<void(const HeadGroup&)>& body);

} // namespace mneme::ops
