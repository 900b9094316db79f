// SPDX-License-Identifier: MIT

#include "mneme/trials/neuron_sdm_trial.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "mneme/core/interrupt.h"
#include "mneme/core/parallel.h"
#include "mneme/theory/one_read_error.h"
#include "mneme/theory/plan.h"
#include "trials/messages.h"

namespace mneme::trials {
namespace {

// Theory never sees a memory, and memories never see theory: here they meet.
TEST(NeuronSdmTrial, ConfirmsPlansToEightPercentOfTheErrorRate) {
  struct Case {
    theory::PlanRequest request;
    int64_t trials; ///< so many that the mean is good to 2 or 3 %
  };
  const Case cases[] = {{{.bits = 100, .patterns = 50, .noise = 0.1, .target = 0.99}, 200},
                        {{.bits = 256, .patterns = 200, .noise = 0.1, .target = 0.99}, 60},
                        {{.bits = 256, .patterns = 200, .noise = 0.2, .target = 0.95}, 30},
                        {{.bits = 256,
                          .patterns = 100,
                          .noise = 0.1,
                          .target = 0.98,
                          .storage = theory::Storage::heteroassociative},
                         100}};
  for (const auto& [request, trials] : cases) {
    SCOPED_TRACE(::testing::Message() << request.bits << " bits, target " << request.target);
    const theory::Plan plan = theory::plan_memory(request);
    ASSERT_TRUE(plan.reaches_target);
    Progress silent;
    const NeuronSdmTrial trial =
        neuron_sdm_trial({.bits = request.bits,
                          .hard_locations = static_cast<int64_t>(plan.hard_locations),
                          .hamming_radius = plan.hamming_radius,
                          .patterns = static_cast<int64_t>(request.patterns),
                          .flips = std::llround(request.noise * static_cast<double>(request.bits)),
                          .heteroassociative = request.storage == theory::Storage::heteroassociative,
                          .trials = trials},
                         silent);
    EXPECT_NEAR(trial.wrong_share.mean / (1 - plan.right_share), 1, 0.08);
    EXPECT_LE(*trial.wrong_share.half_width, 0.08 * trial.wrong_share.mean);
    EXPECT_GE(trial.exact_end.mean, trial.exact_once.mean);
  }
}

TEST(NeuronSdmTrial, DoesNotDependOnTheNumberOfThreads) {
  Progress silent;
  const NeuronSdmTrialOptions options{
      .bits = 100, .hard_locations = 3000, .hamming_radius = 40, .patterns = 300, .flips = 5, .seed = 7};
  const NeuronSdmTrial first = neuron_sdm_trial(options, silent);
  const int before = threads();
  set_threads(before == 1 ? 3 : 1);
  const NeuronSdmTrial second = neuron_sdm_trial(options, silent);
  set_threads(before);
  EXPECT_EQ(first.wrong_share.mean, second.wrong_share.mean);
  EXPECT_EQ(first.exact_end.mean, second.exact_end.mean);
  EXPECT_GT(first.wrong_share.mean, 0);
}

TEST(NeuronSdmTrial, OfOneTrialHasNoInterval) {
  Progress silent;
  const NeuronSdmTrial trial = neuron_sdm_trial(
      {.bits = 64, .hard_locations = 1000, .hamming_radius = 24, .patterns = 10, .flips = 3, .trials = 1},
      silent);
  EXPECT_FALSE(trial.wrong_share.half_width);
}

TEST(NeuronSdmTrial, StopsWhenInterrupted) {
  Progress silent;
  request_interrupt();
  EXPECT_THROW(
      neuron_sdm_trial({.bits = 64, .hard_locations = 10, .hamming_radius = 24, .patterns = 10, .flips = 3},
                       silent),
      Interrupted);
  clear_interrupt();
}

TEST(NeuronSdmTrial, NamesWhatIsWrong) {
  Progress silent;
  const NeuronSdmTrialOptions good{
      .bits = 64, .hard_locations = 10, .hamming_radius = 24, .patterns = 10, .flips = 3};
  const auto expect_refusal = [&](auto change, std::initializer_list<std::string> parts) {
    NeuronSdmTrialOptions options = good;
    change(options);
    expect_usage_error([&] { neuron_sdm_trial(options, silent); }, parts);
  };
  expect_refusal([](auto& o) { o.patterns = 0; }, {"patterns is 0"});
  expect_refusal([](auto& o) { o.cues = 0; }, {"cues is 0"});
  expect_refusal([](auto& o) { o.trials = -1; }, {"trials is -1"});
  expect_refusal([](auto& o) { o.flips = 65; }, {"65", "64"});
  expect_refusal([](auto& o) { o.hard_locations = 0; }, {"0 hard locations"});
}

} // namespace
} // namespace mneme::trials
