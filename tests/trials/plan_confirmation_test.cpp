// SPDX-License-Identifier: MIT

// Theory never sees a memory, and memories never see theory: here they meet.

#include <cmath>

#include <gtest/gtest.h>

#include "mneme/theory/plan.h"
#include "mneme/trials/neuron_sdm_trial.h"

namespace mneme::trials {
namespace {

TEST(PlanConfirmation, SimulationAgreesToEightPercentOfTheErrorRate) {
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

} // namespace
} // namespace mneme::trials
