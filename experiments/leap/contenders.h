// SPDX-License-Identifier: MIT

/// Ways to mix the tokens of a sequence, ready to be timed beside each other: the published width, 8 heads of 64 features.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "mneme/core/torch_function.h"

namespace mneme::experiments {

constexpr int64_t kContenderHeads = 8, kContenderHeadSize = 64;

/// From queries, keys and values (and focus), or with a projection of the tokens in front.
enum class Contender {
  leap,              ///< mneme::ops::leap
  original_leap,     ///< the same as differences of prefix sums, in plain LibTorch
  attention,         ///< LibTorch's scaled_dot_product_attention, causal
  projection,        ///< LEAP's projection alone, 512 -> 2048
  leap_layer,        ///< MultiheadLeap
  dropping_layer,    ///< the same while training, with a dropout of 0.1
  dropping_original, ///< the same in plain LibTorch
  attention_layer,   ///< a projection 512 -> 1536, then attention
};

/// The call on one random sequence in float32, with all gradients if `backward`. `window`: LEAP's, in tokens, 0 = all.
inline constinit TorchFunction<std::function<void()>(Contender which, int64_t tokens, int64_t window,
                                                     bool backward)>
    contender{"timing LEAP"};

/// Seconds of one call: the median of as many as fit half a second, at least 3; of a single one where that takes 2
/// seconds or more. The first call is not counted, but where it is the only one.
inline constinit TorchFunction<double(const std::function<void()>& call)> seconds_of{"timing LEAP"};

/// The next tokens of a sequence of random rows, one after the other.
struct StepTimes {
  double median = 0, largest = 0; ///< seconds, over the steps
};
/// `steps` tokens from `position` on; the time of each is the least of several rounds, so that what is left is its own work.
inline constinit TorchFunction<StepTimes(int64_t window, int64_t position, int64_t steps)> leap_step_times{
    "timing LEAP"};

} // namespace mneme::experiments
