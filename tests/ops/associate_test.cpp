// SPDX-License-Identifier: MIT

#include "mneme/ops/associate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "mneme/core/error.h"
#include "ops/tensors.h"

namespace mneme::ops {
namespace {

/// Reference: the formula, in scalar loops in float64.
at::Tensor reference(const at::Tensor& query, const at::Tensor& stored, const at::Tensor& value,
                     double beta) {
  const at::Tensor q64 = query.to(at::kDouble), s64 = stored.to(at::kDouble), v64 = value.to(at::kDouble);
  const auto q = q64.accessor<double, 3>(), s = s64.accessor<double, 3>(), v = v64.accessor<double, 3>();
  const int64_t batches = std::max({query.size(0), stored.size(0), value.size(0)});
  const int64_t num_stored = stored.size(1);
  at::Tensor readout = at::zeros({batches, query.size(1), value.size(2)}, at::kDouble);
  auto out = readout.accessor<double, 3>();
  for (int64_t b = 0; b < batches; ++b) {
    const int64_t bq = query.size(0) == 1 ? 0 : b, bs = stored.size(0) == 1 ? 0 : b;
    const int64_t bv = value.size(0) == 1 ? 0 : b;
    for (int64_t i = 0; i < query.size(1); ++i) {
      std::vector<double> scores(static_cast<size_t>(num_stored));
      double row_max = -std::numeric_limits<double>::infinity();
      for (int64_t j = 0; j < num_stored; ++j) {
        double dot = 0;
        for (int64_t d = 0; d < query.size(2); ++d) {
          dot += q[bq][i][d] * s[bs][j][d];
        }
        scores[static_cast<size_t>(j)] = beta * dot;
        row_max = std::max(row_max, beta * dot);
      }
      double sum = 0;
      for (double& score : scores) {
        score = std::exp(score - row_max);
        sum += score;
      }
      for (int64_t j = 0; j < num_stored; ++j) {
        for (int64_t k = 0; k < value.size(2); ++k) {
          out[b][i][k] += scores[static_cast<size_t>(j)] / sum * v[bv][j][k];
        }
      }
    }
  }
  return readout;
}

TEST(Associate, EqualsTheFormulaOnAnyShape) {
  struct Shape {
    int64_t batches, queries, stored, features, values;
  };
  uint64_t seed = 1;
  for (const Shape& n :
       {Shape{1, 1, 1, 1, 1}, Shape{2, 3, 5, 4, 6}, Shape{3, 7, 2, 17, 1}, Shape{1, 4, 33, 8, 9}}) {
    const at::Tensor query = random_tensor({n.batches, n.queries, n.features}, seed++);
    const at::Tensor stored = random_tensor({n.batches, n.stored, n.features}, seed++);
    const at::Tensor value = random_tensor({n.batches, n.stored, n.values}, seed++);
    EXPECT_LT(max_abs_difference(associate(query, stored, value, {.beta = 2.5}),
                                 reference(query, stored, value, 2.5)),
              1e-13);
    const at::Tensor in_float =
        associate(query.to(at::kFloat), stored.to(at::kFloat), value.to(at::kFloat), {.beta = 2.5});
    EXPECT_EQ(in_float.scalar_type(), at::kFloat);
    EXPECT_LT(max_abs_difference(in_float, reference(query, stored, value, 2.5)), 1e-5);
  }
}

TEST(Associate, HasOneOverTheRootOfFeaturesAsDefaultBeta) {
  const at::Tensor query = random_tensor({2, 3, 16}, 1), stored = random_tensor({2, 5, 16}, 2);
  const at::Tensor value = random_tensor({2, 5, 4}, 3);
  EXPECT_LT(max_abs_difference(associate(query, stored, value), reference(query, stored, value, 0.25)),
            1e-13);
}

TEST(Associate, BroadcastsABatchOfOneInAnyInput) {
  for (int batched_inputs = 0; batched_inputs < 8; ++batched_inputs) {
    const auto batches = [&](int side) { return int64_t{(batched_inputs >> side & 1) != 0 ? 3 : 1}; };
    const at::Tensor query = random_tensor({batches(0), 2, 4}, 1),
                     stored = random_tensor({batches(1), 5, 4}, 2);
    const at::Tensor value = random_tensor({batches(2), 5, 6}, 3);
    EXPECT_LT(max_abs_difference(associate(query, stored, value), reference(query, stored, value, 0.5)),
              1e-13);
  }
}

TEST(Associate, AcceptsNonContiguousTensors) {
  const at::Tensor query = random_tensor({2, 4, 3}, 1).transpose(1, 2),
                   stored = random_tensor({2, 5, 8}, 2).slice(2, 0, 8, 2);
  const at::Tensor value = random_tensor({6, 5, 2}, 3).permute({2, 1, 0});
  EXPECT_LT(max_abs_difference(associate(query, stored, value), reference(query, stored, value, 0.5)), 1e-13);
}

TEST(Associate, ReturnsAnEmptyTensorWithoutQueries) {
  EXPECT_EQ(associate(at::zeros({2, 0, 4}), at::zeros({2, 5, 4}), at::zeros({2, 5, 3})).sizes(),
            at::IntArrayRef({2, 0, 3}));
  EXPECT_EQ(associate(at::zeros({0, 3, 4}), at::zeros({0, 5, 4}), at::zeros({0, 5, 3})).sizes(),
            at::IntArrayRef({0, 3, 3}));
  EXPECT_EQ(associate(at::zeros({1, 3, 4}), at::zeros({1, 5, 4}), at::zeros({0, 5, 3})).sizes(),
            at::IntArrayRef({0, 3, 3}));
}

TEST(Associate, ReturnsTheBestMatchWhenBetaIsLarge) {
  const at::Tensor stored = torch::nn::functional::normalize(
      random_tensor({1, 20, 32}, 1), torch::nn::functional::NormalizeFuncOptions().dim(2));
  const at::Tensor query = stored + 0.1 * random_tensor({1, 20, 32}, 2); // each near one pattern
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    const at::Tensor patterns = stored.to(type);
    EXPECT_LT(max_abs_difference(associate(query.to(type), patterns, patterns, {.beta = 1e4}), patterns),
              1e-12);
  }
}

TEST(Associate, GivesEqualScoresEqualWeights) {
  const at::Tensor stored = random_tensor({1, 1, 4}, 1).expand({1, 6, 4});
  const at::Tensor value = random_tensor({1, 6, 3}, 2);
  EXPECT_LT(max_abs_difference(associate(random_tensor({1, 2, 4}, 3), stored, value, {.beta = 1e4}),
                               value.mean(1, true).expand({1, 2, 3})),
            1e-14);
}

TEST(Associate, WeightsSumToOne) {
  const at::Tensor readout = associate(random_tensor({2, 3, 8}, 1), random_tensor({2, 50, 8}, 2),
                                       at::ones({2, 50, 1}, at::kDouble), {.beta = 7.0});
  EXPECT_LT(max_abs_difference(readout, at::ones({2, 3, 1}, at::kDouble)), 1e-14);
}

TEST(Associate, DoesNotDependOnTheOrderOfStoredPatterns) {
  const at::Tensor query = random_tensor({2, 3, 8}, 1), stored = random_tensor({2, 9, 8}, 2),
                   value = random_tensor({2, 9, 4}, 3);
  const at::Tensor order = at::randperm(9, at::make_generator<at::CPUGeneratorImpl>(5), at::kLong);
  EXPECT_LT(max_abs_difference(associate(query, stored, value),
                               associate(query, stored.index_select(1, order), value.index_select(1, order))),
            1e-14);
}

TEST(Associate, NamesBothShapesWhenFeaturesDiffer) {
  expect_contains(usage_error_of([] {
                    associate(at::zeros({2, 5, 32}), at::zeros({2, 10, 64}), at::zeros({2, 10, 8}));
                  }),
                  {"mneme::ops::associate", "stored has 64 features (shape [2, 10, 64])",
                   "query has 32 features (shape [2, 5, 32])", "project"});
}

TEST(Associate, NamesBothShapesWhenPatternsAndValuesDiffer) {
  expect_contains(usage_error_of([] {
                    associate(at::zeros({2, 5, 32}), at::zeros({2, 10, 32}), at::zeros({2, 11, 8}));
                  }),
                  {"value has 11 patterns (shape [2, 11, 8])", "stored has 10 patterns (shape [2, 10, 32])"});
}

TEST(Associate, NamesBothShapesWhenBatchesDiffer) {
  expect_contains(usage_error_of([] {
                    associate(at::zeros({2, 5, 4}), at::zeros({3, 6, 4}), at::zeros({3, 6, 4}));
                  }),
                  {"stored has 3 batches (shape [3, 6, 4])", "query has 2 batches (shape [2, 5, 4])"});
  expect_contains(usage_error_of([] {
                    associate(at::zeros({1, 5, 4}), at::zeros({3, 6, 4}), at::zeros({2, 6, 4}));
                  }),
                  {"value has 2 batches (shape [2, 6, 4])", "stored has 3 batches (shape [3, 6, 4])"});
}

TEST(Associate, NamesTheDimensionsOfATensorWithoutThree) {
  expect_contains(usage_error_of([] {
                    associate(at::zeros({5, 4}), at::zeros({1, 6, 4}), at::zeros({1, 6, 4}));
                  }),
                  {"query has 2 dimensions (shape [5, 4])", "3 are needed", "unsqueeze"});
  expect_contains(usage_error_of([] {
                    associate(at::zeros({1, 5, 4}), at::zeros({1, 6, 4}), at::Tensor());
                  }),
                  {"value is an undefined tensor"});
}

TEST(Associate, NamesBothTypesWhenTheyDiffer) {
  expect_contains(usage_error_of([] {
                    associate(at::zeros({1, 5, 4}), at::zeros({1, 6, 4}), at::zeros({1, 6, 4}, at::kDouble));
                  }),
                  {"value is of type Double", "query is of type Float"});
  expect_contains(usage_error_of([] {
                    associate(at::zeros({1, 5, 4}, at::kLong), at::zeros({1, 6, 4}), at::zeros({1, 6, 4}));
                  }),
                  {"query is of type Long", "real floating point"});
}

TEST(Associate, NamesBothDevicesWhenTheyDiffer) {
  expect_contains(usage_error_of([] {
                    associate(at::zeros({1, 5, 4}), at::zeros({1, 6, 4}, at::kMeta), at::zeros({1, 6, 4}));
                  }),
                  {"stored is on meta", "query is on cpu"});
}

TEST(Associate, RejectsAnEmptyMemory) {
  expect_contains(usage_error_of([] {
                    associate(at::zeros({1, 5, 4}), at::zeros({1, 0, 4}), at::zeros({1, 0, 4}));
                  }),
                  {"stored has 0 patterns (shape [1, 0, 4])", "at least 1"});
  expect_contains(usage_error_of([] {
                    associate(at::zeros({1, 5, 0}), at::zeros({1, 6, 0}), at::zeros({1, 6, 4}));
                  }),
                  {"stored has 0 features", "at least 1"});
}

TEST(Associate, RejectsABetaThatIsNotPositive) {
  const at::Tensor any = at::zeros({1, 2, 3});
  const auto with = [&](double beta) {
    return usage_error_of([&] { associate(any, any, any, {.beta = beta}); });
  };
  expect_contains(with(0), {"beta is 0", "> 0"});
  expect_contains(with(-2), {"beta is -2", "> 0"});
  expect_contains(with(std::numeric_limits<double>::quiet_NaN()), {"beta is", "nan", "finite"});
  expect_contains(with(std::numeric_limits<double>::infinity()), {"beta is inf", "finite"});
}

} // namespace
} // namespace mneme::ops
