// SPDX-License-Identifier: MIT

#include "mneme/trials/neuron_sdm_trial.h"

#include <gtest/gtest.h>

#include "mneme/core/interrupt.h"
#include "mneme/core/parallel.h"
#include "mneme/theory/one_read_error.h"
#include "trials/messages.h"

namespace mneme::trials {
namespace {

TEST(NeuronSdmTrial, MeasuresAMemoryWithoutAndWithReachableLocations) {
  Progress silent;
  const NeuronSdmTrial untouched = neuron_sdm_trial(
      {.bits = 64, .hard_locations = 10, .hamming_radius = 0, .patterns = 10, .flips = 16}, silent);
  EXPECT_EQ(untouched.bit_error.mean, 0.25) << "nothing is reached: the cue stays";
  const NeuronSdmTrial roomy = neuron_sdm_trial(
      {.bits = 64, .hard_locations = 10000, .hamming_radius = 24, .patterns = 5, .flips = 4}, silent);
  EXPECT_EQ(roomy.bit_error.mean, 0);
  EXPECT_EQ(roomy.exact_once.mean, 1);
  ASSERT_TRUE(roomy.exact_end);
  EXPECT_EQ(roomy.exact_end->mean, 1);
  EXPECT_GT(*roomy.exact_once.half_width, 0) << "600 cues do not prove 100 %";
}

/// The published formula has 1307 and 6 times fewer patterns.
TEST(NeuronSdmTrial, ConfirmsTheCorrectedCapacity) {
  Progress silent;
  for (const bool unrelated : {false, true}) {
    const theory::SdmParameters parameters{.bits = 64, .hard_locations = 10'000, .hamming_radius = 20};
    const double capacity = theory::capacity_after_read(parameters, 0.5,
                                                        unrelated ? theory::Storage::heteroassociative
                                                                  : theory::Storage::autoassociative)
                                .value();
    const NeuronSdmTrial trial = neuron_sdm_trial({.bits = 64,
                                                   .hard_locations = 10'000,
                                                   .hamming_radius = 20,
                                                   .patterns = static_cast<int64_t>(capacity),
                                                   .flips = 0,
                                                   .heteroassociative = unrelated,
                                                   .cues = 500,
                                                   .trials = 6},
                                                  silent);
    EXPECT_NEAR(trial.exact_once.mean, 0.5, 0.05) << unrelated << " " << capacity;
    EXPECT_EQ(trial.exact_end.has_value(), !unrelated) << "unrelated data are no addresses";
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
  EXPECT_EQ(first.bit_error.mean, second.bit_error.mean);
  EXPECT_EQ(first.exact_end.value().mean, second.exact_end.value().mean);
  EXPECT_GT(first.bit_error.mean, 0);
}

TEST(NeuronSdmTrial, HasNoIntervalForOneTrial) {
  Progress silent;
  const NeuronSdmTrial trial = neuron_sdm_trial(
      {.bits = 64, .hard_locations = 1000, .hamming_radius = 24, .patterns = 10, .flips = 3, .trials = 1},
      silent);
  EXPECT_FALSE(trial.bit_error.half_width);
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

TEST(NeuronSdmTrial, ReportsInvalidOptions) {
  Progress silent;
  const NeuronSdmTrialOptions good{
      .bits = 64, .hard_locations = 10, .hamming_radius = 24, .patterns = 10, .flips = 3};
  const auto expect_rejected = [&](auto change, std::initializer_list<std::string> parts) {
    NeuronSdmTrialOptions options = good;
    change(options);
    expect_usage_error([&] { neuron_sdm_trial(options, silent); }, parts);
  };
  expect_rejected([](auto& o) { o.patterns = 0; }, {"patterns is 0"});
  expect_rejected([](auto& o) { o.cues = 0; }, {"cues is 0"});
  expect_rejected([](auto& o) { o.trials = -1; }, {"trials is -1"});
  expect_rejected([](auto& o) { o.flips = 65; }, {"65", "64"});
  expect_rejected([](auto& o) { o.hard_locations = 0; }, {"0 hard locations"});
}

} // namespace
} // namespace mneme::trials
