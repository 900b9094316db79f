// SPDX-License-Identifier: MIT

#include "mneme/ops/linear.h"

#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "mneme/core/parallel.h"
#include "ops/tensors.h"

namespace mneme::ops {
namespace {

/// Selects a backend until the end of a block.
struct WithBackend {
  explicit WithBackend(LinearBackend backend) { set_linear_backend(backend); }
  ~WithBackend() { set_linear_backend(LinearBackend::automatic); }
};

struct Inputs {
  at::Tensor x, weight, bias;
};

Inputs inputs_of(at::IntArrayRef x, int64_t outputs, at::ScalarType type = at::kDouble) {
  return {random_tensor(x, 1, type), random_tensor({outputs, x.back()}, 2, type),
          random_tensor({outputs}, 3, type)};
}

/// Output and gradients of x, weight and bias (if defined), for a fixed gradient of the output.
std::vector<at::Tensor> output_and_gradients(const Inputs& in) {
  const at::Tensor x = in.x.detach().requires_grad_(), weight = in.weight.detach().requires_grad_(),
                   bias = in.bias.defined() ? in.bias.detach().requires_grad_() : in.bias;
  const at::Tensor output = ops::linear(x, weight, bias);
  output.backward(random_tensor(output.sizes(), 4, output.scalar_type()));
  std::vector<at::Tensor> results = {output.detach(), x.grad(), weight.grad()};
  if (bias.defined()) {
    results.push_back(bias.grad());
  }
  return results;
}

void expect_close(const std::vector<at::Tensor>& actual, const std::vector<at::Tensor>& expected,
                  double tolerance) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    if (expected[i].numel() == 0) {
      EXPECT_EQ(actual[i].sizes(), expected[i].sizes()) << "result " << i;
      continue;
    }
    EXPECT_LE(max_abs_difference(actual[i], expected[i]),
              tolerance * (1 + expected[i].abs().max().item<double>()))
        << "result " << i;
  }
}

TEST(LinearOp, AndItsGradientsEqualLibTorch) {
  struct Case {
    std::vector<int64_t> x;
    int64_t outputs;
  };
  for (const auto& [shape, outputs] : std::vector<Case>{{{7}, 5},
                                                        {{3, 7}, 5},
                                                        {{2, 3, 7}, 1},
                                                        {{2, 3, 4, 1}, 70},
                                                        {{0, 7}, 5},
                                                        {{3, 0}, 5},
                                                        {{3, 7}, 0},
                                                        {{1300, 60}, 40},
                                                        {{40, 900}, 300}}) {
    for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
      for (const bool with_bias : {false, true}) {
        Inputs in = inputs_of(shape, outputs, type);
        in.bias = with_bias ? in.bias : at::Tensor();
        const auto actual = output_and_gradients(in);
        const WithBackend libtorch(LinearBackend::libtorch);
        expect_close(actual, output_and_gradients(in), type == at::kDouble ? 1e-13 : 2e-5);
      }
    }
  }
}

TEST(LinearOp, ReadsStridedTensors) {
  const Inputs in = inputs_of({6, 5, 7}, 4);
  const at::Tensor wide = random_tensor({7, 9}, 5);
  for (const Inputs& strided :
       {Inputs{in.x.transpose(0, 1), in.weight, in.bias},
        Inputs{in.x.select(1, 0).t().contiguous().t(), in.weight, in.bias},
        Inputs{in.x.slice(2, 0, 7, 2), wide.t().slice(0, 1, 5).slice(1, 0, 7, 2), in.bias},
        Inputs{in.x, wide.t(), wide.select(0, 0)},
        Inputs{in.x.select(0, 0).select(0, 0).expand({3, 7}), in.weight, wide.select(1, 0).slice(0, 0, 4)}}) {
    const auto actual = output_and_gradients(strided);
    const WithBackend libtorch(LinearBackend::libtorch);
    expect_close(actual, output_and_gradients(strided), 1e-13);
  }
}

TEST(LinearOp, GradientsEqualFiniteDifferences) {
  const Inputs in = inputs_of({2, 3, 4}, 5);
  expect_gradients_of(
      [](const std::vector<at::Tensor>& leaves) {
        return ops::linear(leaves[0], leaves[1], leaves[2]).square().sum();
      },
      {in.x, in.weight, in.bias});
  expect_gradients_of(
      [](const std::vector<at::Tensor>& leaves) {
        return ops::linear(leaves[0], leaves[1]).sum();
      }, // expanded gradient
      {in.x, in.weight});
}

/// Output and gradients of x, weight and bias (if defined) of GELU after a linear layer.
std::vector<at::Tensor> gelu_and_gradients(const Inputs& in, GeluForm form) {
  const at::Tensor x = in.x.detach().requires_grad_(), weight = in.weight.detach().requires_grad_(),
                   bias = in.bias.defined() ? in.bias.detach().requires_grad_() : in.bias;
  const at::Tensor output = linear_gelu(x, weight, bias, form);
  output.backward(random_tensor(output.sizes(), 4, output.scalar_type()));
  std::vector<at::Tensor> results = {output.detach(), x.grad(), weight.grad()};
  if (bias.defined()) {
    results.push_back(bias.grad());
  }
  const at::NoGradGuard no_gradient;
  results.push_back(linear_gelu(in.x, in.weight, in.bias, form));
  return results;
}

TEST(LinearGeluOp, AndItsGradientsEqualLibTorch) {
  for (const GeluForm form : {GeluForm::exact, GeluForm::tanh}) {
    for (const auto& [shape, outputs] : std::vector<std::pair<std::vector<int64_t>, int64_t>>{
             {{7}, 5}, {{2, 3, 7}, 1}, {{0, 7}, 5}, {{3, 0}, 5}, {{3, 7}, 0}, {{1300, 60}, 300}}) {
      for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
        for (const bool with_bias : {false, true}) {
          Inputs in = inputs_of(shape, outputs, type);
          in.bias = with_bias ? in.bias : at::Tensor();
          const auto actual = gelu_and_gradients(in, form);
          const WithBackend libtorch(LinearBackend::libtorch);
          expect_close(actual, gelu_and_gradients(in, form), type == at::kDouble ? 1e-13 : 2e-5);
        }
      }
    }
  }
}

TEST(LinearGeluOp, ReadsATransposedWeight) {
  const Inputs in = inputs_of({6, 5, 7}, 4);
  const Inputs transposed{in.x, in.weight.t().contiguous().t(), in.bias};
  EXPECT_TRUE(
      linear_gelu(transposed.x, transposed.weight, in.bias).equal(linear_gelu(in.x, in.weight, in.bias)));
}

TEST(LinearGeluOp, HasTheSameBitsOnAnyNumberOfThreadsAndForAnyOtherRows) {
  const int before = threads();
  const Inputs in = inputs_of({1500, 70}, 300, at::kFloat);
  set_threads(1);
  const auto expected = gelu_and_gradients(in, GeluForm::tanh);
  set_threads(3);
  const auto actual = gelu_and_gradients(in, GeluForm::tanh);
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_TRUE(actual[i].equal(expected[i])) << "result " << i;
  }
  EXPECT_TRUE(linear_gelu(in.x.narrow(0, 90, 5), in.weight, in.bias, GeluForm::tanh)
                  .equal(expected[0].narrow(0, 90, 5)));
  set_threads(before);
}

TEST(LinearGeluOp, RefusesDoubleBackward) {
  const Inputs in = inputs_of({3, 4}, 5);
  const at::Tensor x = in.x.clone().requires_grad_();
  expect_contains(usage_error_of([&] {
                    torch::autograd::grad({linear_gelu(x, in.weight, in.bias).sum()}, {x}, {}, true, true);
                  }),
                  {"linear_gelu", "second"});
}

TEST(LinearOp, ComputesOnlyTheGradientsThatAreNeeded) {
  const Inputs in = inputs_of({3, 4}, 5);
  const at::Tensor x = in.x.clone().requires_grad_();
  ops::linear(x, in.weight, in.bias).sum().backward();
  EXPECT_TRUE(x.grad().defined());
  EXPECT_FALSE(in.weight.grad().defined());
  EXPECT_FALSE(ops::linear(in.x, in.weight, in.bias).requires_grad());
}

TEST(LinearOp, SupportsDoubleBackward) {
  const auto second = [](LinearBackend backend) {
    const WithBackend chosen(backend);
    const Inputs in = inputs_of({3, 4}, 5);
    const at::Tensor x = in.x.clone().requires_grad_(), weight = in.weight.clone().requires_grad_();
    const auto first =
        torch::autograd::grad({ops::linear(x, weight, in.bias).pow(3).sum()}, {x, weight}, {}, true, true);
    return torch::autograd::grad({first[0].square().sum() + first[1].square().sum()}, {x, weight});
  };
  expect_close(second(LinearBackend::kernel), second(LinearBackend::libtorch), 1e-12);
}

TEST(LinearOp, HasTheSameBitsOnAnyNumberOfThreads) {
  const int before = threads();
  const auto check = [](const Inputs& in) {
    set_threads(1);
    const auto expected = output_and_gradients(in);
    for (const int count : {2, 3, 7}) {
      set_threads(count);
      const auto actual = output_and_gradients(in);
      for (size_t i = 0; i < expected.size(); ++i) {
        EXPECT_TRUE(actual[i].equal(expected[i])) << "result " << i << " with " << count << " threads";
      }
    }
  };
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    check(inputs_of({3, 1500, 70}, 300, type));
    check(inputs_of({2100, 1100}, 1, type)); // a weight gradient of one row
    check(inputs_of({768, 64}, 192, type));  // fewer chunks of the weight gradient than threads
  }
  set_threads(before);
}

/// The bits of few rows, and those of many.
TEST(LinearOp, OfARowDoesNotDependOnTheOtherRows) {
  for (const int64_t outputs : {1, 37, 300}) {
    const Inputs in = inputs_of({700, 290}, outputs, at::kFloat);
    const auto of_rows = [&](int64_t rows) {
      return ops::linear(in.x.narrow(0, 90, rows), in.weight, in.bias);
    };
    const at::Tensor all = ops::linear(in.x, in.weight, in.bias).narrow(0, 90, 64), few = of_rows(16);
    EXPECT_TRUE(at::allclose(few, all.narrow(0, 0, 16), 1e-4, 1e-4));
    for (const int64_t rows : {17, 64}) {
      EXPECT_TRUE(of_rows(rows).equal(all.narrow(0, 0, rows))) << rows << " rows, " << outputs << " outputs";
    }
    for (const int64_t rows : {1, 5, 15}) {
      EXPECT_TRUE(of_rows(rows).equal(few.narrow(0, 0, rows))) << rows << " rows, " << outputs << " outputs";
    }
  }
}

TEST(LinearOp, EqualsLibTorchInHalfPrecisionAndUnderAutocast) {
  const Inputs half = inputs_of({3, 4}, 5, at::kBFloat16), single = inputs_of({3, 4}, 5, at::kFloat);
  EXPECT_TRUE(ops::linear(half.x, half.weight, half.bias).equal(at::linear(half.x, half.weight, half.bias)));
  at::autocast::set_autocast_enabled(at::kCPU, true);
  const at::Tensor actual = ops::linear(single.x, single.weight, single.bias),
                   expected = at::linear(single.x, single.weight, single.bias);
  at::autocast::set_autocast_enabled(at::kCPU, false);
  at::autocast::clear_cache();
  EXPECT_EQ(actual.scalar_type(), at::kBFloat16);
  EXPECT_TRUE(actual.equal(expected));
}

/// Every product is that of rounded factors: bfloat16 tensors of LibTorch round in the same way.
TEST(LinearOp, MultipliesNumbersRoundedToBfloat16) {
  const auto rounded = [](const at::Tensor& x) { return x.to(at::kBFloat16).to(at::kFloat); };
  const Inputs in = inputs_of({3, 50, 70}, 300, at::kFloat);
  const at::Tensor d_output = random_tensor({3, 50, 300}, 4, at::kFloat);
  std::vector<at::Tensor> actual;
  {
    const ProductPrecisionGuard guard(ProductPrecision::bfloat16);
    EXPECT_EQ(product_precision(), ProductPrecision::bfloat16);
    actual = output_and_gradients(in);
  }
  EXPECT_EQ(product_precision(), ProductPrecision::float32);
  const at::Tensor d_rows = rounded(d_output).view({150, 300}), x = rounded(in.x).view({150, 70});
  expect_close(actual,
               {at::linear(rounded(in.x), rounded(in.weight), in.bias),
                at::matmul(rounded(d_output), rounded(in.weight)), at::mm(d_rows.t(), x),
                d_output.view({150, 300}).sum(0)}, // not rounded
               1e-5);
  const auto exact = output_and_gradients(in);
  EXPECT_GT(max_abs_difference(actual[0], exact[0]), 1e-4);
  EXPECT_TRUE(actual[3].equal(exact[3]));
}

TEST(LinearOp, HasTheSameBitsInBfloat16OnAnyNumberOfThreads) {
  const ProductPrecisionGuard guard(ProductPrecision::bfloat16);
  const int before = threads();
  const Inputs in = inputs_of({3, 1500, 70}, 300, at::kFloat);
  set_threads(1);
  const auto expected = output_and_gradients(in);
  for (const int count : {2, 7}) {
    set_threads(count);
    const auto actual = output_and_gradients(in);
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_TRUE(actual[i].equal(expected[i])) << "result " << i << " with " << count << " threads";
    }
  }
  set_threads(before);
}

TEST(LinearOp, RoundsNeitherFloat64NorLinearLayersOfLibTorch) {
  const ProductPrecisionGuard guard(ProductPrecision::bfloat16);
  const Inputs doubles = inputs_of({5, 40}, 3), floats = inputs_of({5, 40}, 3, at::kFloat);
  expect_close({ops::linear(doubles.x, doubles.weight, doubles.bias)},
               {at::linear(doubles.x, doubles.weight, doubles.bias)}, 1e-14);
  const WithBackend libtorch(LinearBackend::libtorch);
  EXPECT_TRUE(ops::linear(floats.x, floats.weight, floats.bias)
                  .equal(at::linear(floats.x, floats.weight, floats.bias)));
}

TEST(LinearOp, BackendIsSelectable) {
  const Inputs in = inputs_of({30, 400}, 50, at::kFloat);
  EXPECT_EQ(linear_backend(), LinearBackend::automatic);
  const at::Tensor kernel = ops::linear(in.x, in.weight, in.bias),
                   libtorch = at::linear(in.x, in.weight, in.bias);
  {
    const WithBackend chosen(LinearBackend::kernel);
    EXPECT_TRUE(ops::linear(in.x, in.weight, in.bias).equal(kernel));
  }
  const WithBackend chosen(LinearBackend::libtorch);
  EXPECT_TRUE(ops::linear(in.x, in.weight, in.bias).equal(libtorch));
  EXPECT_FALSE(kernel.equal(libtorch)); // sums in another order
}

TEST(LinearOp, NamesBothSidesWhenInputsDiffer) {
  const Inputs in = inputs_of({3, 4}, 5);
  expect_contains(usage_error_of([&] {
                    ops::linear(random_tensor({3, 6}, 1), in.weight);
                  }),
                  {"weight", "4", "6"});
  expect_contains(usage_error_of([&] { ops::linear(in.x, in.weight, random_tensor({4}, 1)); }),
                  {"bias", "4", "5"});
  expect_contains(usage_error_of([&] { ops::linear(in.x, in.weight.to(at::kFloat)); }),
                  {"weight", "Float", "Double"});
  expect_contains(usage_error_of([&] { ops::linear(in.x, in.weight.select(0, 0)); }),
                  {"weight", "1 dimensions"});
  expect_contains(usage_error_of([&] { ops::linear(random_tensor({}, 1), in.weight); }), {"x"});
  expect_contains(usage_error_of([&] { ops::linear({}, in.weight); }), {"x", "undefined"});
  expect_contains(usage_error_of([&] { ops::linear(in.x, {}); }), {"weight", "undefined"});
}

} // namespace
} // namespace mneme::ops
