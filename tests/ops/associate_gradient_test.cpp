// SPDX-License-Identifier: MIT

#include "mneme/ops/associate.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include "mneme/core/parallel.h"
#include "ops/tensors.h"

namespace mneme::ops {
namespace {

/// The same by LibTorch's own operations.
at::Tensor plain(const at::Tensor& query, const at::Tensor& stored, const at::Tensor& value,
                 const at::Tensor& beta) {
  return at::matmul(at::softmax(at::matmul(query * beta.view({-1, 1, 1}), stored.transpose(1, 2)), -1),
                    value);
}

at::Tensor betas(at::IntArrayRef shape) {
  return random_tensor(shape, 9).abs() + 0.5;
}

TEST(AssociateGradient, EqualsFiniteDifferencesInEveryInput) {
  const at::Tensor seen = random_tensor({2, 3, 2}, 4); // how much each output counts
  for (const int64_t num_betas : {1, 2}) {
    expect_gradients_of(
        [&](const std::vector<at::Tensor>& in) {
          return (associate(in[0], in[1], in[2], {.beta_tensor = in[3]}) * seen).sum();
        },
        {random_tensor({2, 3, 4}, 1), random_tensor({1, 5, 4}, 2), random_tensor({2, 5, 2}, 3),
         betas({num_betas})});
  }
}

TEST(AssociateGradient, EqualsPlainAutogradForABatchOfOneOnAnySide) {
  for (int kept_whole = 0; kept_whole < 16; ++kept_whole) {
    const auto batches = [&](int side) { return int64_t{(kept_whole >> side & 1) != 0 ? 3 : 1}; };
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
    EXPECT_LT(largest_difference(readout, expected), 1e-14);
    const at::Tensor seen = random_tensor(expected.sizes(), 5);
    readout.backward(seen);
    expected.backward(seen);
    for (size_t i = 0; i < inputs.size(); ++i) {
      EXPECT_LT(largest_difference(ours[i].grad(), theirs[i].grad()), 1e-13)
          << "input " << i << ", kept whole " << kept_whole;
    }
  }
}

/// Shapes that are cut into pieces of stored patterns, of queries, or of both; and bytes, which are read in
/// chunks.
struct Cut {
  int64_t batches, queries, stored, features, values;
  bool bytes;
};
class AssociateOfAnyCut : public ::testing::TestWithParam<Cut> {
protected:
  std::vector<at::Tensor> inputs(at::ScalarType type, bool with_gradient) const {
    const Cut n = GetParam();
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

TEST_P(AssociateOfAnyCut, EqualsPlainAutograd) {
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
    const double largest = expected[i].abs().max().item<double>();
    EXPECT_LE(largest_difference(ours[i], expected[i]), 1e-12 * largest) << i;
    EXPECT_LE(largest_difference(in_float[i], expected[i]), 1e-4 * largest) << i;
  }
}

TEST_P(AssociateOfAnyCut, DoesNotDependOnTheNumberOfThreads) {
  const int before = threads();
  set_threads(1);
  const std::vector<at::Tensor> alone = run(at::kFloat);
  set_threads(5);
  const std::vector<at::Tensor> together = run(at::kFloat);
  set_threads(before);
  for (size_t i = 0; i < alone.size(); ++i) {
    EXPECT_TRUE(alone[i].equal(together[i])) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, AssociateOfAnyCut,
                         ::testing::Values(Cut{1, 5, 9000, 8, 12, false}, Cut{1, 5, 9000, 8, 12, true},
                                           Cut{1, 4100, 30, 8, 5, false}, Cut{2, 2100, 5000, 4, 3, false},
                                           Cut{40, 3, 7, 5, 2, false}, Cut{1, 1, 1, 1, 1, false}),
                         [](const auto& test) {
                           const Cut& n = test.param;
                           return c10::str(n.batches, "x", n.queries, "x", n.stored, n.bytes ? "Bytes" : "");
                         });

TEST(AssociateOfBytes, IsThatOfTheirPixels) {
  const at::Tensor bytes = at::arange(0, 6 * 7).view({1, 6, 7}).to(at::kByte);
  const at::Tensor query = random_tensor({1, 2, 4}, 1), stored = random_tensor({1, 6, 4}, 2);
  EXPECT_LT(largest_difference(associate(query, stored, bytes),
                               associate(query, stored, bytes.to(at::kDouble) / 255)),
            1e-15);
  EXPECT_LT(largest_difference(associate(query.to(at::kHalf), stored.to(at::kHalf), bytes),
                               associate(query, stored, bytes)),
            1e-3);
}

TEST(AssociateOfBytes, ReadsEveryByteAsTheDivisionWould) {
  const at::Tensor bytes = at::arange(256).view({256, 1}).to(at::kByte);
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    const at::Tensor query = at::zeros({1, 1, 1}, type), stored = at::zeros({1, 1, 1}, type);
    for (int64_t byte = 0; byte < 256; ++byte) { // one pattern, which is all that can be recalled
      const at::Tensor value = bytes.slice(0, byte, byte + 1).unsqueeze(0);
      EXPECT_EQ(associate(query, stored, value).item<double>(), (value.to(type) / 255).item<double>())
          << byte;
    }
  }
}

TEST(AssociateGradient, IsReachedThroughTheRegisteredOperator) {
  const auto op = c10::Dispatcher::singleton().findSchemaOrThrow("mneme::associate", "");
  const at::Tensor query = random_tensor({1, 2, 4}, 1).requires_grad_(), stored = random_tensor({1, 6, 4}, 2);
  torch::jit::Stack stack{query, stored, stored, betas({1})};
  for (size_t i = stack.size(); i < op.schema().arguments().size(); ++i) { // what a caller may leave out
    stack.push_back(*op.schema().arguments()[i].default_value());
  }
  op.callBoxed(stack);
  stack[0].toTensor().sum().backward();
  EXPECT_EQ(query.grad().sizes(), query.sizes());
}

TEST(AssociateGradient, OfOneInputAloneIsThatAmongAll) {
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

TEST(AssociateGradient, RefusesASecondDerivative) {
  const at::Tensor query = random_tensor({1, 2, 4}, 1).requires_grad_();
  const at::Tensor readout = associate(query, query, query);
  expect_contains(usage_error_of([&] {
                    torch::autograd::grad({readout.sum()}, {query}, {}, /*retain_graph=*/true,
                                          /*create_graph=*/true);
                  }),
                  {"second derivative", "create_graph"});
}

TEST(AssociateGradient, RefusesABetaTensorThatDoesNotFit) {
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
