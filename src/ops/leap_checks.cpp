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

void check_inputs(const Checks& checks, const LeapInputs& inputs) {
  const Checks::Named q{"query", inputs.query}, f{"focus", inputs.focus}, k{"key", inputs.key},
      v{"value", inputs.value};
  for (const Checks::Named& input : {q, f, k, v}) {
    checks.dimensions(input, 4, kDimensions, "A single sequence is unsqueeze(0).");
    checks.floating_point(input);
    checks.same_type_and_device(q, input);
    checks.same_size(q, 0, input, 0, "batches", "Each token needs all four.");
    checks.same_size(q, 1, input, 1, "tokens", "Each token needs all four.");
    checks.same_size(q, 2, input, 2, "heads", "Each token needs all four.");
    check_sizes(checks, input, {2, 3});
  }
  checks.same_size(q, 3, f, 3, "features", "Focus and query are compared with the key, feature by feature.");
  checks.same_size(q, 3, k, 3, "features", "Focus and query are compared with the key, feature by feature.");
}

void check_scale(const Checks& checks, const char* name, const std::optional<double>& scale) {
  if (scale && !std::isfinite(*scale)) {
    checks.fail(c10::str(name, " is ", *scale, ", but must be finite."),
                "Leave it out to get 1 / sqrt(features).");
  }
}

void check_can_continue(const Checks& checks, bool both_sides, const at::Tensor& key_padding_mask) {
  if (both_sides) {
    checks.fail("both_sides is true, but the tokens after these are not known.",
                "Give the whole sequence at once.");
  }
  if (key_padding_mask.defined()) {
    checks.fail(c10::str("key_padding_mask is given (shape ", key_padding_mask.sizes(), ")."),
                "Continuation does not support masks: leave padding out.");
  }
}

bool all_finite(const at::Tensor& tensor) {
  if (tensor.numel() == 0) {
    return true;
  }
  const auto [min, max] = at::aminmax(tensor.detach());
  return std::isfinite(min.item<double>()) && std::isfinite(max.item<double>());
}

/// Checks inputs only if the readout is not finite, because non-finite inputs propagate to it.
void check_readout(const Checks& checks, const at::Tensor& readout, const LeapInputs& inputs, double scale) {
  // On other devices this check would force a synchronisation.
  if (!readout.device().is_cpu() || all_finite(readout)) {
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
      checks.fail(c10::str(name, " is ", tensor[b][t][h][d].item<double>(), " at batch ", b, ", token ", t,
                           ", head ", h, ", feature ", d, ", but all numbers must be finite."),
                  "In training, a smaller learning rate may prevent this.");
    }
  }
  const at::Tensor logit = focus_logit(inputs.focus, inputs.key, scale);
  checks.fail(c10::str("the readout is not finite, although all inputs are: focus logits range from ",
                       logit.min().item<double>(), " to ", logit.max().item<double>(), ", which overflows ",
                       readout.scalar_type(), "."),
              "Make the inputs or the scale smaller, or compute in float64.");
}

void check_position(const Checks& checks, int64_t position, std::initializer_list<at::Tensor> tensors) {
  if (position < 0) {
    checks.fail(c10::str("the state is at position ", position, ", but positions are >= 0."),
                "A new sequence starts with an empty state.");
  }
  for (const at::Tensor& tensor : tensors) {
    if (position == 0 && tensor.defined()) {
      checks.fail(c10::str("the state is at position 0 but has a tensor of shape ", tensor.sizes(), "."),
                  "A new sequence starts with an empty state.");
    }
  }
}

void check_state_tensor(const Checks& checks, const char* name, const at::Tensor& tensor,
                        const std::vector<int64_t>& shape, at::ScalarType type, const at::Device& device) {
  if (!tensor.defined() || tensor.sizes() != at::IntArrayRef(shape) || tensor.scalar_type() != type ||
      tensor.device() != device) {
    checks.fail(tensor.defined()
                    ? c10::str("the state's ", name, " is of shape ", tensor.sizes(), " and type ",
                               tensor.scalar_type(), " on ", tensor.device(), ", but ",
                               at::IntArrayRef(shape), ", ", type, " and ", device, " are needed.")
                    : c10::str("the state has no ", name, ", but its position is > 0."),
                "Give the state that the previous call returned, with the same options.");
  }
}

} // namespace mneme::ops
