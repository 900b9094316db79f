// SPDX-License-Identifier: MIT

#include "mneme/ops/linear.h"

#include <ATen/Functions.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "mneme/ops/int8_matrix.h"
#include "ops/checks.h"
#include "ops/int8_checks.h"
#include "ops/huge_pages.h"
#include "ops/matrix_product.h"

namespace mneme::ops {
namespace {

const Checks kChecks("linear"), kGeluChecks("linear_gelu");

/// [..., K] as [M, K], without a copy where the leading dimensions can be merged.
at::Tensor as_matrix(const at::Tensor& x) {
  return x.dim() == 2 ? x : x.reshape({c10::multiply_integers(x.sizes().slice(0, x.dim() - 1)), x.size(-1)});
}

at::Tensor empty_output(const at::Tensor& x, const at::Tensor& weight) {
  std::vector<int64_t> shape = x.sizes().vec();
  shape.back() = weight.size(0);
  return empty_on_huge_pages(shape, x.options());
}

at::Tensor product(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const at::Tensor output = empty_output(x, weight), rows = as_matrix(x);
  multiply(rows, weight.t(), output.view({rows.size(0), weight.size(0)}), bias);
  return output;
}

using OptionalTensor = std::optional<at::Tensor>; // undefined tensors are not inputs of a Function

class LinearFunction : public torch::autograd::Function<LinearFunction> {
public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& weight, const OptionalTensor& bias) {
    at::AutoDispatchBelowADInplaceOrView below;
    context->save_for_backward({x, weight});
    context->saved_data["has_bias"] = bias.has_value();
    return product(x, weight, bias.value_or(at::Tensor()));
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const torch::autograd::variable_list saved = context->get_saved_variables();
    const LinearGradients d =
        ops::linear_backward(gradients[0], saved[0], saved[1],
                             {context->needs_input_grad(0), context->needs_input_grad(1),
                              context->saved_data["has_bias"].toBool() && context->needs_input_grad(2)});
    return {d.x, d.weight, d.bias};
  }
};

/// GELU of `product`, and its derivatives unless `derivative` is nullptr.
at::Tensor gelu_product(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, GeluForm form,
                        at::Tensor* derivative) {
  const at::Tensor output = empty_output(x, weight), rows = as_matrix(x);
  at::Tensor slopes;
  if (derivative != nullptr) {
    *derivative = empty_output(x, weight);
    slopes = derivative->view({rows.size(0), weight.size(0)});
  }
  multiply_gelu(rows, weight.t(), output.view({rows.size(0), weight.size(0)}), slopes, bias, form);
  return output;
}

class LinearGeluFunction : public torch::autograd::Function<LinearGeluFunction> {
public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& weight, const OptionalTensor& bias, int64_t form) {
    at::AutoDispatchBelowADInplaceOrView below;
    at::Tensor derivative, output = gelu_product(x, weight, bias.value_or(at::Tensor()),
                                                 static_cast<GeluForm>(form), &derivative);
    context->save_for_backward({x, weight, derivative});
    context->saved_data["has_bias"] = bias.has_value();
    return output;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    kGeluChecks.no_double_backward();
    const torch::autograd::variable_list saved = context->get_saved_variables();
    const LinearGradients d =
        ops::linear_backward(gradients[0] * saved[2], saved[0], saved[1],
                             {context->needs_input_grad(0), context->needs_input_grad(1),
                              context->saved_data["has_bias"].toBool() && context->needs_input_grad(2)});
    return {d.x, d.weight, d.bias, at::Tensor()};
  }
};

bool needs_gradient(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  return at::GradMode::is_enabled() &&
         (x.requires_grad() || weight.requires_grad() || (bias.defined() && bias.requires_grad()));
}

/// Whether at::linear computes.
bool is_left_to_libtorch(const at::Tensor& x) {
  return x.defined() && (!uses_linear_kernel(x) || at::autocast::is_autocast_enabled(at::kCPU));
}

void check(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const Checks::Named input{"x", x}, matrix{"weight", weight}, row{"bias", bias};
  kChecks.defined(input, "..., features");
  kChecks.dimensions(matrix, 2, "outputs, features", "It is the weight of a linear layer.");
  if (x.dim() == 0) {
    kChecks.fail("x is a single number.", "Its last dimension must have the features.");
  }
  kChecks.same_type_and_device(input, matrix);
  kChecks.same_size(input, x.dim() - 1, matrix, 1, "features", "weight has one column per feature of x.");
  if (bias.defined()) {
    kChecks.dimensions(row, 1, "outputs", "It has one number per output.");
    kChecks.same_type_and_device(input, row);
    kChecks.same_size(matrix, 0, row, 0, "outputs", "bias has one number per row of weight.");
  }
}

/// The product with an int8 matrix; `multiply_rows` is called with rows [M, K] and output [M, N].
template <class Multiply>
at::Tensor int8_product(const Checks& checks, const at::Tensor& x, const at::Tensor& matrix,
                        const at::Tensor& bias, const Multiply& multiply_rows) {
  check_int8_product(checks, {"x", x}, {"weight", matrix}, {"bias", bias});
  const at::Tensor output = empty_output(x, matrix), rows = as_matrix(x);
  multiply_rows(rows, output.view({rows.size(0), matrix.size(0)}));
  return output;
}

} // namespace

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  if (is_int8_matrix(weight)) {
    return int8_product(kChecks, x, weight, bias, [&](const at::Tensor& rows, const at::Tensor& output) {
      multiply_int8(rows, weight, output, bias);
    });
  }
  const auto optional_bias = bias.defined() ? OptionalTensor(bias) : std::nullopt;
  if (is_left_to_libtorch(x)) {
    return at::linear(x, weight, optional_bias);
  }
  check(x, weight, bias);
  return needs_gradient(x, weight, bias) ? LinearFunction::apply(x, weight, optional_bias)
                                         : product(x, weight, bias);
}

at::Tensor linear_gelu(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, GeluForm form) {
  if (is_int8_matrix(weight)) {
    return int8_product(kGeluChecks, x, weight, bias, [&](const at::Tensor& rows, const at::Tensor& output) {
      multiply_int8_gelu(rows, weight, output, bias, form);
    });
  }
  if (is_left_to_libtorch(x)) {
    return at::gelu(linear(x, weight, bias), form == GeluForm::tanh ? "tanh" : "none");
  }
  check(x, weight, bias);
  return needs_gradient(x, weight, bias)
             ? LinearGeluFunction::apply(x, weight, bias.defined() ? OptionalTensor(bias) : std::nullopt,
                                         static_cast<int64_t>(form))
             : gelu_product(x, weight, bias, form, nullptr);
}

LinearGradients linear_backward(const at::Tensor& d_output, const at::Tensor& x, const at::Tensor& weight,
                                std::array<bool, 3> needed) {
  LinearGradients gradients;
  const at::Tensor d_rows = as_matrix(d_output);
  const bool differentiable = at::GradMode::is_enabled() || !uses_linear_kernel(x);
  if (needed[0]) {
    gradients.x = differentiable ? at::matmul(d_output, weight) : product(d_output, weight.t(), {});
  }
  if (needed[1]) {
    gradients.weight =
        differentiable ? at::mm(d_rows.t(), as_matrix(x)) : multiply_transposed(d_rows, as_matrix(x));
  }
  if (needed[2] && differentiable) {
    gradients.bias = d_rows.sum(0);
  } else if (needed[2]) {
    gradients.bias = at::empty({d_rows.size(1)}, d_rows.options());
    sum_rows(d_rows, gradients.bias);
  }
  return gradients;
}

} // namespace mneme::ops
