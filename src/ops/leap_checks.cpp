// SPDX-License-Identifier: MIT

#include "ops/leap_checks.h"

#include <cmath>
#include <utility>

#include <ATen/Functions.h>

#include "ops/focus_weight.h"
#include "ops/leap_pass.h"

namespace mneme::ops {
namespace {

constexpr const char* kDimensions = "batch, tokens, heads, features";

} // namespace

void check_four(const Checks& checks, const LeapInputs& inputs) {
  const Checks::Named q{"query", inputs.query}, f{"focus", inputs.focus}, k{"key", inputs.key},
      v{"value", inputs.value};
  for (const Checks::Named& input : {q, f, k, v}) {
    checks.defined(input, kDimensions);
    checks.dimensions(input, 4, kDimensions, "A single sequence is unsqueeze(0).");
    checks.real(input);
    checks.same_type(q, input);
    checks.same_device(q, input);
    checks.equal(q, 0, input, 0, "batches", "Each token has all four.");
    checks.equal(q, 1, input, 1, "tokens", "Each token has all four.");
    checks.equal(q, 2, input, 2, "heads", "Each token has all four.");
    check_sizes(checks, input, {2, 3});
  }
  checks.equal(q, 3, f, 3, "features", "Focus and query are compared with the key, feature by feature.");
  checks.equal(q, 3, k, 3, "features", "Focus and query are compared with the key, feature by feature.");
}

void check_scale(const Checks& checks, const char* name, const std::optional<double>& scale) {
  if (scale && !std::isfinite(*scale)) {
    checks.refuse(c10::str(name, " is ", *scale, ", but must be finite."),
                  "Leave it out to get 1 / sqrt(features).");
  }
}

void check_can_continue(const Checks& checks, bool both_sides, const at::Tensor& is_token) {
  if (both_sides) {
    checks.refuse("both sides are asked for, but the tokens after these are not known.",
                  "Give the whole sequence at once.");
  }
  if (is_token.defined()) {
    checks.refuse(c10::str("is_token is given (shape ", is_token.sizes(), ")."),
                  "Continue each sequence with its own tokens only: leave padding out.");
  }
}

bool all_finite(const at::Tensor& tensor) {
  if (tensor.numel() == 0) {
    return true;
  }
  const auto [least, largest] = at::aminmax(tensor.detach());
  return std::isfinite(least.item<double>()) && std::isfinite(largest.item<double>());
}

/// Looks for the cause only where there is one: whatever is not a number ends up in the readout.
void check_readout(const Checks& checks, const at::Tensor& readout, const LeapInputs& inputs, double scale) {
  if (!readout.device().is_cpu() || all_finite(readout)) { // elsewhere looking would wait
    return;
  }
  for (const auto& [name, tensor] : {std::pair<const char*, at::Tensor>{"query", inputs.query},
                                     {"focus", inputs.focus},
                                     {"key", inputs.key},
                                     {"value", inputs.value}}) {
    if (!all_finite(tensor)) {
      const at::Tensor where = at::isfinite(tensor).logical_not().nonzero()[0];
      const int64_t b = where[0].item<int64_t>(), t = where[1].item<int64_t>(), h = where[2].item<int64_t>(),
                    d = where[3].item<int64_t>();
      checks.refuse(c10::str(name, " is ", tensor[b][t][h][d].item<double>(), " at batch ", b, ", token ", t,
                             ", head ", h, ", feature ", d, ", but all numbers must be finite."),
                    "If parameters are learnt, a smaller learning rate may keep them so.");
    }
  }
  const at::Tensor logit = focus_logit(inputs.focus, inputs.key, scale);
  checks.refuse(c10::str("the readout is not finite, though all inputs are: focus logits go from ",
                         logit.min().item<double>(), " to ", logit.max().item<double>(), ", which overflows ",
                         readout.scalar_type(), "."),
                "Make the inputs or the scale smaller, or compute in float64.");
}

void check_beginning(const Checks& checks, int64_t position, std::initializer_list<at::Tensor> parts) {
  if (position < 0) {
    checks.refuse(c10::str("the state is at position ", position, ", but must be at 0 or later."),
                  "A new sequence begins with an empty state.");
  }
  for (const at::Tensor& part : parts) {
    if (position == 0 && part.defined()) {
      checks.refuse(c10::str("the state is at position 0 but holds a tensor of shape ", part.sizes(), "."),
                    "A new sequence begins with an empty state.");
    }
  }
}

void check_state_part(const Checks& checks, const char* name, const at::Tensor& part,
                      const std::vector<int64_t>& shape, at::ScalarType type, const at::Device& device) {
  if (!part.defined() || part.sizes() != at::IntArrayRef(shape) || part.scalar_type() != type ||
      part.device() != device) {
    checks.refuse(part.defined()
                      ? c10::str("the state's ", name, " is of shape ", part.sizes(), " and type ",
                                 part.scalar_type(), " on ", part.device(), ", but ", at::IntArrayRef(shape),
                                 ", ", type, " and ", device, " are needed.")
                      : c10::str("the state has no ", name, ", but is beyond its beginning."),
                  "Give the state that the call before returned, with the same options.");
  }
}

} // namespace mneme::ops
