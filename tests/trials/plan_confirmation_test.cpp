// SPDX-License-Identifier: MIT

// Compares predictions of theory with simulated memories; neither module depends on the other.

#include <cmath>

#include <gtest/gtest.h>

#include "mneme/theory/plan.h"
#include "mneme/trials/neuron_sdm_trial.h"

namespace mneme::trials {
namespace {

TEST(PlanConfirmation, SimulationAgreesToEightPercentOfTheErrorRate) {
  struct Case {
    theory::PlanRequest request;
    int64_t trials; ///< enough for a standard error of 2 or 3 % of the mean
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
    EXPECT_NEAR(trial.bit_error.mean / (1 - plan.bit_accuracy), 1, 0.08);
    EXPECT_LE(*trial.bit_error.half_width, 0.08 * trial.bit_error.mean);
    EXPECT_GE(trial.exact_end.value_or(trial.exact_once).mean, trial.exact_once.mean);
  }
}

} // namespace
} // namespace mneme::trials
