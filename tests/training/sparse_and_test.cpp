// SPDX-License-Identifier: MIT

#include "mneme/training/sparse_and.h"

#include <gtest/gtest.h>

#include "mneme/core/parallel.h"
#include "trials/messages.h"

namespace mneme::training {
namespace {

Progress silent;

SparseAndOptions short_run(int64_t seeds) {
  return {.model = mlp_model(9, 16),
          .training_samples = 60,
          .validation_samples = 40,
          .schedule = {.epochs = 20},
          .seeds = seeds};
}

TEST(TrainSparseAnd, LearnsWithSelfAttentionFromFewSamples) {
  SparseAndOptions options{.model = self_attention_model(9), .seeds = 4};
  options.schedule.epochs = 1000;
  for (const SparseAndTrial& trial : train_sparse_and(options, silent)) {
    EXPECT_EQ(trial.fit.curve.back().accuracy, 1);
    EXPECT_GT(trial.validation_score.accuracy, 0.97);
    EXPECT_LT(trial.fit.curve.back().loss, trial.fit.curve.front().loss / 10);
  }
}

TEST(TrainSparseAnd, DoesNotDependOnTheNumberOfThreadsOrSeeds) {
  const int before = threads();
  set_threads(1);
  const auto alone = train_sparse_and(short_run(2), silent);
  set_threads(4);
  const auto many = train_sparse_and(short_run(5), silent);
  set_threads(before);
  for (size_t i = 0; i < alone.size(); ++i) {
    EXPECT_EQ(alone[i].fit.parameters, many[i].fit.parameters);
    EXPECT_EQ(alone[i].training.inputs, many[i].training.inputs);
    EXPECT_EQ(alone[i].validation_score.loss, many[i].validation_score.loss);
  }
  EXPECT_NE(many[0].function.relevant, many[1].function.relevant);
  EXPECT_NE(many[0].fit.parameters, many[1].fit.parameters);
}

TEST(TrainSparseAnd, RejectsTrialsOfOneClassIfBothAreRequired) {
  SparseAndOptions options = short_run(2);
  options.sampling = {.probability_of_one = 0, .accept_last_try = true};
  options.schedule.epochs = 1;
  EXPECT_EQ(train_sparse_and(options, silent).front().training.fraction_true(), 0);
  options.both_classes_required = true;
  trials::expect_usage_error([&] { train_sparse_and(options, silent); },
                             {"all 60 training labels of trial 0 are false"});
}

TEST(TrainSparseAnd, RejectsInvalidArguments) {
  trials::expect_usage_error([] { train_sparse_and(short_run(0), silent); }, {"0 seeds", "at least 1"});
  SparseAndOptions options = short_run(1);
  options.sparsity = 5;
  trials::expect_usage_error([&] { train_sparse_and(options, silent); }, {"2 s = 10", "T - 1 = 8"});
}

} // namespace
} // namespace mneme::training
