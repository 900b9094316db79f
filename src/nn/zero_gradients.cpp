// SPDX-License-Identifier: MIT

#include "nn/zero_gradients.h"

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

namespace mneme::nn {
namespace {

class ZeroGradients : public torch::autograd::Function<ZeroGradients> {
public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& output,
                            at::TensorList inputs) {
    at::AutoDispatchBelowADInplaceOrView below;
    std::vector<at::Tensor> saved = inputs.vec();
    context->save_for_backward(std::move(saved));
    return output.view_as(output);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    torch::autograd::variable_list result = {gradients[0]};
    for (const at::Tensor& input : context->get_saved_variables()) {
      result.push_back(at::zeros_like(input, input.options().requires_grad(false)));
    }
    return result;
  }
};

} // namespace

at::Tensor with_zero_gradients(const at::Tensor& output, const std::vector<at::Tensor>& inputs) {
  std::vector<at::Tensor> differentiated;
  for (const at::Tensor& input : inputs) {
    if (input.defined() && input.requires_grad() && at::GradMode::is_enabled()) {
      differentiated.push_back(input);
    }
  }
  return differentiated.empty() ? output : ZeroGradients::apply(output, at::TensorList(differentiated));
}

} // namespace mneme::nn
