// SPDX-License-Identifier: MIT

#include "mneme/ops/linear_cross_entropy.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "mneme/core/error.h"
#include "mneme/core/parallel.h"

namespace mneme::ops {
namespace {

struct Case {
  int64_t rows, size, words;
  at::ScalarType type = at::kFloat;
  bool bias = false;
};

struct Inputs {
  explicit Inputs(const Case& c) {
    torch::manual_seed(c.rows + 7 * c.size + 11 * c.words);
    const auto options = at::TensorOptions(c.type).requires_grad(true);
    hidden = torch::randn({c.rows, c.size}, options);
    weight = torch::randn({c.words, c.size}, options);
    bias = c.bias ? torch::randn({c.words}, options) : at::Tensor();
    targets = torch::randint(c.words, {c.rows}, at::kLong);
    if (c.rows > 2) {
      targets[1] = kIgnoredTarget;
      targets[c.rows - 1] = kIgnoredTarget;
    }
  }
  torch::autograd::variable_list leaves() const {
    return bias.defined() ? torch::autograd::variable_list{hidden, weight, bias}
                          : torch::autograd::variable_list{hidden, weight};
  }
  at::Tensor hidden, weight, bias, targets;
};

/// LibTorch's loss, computed in `type`.
at::Tensor reference(const Inputs& in, at::ScalarType type = at::kDouble) {
  const at::Tensor logits =
      at::linear(in.hidden.to(type), in.weight.to(type), in.bias.defined() ? in.bias.to(type) : at::Tensor());
  return at::cross_entropy_loss(logits, in.targets, {}, at::Reduction::Sum, kIgnoredTarget);
}

double relative_difference(const at::Tensor& a, const at::Tensor& b) {
  const double scale = std::max(1e-12, b.abs().max().item<double>());
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>() / scale;
}

TEST(LinearCrossEntropy, EqualsLibTorchWithGradients) {
  for (const Case& c : {Case{1, 1, 1}, Case{3, 5, 7}, Case{40, 16, 300, at::kFloat, true},
                        Case{1100, 8, 65, at::kFloat, true}, Case{70, 24, 70000},
                        Case{33, 9, 130, at::kDouble, true}, Case{50, 12, 90, at::kBFloat16, true}}) {
    const Inputs in(c);
    const CrossEntropySum loss = linear_cross_entropy(in.hidden, in.weight, in.bias, in.targets);
    EXPECT_EQ(loss.count, c.rows > 2 ? c.rows - 2 : c.rows);
    EXPECT_EQ(loss.sum.scalar_type(), at::kDouble);
    const double tolerance = c.type == at::kDouble ? 1e-12 : c.type == at::kFloat ? 1e-5 : 2e-2;
    const at::Tensor expected = reference(in);
    EXPECT_LT(relative_difference(loss.sum, expected), tolerance) << c.words;
    // A factor other than 1, as of a mean.
    const auto ours = torch::autograd::grad({loss.sum * 0.25}, in.leaves()),
               theirs = torch::autograd::grad({expected * 0.25}, in.leaves()),
               rounded = torch::autograd::grad({reference(in, c.type) * 0.25}, in.leaves());
    for (size_t i = 0; i < ours.size(); ++i) {
      EXPECT_EQ(ours[i].scalar_type(), c.type);
      // Over 70 000 words, LibTorch's own rounding errors reach 1e-5, and depend on the CPU.
      const double allowed = std::max(tolerance, 1.5 * relative_difference(rounded[i], theirs[i]));
      EXPECT_LT(relative_difference(ours[i], theirs[i]), allowed) << c.words << " words, gradient " << i;
    }
  }
}

TEST(LinearCrossEntropy, PartsOfABatchAddUpToTheWhole) {
  Inputs in({64, 20, 100});
  in.targets.slice(0, 5, 29).fill_(kIgnoredTarget);
  const CrossEntropySum whole = linear_cross_entropy(in.hidden, in.weight, {}, in.targets);
  const auto expected = torch::autograd::grad({whole.sum / whole.count}, in.leaves());
  for (const int64_t part : {1, 7, 32}) {
    double sum = 0;
    int64_t count = 0;
    at::Tensor d_weight = at::zeros_like(in.weight);
    for (int64_t first = 0; first < 64; first += part) {
      const CrossEntropySum loss = linear_cross_entropy(in.hidden.slice(0, first, first + part), in.weight,
                                                        {}, in.targets.slice(0, first, first + part));
      d_weight += torch::autograd::grad({loss.sum / whole.count}, {in.weight})[0];
      sum += loss.sum.item<double>();
      count += loss.count;
    }
    EXPECT_EQ(count, whole.count);
    EXPECT_NEAR(sum, whole.sum.item<double>(), 1e-6 * sum) << part;
    EXPECT_LT(relative_difference(d_weight, expected[1]), 1e-6) << part;
  }
}

TEST(LinearCrossEntropy, DoesNotDependOnTheNumberOfThreads) {
  for (const int64_t words : {90, 40000}) {
    const Inputs in({131, 17, words, at::kFloat, true});
    std::vector<at::Tensor> first;
    for (const int count : {1, 2, 5}) {
      set_threads(count);
      const CrossEntropySum loss = linear_cross_entropy(in.hidden, in.weight, in.bias, in.targets);
      std::vector<at::Tensor> all = torch::autograd::grad({loss.sum}, in.leaves());
      all.push_back(loss.sum);
      for (size_t i = 0; i < first.size(); ++i) {
        EXPECT_TRUE(all[i].equal(first[i])) << words << " words, " << count << " threads, result " << i;
      }
      first = first.empty() ? all : first;
    }
    set_threads(1);
  }
}

TEST(LinearCrossEntropy, WithoutGradientsOrTargets) {
  const Inputs in({30, 6, 40});
  const at::Tensor with = linear_cross_entropy(in.hidden, in.weight, {}, in.targets).sum;
  {
    const at::NoGradGuard guard;
    const at::Tensor without = linear_cross_entropy(in.hidden, in.weight, {}, in.targets).sum;
    EXPECT_FALSE(without.requires_grad());
    EXPECT_EQ(without.item<double>(), with.item<double>());
  }
  const CrossEntropySum none =
      linear_cross_entropy(in.hidden, in.weight, {}, at::full({30}, kIgnoredTarget, at::kLong));
  EXPECT_EQ(none.count, 0);
  EXPECT_EQ(none.sum.item<double>(), 0);
  EXPECT_EQ(torch::autograd::grad({none.sum}, {in.weight})[0].abs().max().item<float>(), 0);
}

TEST(LinearCrossEntropy, LogitsFarApartStayFinite) {
  const at::Tensor hidden = at::full({2, 1}, 1e4F).requires_grad_(),
                   weight = at::tensor({1.F, -1.F}).unsqueeze(1).requires_grad_();
  const CrossEntropySum loss = linear_cross_entropy(hidden, weight, {}, at::tensor({0, 1}, at::kLong));
  EXPECT_EQ(loss.sum.item<double>(), 2e4);
  EXPECT_TRUE(torch::autograd::grad({loss.sum}, {weight})[0].isfinite().all().item<bool>());
}

TEST(LinearCrossEntropy, NamesBothSidesOfErrors) {
  const Inputs in({4, 6, 10});
  const auto message = [&](const at::Tensor& hidden, const at::Tensor& bias, const at::Tensor& targets) {
    try {
      linear_cross_entropy(hidden, in.weight, bias, targets);
      return std::string("no error");
    } catch (const UsageError& error) {
      return std::string(error.what());
    }
  };
  const auto expect = [](const std::string& text, const std::vector<std::string>& parts) {
    for (const std::string& part : parts) {
      EXPECT_NE(text.find(part), std::string::npos) << text;
    }
  };
  expect(message(at::zeros({4, 5}), {}, in.targets), {"6 features", "5 features"});
  expect(message(in.hidden, {}, in.targets.slice(0, 1)), {"3 rows", "4 rows"});
  expect(message(in.hidden, at::zeros({9}), in.targets), {"9 words", "10 words"});
  expect(message(in.hidden, {}, at::tensor({0, 1, 2, 10}, at::kLong)), {"0 to 10", "10 words"});
  expect(message(in.hidden, {}, at::tensor({0, -1, 2, 3}, at::kLong)), {"-1 to 3"});
  expect(message(in.hidden, {}, in.targets.to(at::kInt)), {"Int", "Long"});
  const at::Tensor sum = linear_cross_entropy(in.hidden, in.weight, {}, in.targets).sum;
  EXPECT_THROW(torch::autograd::grad({sum}, {in.hidden}, {}, true, true), UsageError);
}

} // namespace
} // namespace mneme::ops
