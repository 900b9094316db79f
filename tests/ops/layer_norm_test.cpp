// SPDX-License-Identifier: MIT

#include "mneme/ops/layer_norm.h"

#include <functional>
#include <optional>

#include <ATen/autocast_mode.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "mneme/core/parallel.h"
#include "ops/tensors.h"

namespace mneme::ops {
namespace {

constexpr double kEpsilon = 1e-5;

struct Inputs {
  at::Tensor x, gain, shift; ///< gain and shift may be undefined
};

Inputs inputs_of(at::IntArrayRef x, at::ScalarType type = at::kDouble) {
  return {2 + random_tensor(x, 1, type), random_tensor({x.back()}, 2, type),
          random_tensor({x.back()}, 3, type)};
}

using Norm = std::function<at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&)>;

at::Tensor by_libtorch(const at::Tensor& x, const at::Tensor& gain, const at::Tensor& shift) {
  const auto optional = [](const at::Tensor& t) { return t.defined() ? std::optional(t) : std::nullopt; };
  return at::layer_norm(x, {x.size(-1)}, optional(gain), optional(shift), kEpsilon);
}

at::Tensor by_kernel(const at::Tensor& x, const at::Tensor& gain, const at::Tensor& shift) {
  return layer_norm(x, gain, shift, kEpsilon);
}

/// Output and gradients of x, gain and shift, for a fixed gradient of the output.
std::vector<at::Tensor> output_and_gradients(const Inputs& in, const Norm& norm) {
  std::vector<at::Tensor> leaves, given = {in.x, in.gain, in.shift};
  for (at::Tensor& input : given) {
    if (input.defined()) {
      input = input.detach().requires_grad_();
      leaves.push_back(input);
    }
  }
  const at::Tensor output = norm(given[0], given[1], given[2]);
  std::vector<at::Tensor> results =
      torch::autograd::grad({output}, leaves, {random_tensor(output.sizes(), 4, output.scalar_type())});
  results.push_back(output.detach());
  return results;
}

void expect_close(const std::vector<at::Tensor>& actual, const std::vector<at::Tensor>& expected,
                  double tolerance) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_EQ(actual[i].sizes(), expected[i].sizes()) << "result " << i;
    if (expected[i].numel() > 0) {
      EXPECT_LE(max_abs_difference(actual[i], expected[i]),
                tolerance * (1 + expected[i].abs().max().item<double>()))
          << "result " << i;
    }
  }
}

TEST(LayerNormOp, AndItsGradientsEqualLibTorch) {
  for (const std::vector<int64_t>& shape : std::vector<std::vector<int64_t>>{
           {7}, {3, 7}, {0, 7}, {600}, {2, 300, 2}, {31, 17}, {50, 100}, {3000, 40}, {2, 40'000}}) {
    for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
      const Inputs all = inputs_of(shape, type);
      for (const Inputs& in :
           {all, Inputs{all.x, all.gain, {}}, Inputs{all.x, {}, all.shift}, Inputs{all.x, {}, {}}}) {
        SCOPED_TRACE(::testing::Message() << all.x.sizes() << ' ' << type);
        const auto expected = output_and_gradients(in, by_libtorch);
        expect_close(output_and_gradients(in, by_kernel), expected, type == at::kDouble ? 1e-12 : 2e-4);
        const at::NoGradGuard no_gradient;
        expect_close({by_kernel(in.x, in.gain, in.shift)}, {expected.back()},
                     type == at::kDouble ? 1e-12 : 1e-5);
      }
    }
  }
}

TEST(LayerNormOp, ReadsStridedTensors) {
  const Inputs in = inputs_of({16, 15, 7});
  const at::Tensor wide = random_tensor({7, 2}, 5);
  for (const Inputs& strided :
       {Inputs{in.x.transpose(0, 1), in.gain, in.shift},
        Inputs{in.x.transpose(1, 2).contiguous().transpose(1, 2), in.gain, in.shift},
        Inputs{in.x.select(0, 0).select(0, 0).expand({90, 7}), wide.select(1, 0), wide.select(1, 1)}}) {
    expect_close(output_and_gradients(strided, by_kernel), output_and_gradients(strided, by_libtorch), 1e-12);
  }
}

TEST(LayerNormOp, GradientsEqualFiniteDifferences) {
  const Inputs in = inputs_of({2, 33, 8});
  expect_gradients_of(
      [](const std::vector<at::Tensor>& leaves) {
        return by_kernel(leaves[0], leaves[1], leaves[2]).pow(3).sum();
      },
      {in.x, in.gain, in.shift});
}

TEST(LayerNormOp, ComputesOnlyTheGradientsThatAreNeeded) {
  const Inputs in = inputs_of({66, 8});
  const at::Tensor gain = in.gain.clone().requires_grad_();
  by_kernel(in.x, gain, in.shift).sum().backward();
  EXPECT_TRUE(gain.grad().defined());
  EXPECT_FALSE(in.x.grad().defined() || in.shift.grad().defined());
  EXPECT_FALSE(by_kernel(in.x, in.gain, in.shift).requires_grad());
}

TEST(LayerNormOp, SupportsDoubleBackward) {
  const auto second = [](const Norm& norm) {
    const Inputs in = inputs_of({66, 8});
    const at::Tensor x = in.x.clone().requires_grad_(), gain = in.gain.clone().requires_grad_();
    const auto first =
        torch::autograd::grad({norm(x, gain, in.shift).pow(3).sum()}, {x, gain}, {}, true, true);
    return torch::autograd::grad({first[0].square().sum() + first[1].square().sum()}, {x, gain});
  };
  expect_close(second(by_kernel), second(by_libtorch), 1e-10);
}

TEST(LayerNormOp, HasTheSameBitsOnAnyNumberOfThreads) {
  const int before = threads();
  for (const std::vector<int64_t>& shape : std::vector<std::vector<int64_t>>{{2000, 70}, {3, 50'000}}) {
    const Inputs in = inputs_of(shape, at::kFloat);
    set_threads(1);
    const auto expected = output_and_gradients(in, by_kernel);
    set_threads(3);
    const auto actual = output_and_gradients(in, by_kernel);
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_TRUE(actual[i].equal(expected[i])) << "result " << i;
    }
  }
  set_threads(before);
}

TEST(LayerNormOp, LeavesOtherTypesAndAutocastToLibTorch) {
  const Inputs in = inputs_of({66, 8}, at::kBFloat16);
  EXPECT_TRUE(by_kernel(in.x, in.gain, in.shift).equal(by_libtorch(in.x, in.gain, in.shift)));
  const Inputs floats = inputs_of({66, 8}, at::kFloat);
  at::autocast::set_autocast_enabled(at::kCPU, true);
  const at::Tensor actual = by_kernel(floats.x, floats.gain, floats.shift);
  const at::Tensor expected = by_libtorch(floats.x, floats.gain, floats.shift);
  at::autocast::set_autocast_enabled(at::kCPU, false);
  EXPECT_TRUE(actual.equal(expected));
}

TEST(LayerNormOp, RefusesWeightsThatDoNotFit) {
  const Inputs in = inputs_of({66, 8});
  EXPECT_THROW(by_kernel(in.x, in.gain.narrow(0, 0, 7), {}), c10::Error);
  EXPECT_THROW(by_kernel(in.x.to(at::kFloat), in.gain, in.shift), c10::Error);
}

} // namespace
} // namespace mneme::ops
