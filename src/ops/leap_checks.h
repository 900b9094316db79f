// SPDX-License-Identifier: MIT

/// What is wrong with the four inputs of LEAP, its readout, and its state: for all operators of that kind.
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
void check_four(const Checks& checks, const LeapInputs& inputs);

/// Errors  UsageError unless it is undefined or finite
void check_scale(const Checks& checks, const char* name, const std::optional<double>& scale);

/// Errors  UsageError where a sequence cannot be continued with these options
void check_can_continue(const Checks& checks, bool both_sides, const at::Tensor& is_token);

bool all_finite(const at::Tensor& tensor);

/// Errors  UsageError if the readout is not finite; says which input is not, or how large the focus logits are
void check_readout(const Checks& checks, const at::Tensor& readout, const LeapInputs& inputs, double scale);

/// Errors  UsageError for a position before 0, or a state at 0 that holds any of its parts
void check_beginning(const Checks& checks, int64_t position, std::initializer_list<at::Tensor> parts);

/// Errors  UsageError unless `part` of a state is of this shape, type and device
void check_state_part(const Checks& checks, const char* name, const at::Tensor& part,
                      const std::vector<int64_t>& shape, at::ScalarType type, const at::Device& device);

} // namespace mneme::ops
