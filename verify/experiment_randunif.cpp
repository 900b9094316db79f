// SPDX-License-Identifier: MIT

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "mneme/data/random_patterns.h"
#include "mneme/trials/recall_grid.h"
#include "verify/registry.h"

namespace mneme::verify {
namespace {

constexpr int64_t kBitsMax = 4096, kPatternsMax = 4096; // limits the time that a malicious file can cost
constexpr size_t kCasesMax = 1000;
constexpr double kFloor = 1e-3; // single precision over up to 100 steps
// Published runs that reached the limit of 100 steps ended at a fixed point, which they reach in far fewer
// steps.
constexpr int64_t kUpdateSteps = 25;
constexpr int64_t kDataSets = 4;
constexpr int64_t kCueBits = 1024; // cues per data set times bits; takes a few seconds

template <class T> void add_new(std::vector<T>& list, const T& item) {
  if (std::ranges::find(list, item) == list.end()) {
    list.push_back(item);
  }
}

} // namespace

/// Mean cosines of the published experiment on uniform random patterns: a statistical comparison.
void run_experiment_randunif(const GoldenValue& file, Checker& checker) {
  const int64_t bits = file.at("n").integer_between(2, kBitsMax);
  const int64_t patterns = file.at("m").integer_between(1, kPatternsMax);
  const GoldenValue cases = file.at("cases");
  if (cases.size() > kCasesMax) {
    cases.fail(fmt::format("at most {} cases", kCasesMax));
  }
  trials::RecallGrid grid{.hard_locations = std::exp(file.at("r").log_count().value_or(0)),
                          .data_sets = kDataSets,
                          .cues = std::min(patterns, std::max<int64_t>(2, kCueBits / bits / 2)),
                          .update_steps_max = kUpdateSteps};
  for (size_t i = 0; i < cases.size(); ++i) {
    const GoldenValue one = cases.at(i);
    add_new(grid.algorithms, one.at("algorithm").text());
    add_new(grid.radii, one.at("hamm_radius").integer_between(1, bits));
    add_new(grid.distances, one.at("perturb").integer_between(0, bits));
  }
  checker.note(fmt::format(
      "means compared to {} standard errors for {} cues, {} for {} data sets, and {:g} for single "
      "precision, since no seed was published",
      trials::kMaxStandardErrors, grid.cues * kDataSets, trials::kMaxDataSetErrors, kDataSets, kFloor));
  std::vector<trials::GridPoint> points;
  checker.each_case(cases, [&](const GoldenValue& golden) {
    if (points.empty()) { // within a case, so that errors of the library name the file
      Progress silent;
      points = trials::recall_over_grid(
          grid,
          [&](int64_t, const Random& random) {
            return trials::published_patterns(data::random_uniform(patterns, bits, -1, 1, random), 0);
          },
          silent);
    }
    const std::string algorithm = golden.at("algorithm").text();
    const int64_t radius = golden.at("hamm_radius").integer(), distance = golden.at("perturb").integer();
    const auto point = std::ranges::find_if(points, [&](const trials::GridPoint& one) {
      return one.algorithm == algorithm && one.radius == radius && one.distance == distance;
    });
    const trials::GridPoint as_published{.deviation = golden.at("std").number(), .samples = patterns};
    checker.near(golden.at("mean"), point->mean.mean,
                 trials::allowed_difference(*point, as_published, kFloor));
  });
}

} // namespace mneme::verify
