// SPDX-License-Identifier: MIT

#include "mneme/ops/associate.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include "mneme/core/parallel.h"
#include "ops/tensors.h"

namespace mneme::ops {
namespace {

/// Reference in plain LibTorch.
at::Tensor plain(const at::Tensor& query, const at::Tensor& stored, const at::Tensor& value,
                 const at::Tensor& beta) {
  return at::matmul(at::softmax(at::matmul(query * beta.view({-1, 1, 1}), stored.transpose(1, 2)), -1),
                    value);
}

at::Tensor betas(at::IntArrayRef shape) {
  return random_tensor(shape, 9).abs() + 0.5;
}

TEST(AssociateGradient, EqualsFiniteDifferencesInEveryInput) {
  const at::Tensor d_readout = random_tensor({2, 3, 2}, 4);
  for (const int64_t num_betas : {1, 2}) {
    expect_gradients_of(
        [&](const std::vector<at::Tensor>& in) {
          return (associate(in[0], in[1], in[2], {.beta_tensor = in[3]}) * d_readout).sum();
        },
        {random_tensor({2, 3, 4}, 1), random_tensor({1, 5, 4}, 2), random_tensor({2, 5, 2}, 3),
         betas({num_betas})});
  }
}

TEST(AssociateGradient, EqualsPlainAutogradForABatchOfOneInAnyInput) {
  for (int batched_inputs = 0; batched_inputs < 16; ++batched_inputs) {
    const auto batches = [&](int side) { return int64_t{(batched_inputs >> side & 1) != 0 ? 3 : 1}; };
    const std::vector<at::Tensor> inputs{random_tensor({batches(0), 2, 4}, 1),
                                         random_tensor({batches(1), 5, 4}, 2),
                                         random_tensor({batches(2), 5, 6}, 3), betas({batches(3)})};
    std::vector<at::Tensor> ours, theirs;
    for (const at::Tensor& input : inputs) {
      ours.push_back(input.clone().requires_grad_());
      theirs.push_back(input.clone().requires_grad_());
    }
    const at::Tensor readout = associate(ours[0], ours[1], ours[2], {.beta_tensor = ours[3]});
    const at::Tensor expected = plain(theirs[0], theirs[1], theirs[2], theirs[3]);
    EXPECT_LT(max_abs_difference(readout, expected), 1e-14);
    const at::Tensor d_readout = random_tensor(expected.sizes(), 5);
    readout.backward(d_readout);
    expected.backward(d_readout);
    for (size_t i = 0; i < inputs.size(); ++i) {
      EXPECT_LT(max_abs_difference(ours[i].grad(), theirs[i].grad()), 1e-13)
          << "input " << i << ", batched inputs " << batched_inputs;
    }
  }
}

/// Shapes that are divided into chunks of stored patterns, of queries, or of both; and bytes, which are
/// converted in steps.
struct Shape {
  int64_t batches, queries, stored, features, values;
  bool bytes;
};
class AssociateInChunks : public ::testing::TestWithParam<Shape> {
protected:
  std::vector<at::Tensor> inputs(at::ScalarType type, bool with_gradient) const {
    const Shape n = GetParam();
    std::vector<at::Tensor> all{random_tensor({n.batches, n.queries, n.features}, 1).to(type),
                                random_tensor({n.batches, n.stored, n.features}, 2).to(type),
                                random_tensor({n.batches, n.stored, n.values}, 3).to(type),
                                at::ones({1}, type) * 0.7};
    if (n.bytes) {
      all[2] = at::randint(256, all[2].sizes(), at::make_generator<at::CPUGeneratorImpl>(6)).to(at::kByte);
    }
    for (at::Tensor& input : all) {
      if (with_gradient && input.scalar_type() != at::kByte) {
        input.requires_grad_();
      }
    }
    return all;
  }
  std::vector<at::Tensor> run(at::ScalarType type) const {
    const std::vector<at::Tensor> in = inputs(type, true);
    const at::Tensor readout = associate(in[0], in[1], in[2], {.beta_tensor = in[3]});
    readout.backward(random_tensor(readout.sizes(), 7).to(type));
    std::vector<at::Tensor> result{readout.detach(), in[0].grad(), in[1].grad(), in[3].grad()};
    if (!GetParam().bytes) {
      result.push_back(in[2].grad());
    }
    return result;
  }
};

TEST_P(AssociateInChunks, EqualsPlainAutograd) {
  std::vector<at::Tensor> in = inputs(at::kDouble, true);
  const at::Tensor value = GetParam().bytes ? in[2].to(at::kDouble) / 255 : in[2];
  const at::Tensor readout = plain(in[0], in[1], value, in[3]);
  readout.backward(random_tensor(readout.sizes(), 7));
  const std::vector<at::Tensor> ours = run(at::kDouble), in_float = run(at::kFloat);
  std::vector<at::Tensor> expected{readout.detach(), in[0].grad(), in[1].grad(), in[3].grad()};
  if (!GetParam().bytes) {
    expected.push_back(in[2].grad());
  }
  for (size_t i = 0; i < expected.size(); ++i) {
    const double scale = expected[i].abs().max().item<double>();
    EXPECT_LE(max_abs_difference(ours[i], expected[i]), 1e-12 * scale) << i;
    EXPECT_LE(max_abs_difference(in_float[i], expected[i]), 1e-4 * scale) << i;
  }
}

TEST_P(AssociateInChunks, DoesNotDependOnTheNumberOfThreads) {
  const int before = threads();
  set_threads(1);
  const std::vector<at::Tensor> single = run(at::kFloat);
  set_threads(5);
  const std::vector<at::Tensor> several = run(at::kFloat);
  set_threads(before);
  for (size_t i = 0; i < single.size(); ++i) {
    EXPECT_TRUE(single[i].equal(several[i])) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, AssociateInChunks,
                         ::testing::Values(Shape{1, 5, 9000, 8, 12, false}, Shape{1, 5, 9000, 8, 12, true},
                                           Shape{1, 4100, 30, 8, 5, false}, Shape{2, 2100, 5000, 4, 3, false},
                                           Shape{40, 3, 7, 5, 2, false}, Shape{1, 1, 1, 1, 1, false}),
                         [](const auto& test) {
                           const Shape& n = test.param;
                           return c10::str(n.batches, "x", n.queries, "x", n.stored, n.bytes ? "Bytes" : "");
                         });

TEST(AssociateOfBytes, ReadsThemAsPixels) {
  const at::Tensor bytes = at::arange(0, 6 * 7).view({1, 6, 7}).to(at::kByte);
  const at::Tensor query = random_tensor({1, 2, 4}, 1), stored = random_tensor({1, 6, 4}, 2);
  EXPECT_LT(max_abs_difference(associate(query, stored, bytes),
                               associate(query, stored, bytes.to(at::kDouble) / 255)),
            1e-15);
  EXPECT_LT(max_abs_difference(associate(query.to(at::kHalf), stored.to(at::kHalf), bytes),
                               associate(query, stored, bytes)),
            1e-3);
}

TEST(AssociateOfBytes, EqualsTheDivisionForEveryByte) {
  const at::Tensor bytes = at::arange(256).view({256, 1}).to(at::kByte);
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    const at::Tensor query = at::zeros({1, 1, 1}, type), stored = at::zeros({1, 1, 1}, type);
    for (int64_t byte = 0; byte < 256; ++byte) { // the readout is the value of the only pattern
      const at::Tensor value = bytes.slice(0, byte, byte + 1).unsqueeze(0);
      EXPECT_EQ(associate(query, stored, value).item<double>(), (value.to(type) / 255).item<double>())
          << byte;
    }
  }
}

TEST(AssociateGradient, IsComputedThroughTheRegisteredOperator) {
  const auto op = c10::Dispatcher::singleton().findSchemaOrThrow("mneme::associate", "");
  const at::Tensor query = random_tensor({1, 2, 4}, 1).requires_grad_(), stored = random_tensor({1, 6, 4}, 2);
  torch::jit::Stack stack{query, stored, stored, betas({1})};
  for (size_t i = stack.size(); i < op.schema().arguments().size(); ++i) { // optional arguments
    stack.push_back(*op.schema().arguments()[i].default_value());
  }
  op.callBoxed(stack);
  stack[0].toTensor().sum().backward();
  EXPECT_EQ(query.grad().sizes(), query.sizes());
}

TEST(AssociateGradient, OfOneInputDoesNotDependOnTheOthersRequiringOne) {
  const std::vector<at::Tensor> inputs{random_tensor({2, 3, 4}, 1), random_tensor({2, 5, 4}, 2),
                                       random_tensor({2, 5, 6}, 3), betas({2})};
  const auto gradients = [&](size_t first, size_t last) {
    std::vector<at::Tensor> in(inputs);
    for (size_t i = first; i < last; ++i) {
      in[i] = inputs[i].clone().requires_grad_();
    }
    associate(in[0], in[1], in[2], {.beta_tensor = in[3]}).sum().backward();
    return in;
  };
  const std::vector<at::Tensor> all = gradients(0, 4);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_TRUE(gradients(i, i + 1)[i].grad().equal(all[i].grad())) << i;
  }
}

TEST(AssociateGradient, WorksInInferenceModeAndWithoutGradients) {
  const at::Tensor query = random_tensor({1, 2, 4}, 1).requires_grad_();
  {
    const at::NoGradGuard none;
    EXPECT_FALSE(associate(query, query, query).requires_grad());
  }
  const c10::InferenceMode inference;
  const at::Tensor inside = random_tensor({1, 2, 4}, 1);
  EXPECT_TRUE(associate(inside, inside, inside).is_inference());
}

TEST(AssociateGradient, RejectsDoubleBackward) {
  const at::Tensor query = random_tensor({1, 2, 4}, 1).requires_grad_();
  const at::Tensor readout = associate(query, query, query);
  expect_contains(usage_error_of([&] {
                    torch::autograd::grad({readout.sum()}, {query}, {}, /*retain_graph=*/true,
                                          /*create_graph=*/true);
                  }),
                  {"second derivative", "create_graph"});
}

TEST(AssociateGradient, RejectsAWrongBetaTensor) {
  const at::Tensor any = at::zeros({2, 2, 3});
  const auto with = [&](const at::Tensor& beta, std::optional<double> number = {}) {
    return usage_error_of([&] { associate(any, any, any, {.beta = number, .beta_tensor = beta}); });
  };
  expect_contains(with(at::ones({3})), {"beta has 3 batches (shape [3])", "query has 2 batches"});
  expect_contains(with(at::ones({2, 1})), {"beta has 2 dimensions (shape [2, 1])", "at most 1"});
  expect_contains(with(at::ones({1}, at::kDouble)), {"beta is of type Double", "query is of type Float"});
  expect_contains(with(at::full({2}, std::nan(""))), {"beta 0 is nan", "finite"});
  expect_contains(with(at::ones({1}), 2.0), {"as a number (2)", "as a tensor"});
}

} // namespace
} // namespace mneme::ops
