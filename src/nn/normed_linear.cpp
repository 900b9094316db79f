// SPDX-License-Identifier: MIT

#include "nn/normed_linear.h"

#include <optional>

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "mneme/ops/layer_norm.h"
#include "mneme/ops/linear.h"

namespace mneme::nn {
namespace {

using OptionalTensor = std::optional<at::Tensor>;

OptionalTensor optional(const at::Tensor& tensor) {
  return tensor.defined() ? OptionalTensor(tensor) : std::nullopt;
}

class NormedLinear : public torch::autograd::Function<NormedLinear> {
public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& patterns,
                            const OptionalTensor& gain, const OptionalTensor& shift, const at::Tensor& weight,
                            const OptionalTensor& bias, double epsilon) {
    at::AutoDispatchBelowADInplaceOrView below;
    const auto or_undefined = [](const OptionalTensor& t) { return t.value_or(at::Tensor()); };
    context->save_for_backward(
        {patterns, or_undefined(gain), or_undefined(shift), weight, or_undefined(bias)});
    context->saved_data["epsilon"] = epsilon;
    return ops::linear(ops::layer_norm(patterns, or_undefined(gain), or_undefined(shift), epsilon), weight,
                       or_undefined(bias));
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const torch::autograd::variable_list saved = context->get_saved_variables();
    const at::Tensor &patterns = saved[0], &gain = saved[1], &shift = saved[2], &weight = saved[3],
                     &bias = saved[4];
    const auto needs_grad = [](const at::Tensor& input) { return input.defined() && input.requires_grad(); };
    const ops::LayerNormed normed =
        ops::layer_norm_with_statistics(patterns, gain, shift, context->saved_data["epsilon"].toDouble());
    const std::array<bool, 3> needed = {needs_grad(patterns), needs_grad(gain), needs_grad(shift)};
    const bool needs_rows = needed[0] || needed[1] || needed[2];
    const ops::LinearGradients d = ops::linear_backward(gradients[0], normed.output, weight,
                                                        {needs_rows, needs_grad(weight), needs_grad(bias)});
    const ops::LayerNormGradients of_norm =
        needs_rows ? ops::layer_norm_backward(d.x, patterns, gain, shift, normed, needed)
                   : ops::LayerNormGradients();
    return {of_norm.x, of_norm.gain, of_norm.shift, d.weight, d.bias, at::Tensor()};
  }
};

} // namespace

at::Tensor norm_patterns(const at::Tensor& patterns, const at::Tensor& gain, const at::Tensor& shift,
                         double epsilon) {
  constexpr int64_t kFew = 512; // numbers
  return patterns.numel() < kFew
             ? at::layer_norm(patterns, {patterns.size(-1)}, optional(gain), optional(shift), epsilon)
             : ops::layer_norm(patterns, gain, shift, epsilon);
}

at::Tensor normed_linear(const at::Tensor& patterns, const at::Tensor& gain, const at::Tensor& shift,
                         double epsilon, const at::Tensor& weight, const at::Tensor& bias) {
  // Numbers from which on a normalised copy costs more, in memory, than computing the norm again in backward.
  constexpr int64_t kMinRecomputed = 1 << 18;
  if (!at::GradMode::is_enabled() || patterns.numel() < kMinRecomputed) {
    return ops::linear(norm_patterns(patterns, gain, shift, epsilon), weight, bias);
  }
  return NormedLinear::apply(patterns, optional(gain), optional(shift), weight, optional(bias), epsilon);
}

} // namespace mneme::nn
