// SPDX-License-Identifier: MIT

#include "mneme/training/recall_trainer.h"

#include <cmath>

#include "mneme/core/interrupt.h"
#include "mneme/core/parallel.h"
#include "ops/tensors.h"

namespace mneme::training {
namespace {

using ops::expect_contains;
using ops::usage_error_of;

constexpr RecallMixer kMixers[] = {RecallMixer::leap, RecallMixer::matrix_leap, RecallMixer::attention,
                                   RecallMixer::hopfield};

struct Data {
  data::AssociativeRecall training, test;
};

Data draw(int64_t examples, int64_t pairs = 2) {
  data::AssociativeRecallOptions options{
      .num_examples = examples, .length = 12, .num_pairs = pairs, .vocab_size = 16, .seed = 1};
  Data drawn{.training = data::draw_associative_recall(options)};
  options.num_examples = 100;
  options.seed = 2;
  drawn.test = data::draw_associative_recall(options);
  return drawn;
}

RecallJob job_of(const Data& data, const RecallModel& model, int64_t epochs) {
  return {.model = model,
          .schedule = {.epochs = epochs, .batch_size = 32, .learning_rate = 1e-2},
          .training = &data.training,
          .test = &data.test,
          .seed = 5};
}

bool same(const std::vector<RecallFit>& a, const std::vector<RecallFit>& b) {
  return std::ranges::equal(a, b, [](const RecallFit& x, const RecallFit& y) {
    return std::ranges::equal(x.epochs, y.epochs, [](const RecallEpoch& u, const RecallEpoch& v) {
      return u.loss == v.loss && u.accuracy == v.accuracy;
    });
  });
}

TEST(RecallTrainer, EveryModelTrainsTheSameOnAnyNumberOfThreads) {
  const Data data = draw(96);
  std::vector<RecallJob> jobs;
  for (const RecallMixer mixer : kMixers) {
    for (const bool convolution : {true, false}) {
      jobs.push_back(job_of(data,
                            {.mixer = mixer,
                             .width = 8,
                             .heads = 2,
                             .updates = mixer == RecallMixer::hopfield ? 2 : 0,
                             .convolution = convolution},
                            2));
    }
  }
  Progress silent;
  const std::vector<RecallFit> fits = train_recall(jobs, silent);
  ASSERT_EQ(fits.size(), 8U);
  for (const RecallFit& fit : fits) {
    ASSERT_EQ(fit.epochs.size(), 2U);
    EXPECT_FALSE(fit.diverged);
    EXPECT_LT(fit.epochs[1].loss, fit.epochs[0].loss);
    EXPECT_NEAR(fit.epochs[0].loss, std::log(16.0), 0.3); // a uniform prediction at first
    EXPECT_GT(fit.num_parameters, 16 * 8);
  }
  const int before = threads();
  set_threads(1);
  EXPECT_TRUE(same(train_recall(jobs, silent), fits));
  set_threads(before);
  EXPECT_TRUE(same(train_recall({&jobs[3], 1}, silent), {fits[3]}));
}

TEST(RecallTrainer, AttentionSolvesASmallTaskAndStopsThere) {
  const Data data = draw(2000);
  RecallJob job = job_of(data, {.mixer = RecallMixer::attention, .width = 16}, 20);
  Progress silent;
  const RecallFit fit = train_recall({&job, 1}, silent).front();
  EXPECT_GE(fit.accuracy(), 0.99);
  EXPECT_LT(fit.epochs.size(), 20U);
}

TEST(RecallTrainer, ReportsARunThatDiverges) {
  const Data data = draw(96);
  RecallJob job = job_of(data, {.mixer = RecallMixer::leap, .width = 8}, 50);
  job.schedule.learning_rate = 1e30;
  Progress silent;
  const RecallFit fit = train_recall({&job, 1}, silent).front();
  EXPECT_TRUE(fit.diverged);
  EXPECT_EQ(fit.accuracy(), 0);
}

TEST(RecallTrainer, IsInterrupted) {
  const Data data = draw(96);
  const RecallJob job = job_of(data, {.width = 8}, 2);
  Progress silent;
  request_interrupt();
  EXPECT_THROW(train_recall({&job, 1}, silent), Interrupted);
  clear_interrupt();
}

TEST(RecallTrainer, RejectsInvalidJobs) {
  const Data data = draw(10);
  Progress silent;
  const auto error_of = [&](const std::function<void(RecallJob&)>& change) {
    RecallJob job = job_of(data, {.width = 8, .heads = 2}, 1);
    change(job);
    return usage_error_of([&] { train_recall({&job, 1}, silent); });
  };
  expect_contains(error_of([](RecallJob& job) { job.training = nullptr; }), {"no examples"});
  const data::AssociativeRecall longer =
      data::draw_associative_recall({.num_examples = 2, .length = 14, .num_pairs = 2, .vocab_size = 16});
  expect_contains(error_of([&](RecallJob& job) { job.test = &longer; }), {"12 tokens", "14 tokens"});
  expect_contains(error_of([](RecallJob& job) { job.model.heads = 3; }), {"width is 8", "heads = 3"});
  expect_contains(error_of([](RecallJob& job) { job.model.heads = 0; }), {"heads is 0"});
  expect_contains(error_of([](RecallJob& job) { job.model.updates = 1; }), {"updates is 1", "LEAP"});
  expect_contains(error_of([](RecallJob& job) { job.model.updates = -1; }), {"updates is -1"});
  expect_contains(error_of([](RecallJob& job) { job.schedule.epochs = 0; }), {"epochs is 0"});
  expect_contains(error_of([](RecallJob& job) { job.schedule.batch_size = 0; }), {"batch_size is 0"});
  expect_contains(error_of([](RecallJob& job) { job.schedule.learning_rate = 0; }), {"learning_rate is 0"});
  expect_contains(error_of([](RecallJob& job) { job.schedule.weight_decay = -1; }), {"weight_decay is -1"});
  expect_contains(error_of([](RecallJob& job) { job.schedule.dropout = 1; }), {"dropout is 1"});
}

TEST(RecallTask, CountsTheBytesOfAState) {
  EXPECT_EQ(state_bytes({.mixer = RecallMixer::leap, .width = 64, .heads = 4}, 64), 4 * (2 * 64 + 4));
  EXPECT_EQ(state_bytes({.mixer = RecallMixer::matrix_leap, .width = 64, .heads = 1}, 64),
            4 * (64 * 64 + 64));
  EXPECT_EQ(state_bytes({.mixer = RecallMixer::matrix_leap, .width = 64, .heads = 64}, 64), 4 * 2 * 64);
  // The published size of attention: 1.05 MB for a width of 128 and 1024 tokens.
  EXPECT_EQ(state_bytes({.mixer = RecallMixer::attention, .width = 128}, 1024), 1'048'576);
  EXPECT_EQ(state_bytes({.mixer = RecallMixer::hopfield, .width = 64, .updates = 2}, 64), 4 * 2 * 64 * 64);
}

} // namespace
} // namespace mneme::training
