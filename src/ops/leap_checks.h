// SPDX-License-Identifier: MIT

/// Checks of the four inputs of LEAP, its readout, and its recurrent state, for leap and matrix_leap.
#pragma once

#include <initializer_list>
#include <optional>

#include <ATen/core/Tensor.h>

#include "ops/checks.h"

namespace mneme::ops {

/// The inputs [B, T, H, D or V].
struct LeapInputs {
  at::Tensor query, focus, key, value;
};

/// Errors  UsageError if shapes, types or devices disagree, or there are no heads or features
void check_inputs(const Checks& checks, const LeapInputs& inputs);

/// Errors  UsageError unless it is undefined or finite
void check_scale(const Checks& checks, const char* name, const std::optional<double>& scale);

/// Errors  UsageError if a sequence cannot be continued with these options
void check_can_continue(const Checks& checks, bool both_sides, const at::Tensor& key_padding_mask);

/// Whether no element is NaN or infinite.
bool all_finite(const at::Tensor& tensor);

/// Errors  UsageError if the readout is not finite; the message names the input that is not, or the range of
///         the focus logits. Only readouts on the CPU are checked
void check_readout(const Checks& checks, const at::Tensor& readout, const LeapInputs& inputs, double scale);

/// Errors  UsageError for a negative position, or if a state at position 0 has one of its tensors
void check_position(const Checks& checks, int64_t position, std::initializer_list<at::Tensor> tensors);

/// Errors  UsageError unless a tensor of a state has this shape, type and device
void check_state_tensor(const Checks& checks, const char* name, const at::Tensor& tensor,
                        const std::vector<int64_t>& shape, at::ScalarType type, const at::Device& device);

} // namespace mneme::ops
