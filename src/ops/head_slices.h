// SPDX-License-Identifier: MIT

/// Cuts tensors [B, T, H, ...] into pieces [G, T, ...] of heads that share a window, small enough that what is
/// computed from them stays small beside the tensors.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "mneme/ops/window_means.h"
#include "ops/checks.h"

namespace mneme::ops {

/// Some heads of some batches: G = batches * heads.
struct HeadSlice {
  int64_t window;   ///< in tokens, >= 1; at most `tokens`
  bool sees_all;    ///< the window is 0, whatever the number of tokens
  at::Tensor decay; ///< [G]; undefined: none
  int64_t first_batch, batches;
  std::vector<int64_t> heads;

  at::Tensor take(const at::Tensor& from) const;         ///< [B, T, H, ...] -> [G, T, ...], or undefined
  at::Tensor take_batches(const at::Tensor& from) const; ///< [B, T] -> [G, T], or undefined
  void put(const at::Tensor& into, const at::Tensor& part) const; ///< the way back of take
};

/// Errors  UsageError for windows or decays that are negative, not finite, or fit no `heads`
void check_windows(const Checks& checks, const Windows& windows, int64_t heads);

/// Covers all of `like` [B, T, H, ...]; `tokens` >= T counts those of a state as well, `row` the numbers per token.
void for_each_slice(const at::Tensor& like, int64_t tokens, int64_t row, const Windows& windows,
                    const std::function<void(const HeadSlice&)>& body);

} // namespace mneme::ops
