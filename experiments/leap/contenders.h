// SPDX-License-Identifier: MIT

/// Sequence mixing operations for timing comparisons, with the published width of 8 heads of 64 features.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "mneme/core/torch_function.h"

namespace mneme::experiments {

constexpr int64_t kContenderHeads = 8, kContenderHeadSize = 64;

/// Operation to be timed: on queries, keys, values (and focus), or on tokens with their projection.
enum class Contender {
  leap,                  ///< mneme::ops::leap
  original_leap,         ///< LEAP by differences of prefix sums, in plain LibTorch
  attention,             ///< LibTorch's scaled_dot_product_attention, causal
  projection,            ///< LEAP's projection alone, 512 -> 2048
  leap_layer,            ///< MultiheadLeap without dropout
  leap_layer_dropout,    ///< MultiheadLeap in training, with dropout 0.1
  original_leap_dropout, ///< projection, dropout 0.1 and original_leap in plain LibTorch
  attention_layer,       ///< projection 512 -> 1536, then attention
};

/// Returns a function that runs the operation on one random sequence in float32, with all gradients if
/// `backward`. `window`: that of LEAP in tokens, 0 = all tokens.
inline constinit TorchFunction<std::function<void()>(Contender which, int64_t tokens, int64_t window,
                                                     bool backward)>
    contender{"timing LEAP"};

/// Seconds of one call: median of as many calls as fit into half a second, at least 3, after a warm-up call.
/// If the first call takes 2 seconds or more, its time is returned.
inline constinit TorchFunction<double(const std::function<void()>& call)> seconds_of{"timing LEAP"};

/// Times of single-token steps.
struct StepTimes {
  double median = 0, max = 0; ///< seconds, over the steps
};
/// Times `steps` single-token steps from `position` on, on random rows. The time of each step is the minimum
/// of several rounds, to exclude interruptions.
inline constinit TorchFunction<StepTimes(int64_t window, int64_t position, int64_t steps)> leap_step_times{
    "timing LEAP"};

} // namespace mneme::experiments
