// SPDX-License-Identifier: MIT

#include "mneme/theory/plan.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "theory/usage_error.h"

namespace mneme::theory {
namespace {

constexpr PlanRequest kRequest{.bits = 1000, .patterns = 10000, .noise = 0.1, .target = 0.99};

double bit_accuracy(const PlanRequest& request, const Plan& plan) {
  const std::vector<int64_t> distance = {std::llround(request.noise * static_cast<double>(request.bits))};
  return 1 - bit_error_rates_after_read({.bits = request.bits,
                                         .hard_locations = plan.hard_locations,
                                         .hamming_radius = plan.hamming_radius,
                                         .patterns = request.patterns},
                                        distance, request.storage)
                 .at(0);
}

TEST(PlanMemory, FindsTheSmallestMemoryThatReachesTheTarget) {
  for (const Storage storage : {Storage::autoassociative, Storage::heteroassociative}) {
    PlanRequest request = kRequest;
    request.storage = storage;
    const Plan plan = plan_memory(request);
    EXPECT_TRUE(plan.reaches_target);
    EXPECT_GE(plan.bit_accuracy, 0.99);
    EXPECT_EQ(plan.bit_accuracy, bit_accuracy(request, plan));
    Plan fewer = plan;
    fewer.hard_locations -= 1;
    EXPECT_LT(bit_accuracy(request, fewer), 0.99);
    for (const int64_t step : {-1, 1}) {
      request.hamming_radius = plan.hamming_radius + step;
      EXPECT_GE(plan_memory(request).hard_locations, plan.hard_locations);
    }
  }
}

TEST(PlanMemory, ReportsTheBestMemoryWithinTheLimit) {
  PlanRequest request = kRequest;
  request.noise = 0.2;
  request.hard_locations_max = 1e6;
  const Plan plan = plan_memory(request);
  EXPECT_FALSE(plan.reaches_target);
  EXPECT_EQ(plan.hard_locations, 1e6);
  EXPECT_LT(plan.bit_accuracy, 0.99);
  EXPECT_GT(plan.bit_accuracy, 0.8) << "better than the cue";
}

TEST(PlanMemory, RequiresMoreLocationsForMoreNoisePatternsOrAccuracy) {
  const double locations = plan_memory(kRequest).hard_locations;
  PlanRequest harder = kRequest;
  harder.noise = 0.15;
  EXPECT_GT(plan_memory(harder).hard_locations, locations);
  harder = kRequest;
  harder.patterns = 20000;
  EXPECT_GT(plan_memory(harder).hard_locations, locations);
  harder = kRequest;
  harder.target = 0.999;
  EXPECT_GT(plan_memory(harder).hard_locations, locations);
}

TEST(PlanMemory, UsesTheGivenRadius) {
  PlanRequest request = kRequest;
  request.hamming_radius = 460;
  const Plan plan = plan_memory(request);
  EXPECT_EQ(plan.hamming_radius, 460);
  EXPECT_GT(plan.hard_locations, plan_memory(kRequest).hard_locations);
}

TEST(PlanMemory, ReportsInvalidArguments) {
  const auto error_of = [](auto change) {
    PlanRequest request = kRequest;
    change(request);
    return usage_error_of([&] { plan_memory(request); });
  };
  EXPECT_TRUE(contains_all(error_of([](PlanRequest& r) { r.bits = 0; }), {"bits is 0"}));
  EXPECT_TRUE(contains_all(error_of([](PlanRequest& r) { r.patterns = 0; }), {"patterns is 0"}));
  EXPECT_TRUE(contains_all(error_of([](PlanRequest& r) { r.noise = -0.1; }), {"noise is -0.1"}));
  EXPECT_TRUE(contains_all(error_of([](PlanRequest& r) { r.noise = std::nan(""); }), {"noise is nan"}));
  EXPECT_TRUE(contains_all(error_of([](PlanRequest& r) { r.target = 1; }), {"target is 1"}));
  EXPECT_TRUE(
      contains_all(error_of([](PlanRequest& r) { r.target = 0.9; }), {"target is 0.9", "0.9 of their bits"}));
  EXPECT_TRUE(contains_all(error_of([](PlanRequest& r) { r.hamming_radius = 1001; }), {"1001", "1000"}));
  EXPECT_TRUE(contains_all(error_of([](PlanRequest& r) { r.hard_locations_max = 1e31; }), {"1e+31"}));
}

} // namespace
} // namespace mneme::theory
