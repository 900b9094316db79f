// SPDX-License-Identifier: MIT

#include "mneme/theory/plan.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/core/parallel.h"
#include "theory/arguments.h"
#include "theory/read_model.h"

namespace mneme::theory {
namespace {

/// Number of wrong bits in a cue.
int64_t cue_distance(const PlanRequest& request) {
  return std::llround(request.noise * static_cast<double>(request.bits));
}

void check(const char* where, const PlanRequest& request) {
  check_bits(where, request.bits, 1, kBitsMax);
  check_count(where, "patterns", request.patterns, ReadModel::kCountMax);
  check_count(where, "hard_locations_max", request.hard_locations_max, ReadModel::kCountMax);
  if (request.hamming_radius) {
    check_radius(where, request.bits, *request.hamming_radius);
  }
  if (!(request.noise >= 0 && request.noise <= 1)) {
    throw UsageError(fmt::format("{}: noise is {}, but it must be a fraction of the bits, between 0 and 1.",
                                 where, request.noise));
  }
  if (!(request.target > 0.5 && request.target < 1)) {
    throw UsageError(fmt::format("{}: target is {}, but it must be a fraction of correct bits above 0.5 and "
                                 "below 1.\n  Guessing reaches 0.5, and no memory guarantees 1.",
                                 where, request.target));
  }
  const double correct = 1 - static_cast<double>(cue_distance(request)) / static_cast<double>(request.bits);
  if (request.target <= correct) {
    throw UsageError(fmt::format("{}: target is {}, but cues already have {:g} of their bits correct.\n"
                                 "  Set a higher target, or more noise.",
                                 where, request.target, correct));
  }
}

/// Smallest number of locations that reaches the target with this radius, or the maximum if none does.
Plan plan_with_radius(const PlanRequest& request, int64_t hamming_radius) {
  const ReadModel model(request.bits, hamming_radius);
  const auto bit_accuracy = [&](double hard_locations) {
    return 1 - model.bit_error_rate(cue_distance(request), hard_locations, request.patterns, request.storage);
  };
  const auto reaches = [&](double hard_locations) { return bit_accuracy(hard_locations) >= request.target; };
  const double max = std::floor(request.hard_locations_max);
  double sufficient = 1, too_few = 0;
  while (!reaches(sufficient)) {
    if (sufficient >= max) {
      return {hamming_radius, max, bit_accuracy(max), false};
    }
    too_few = sufficient;
    sufficient = std::min(2 * sufficient, max);
  }
  constexpr double kIntegerMax = 0x1p52; // beyond it, the spacing of doubles exceeds 1
  while (sufficient - too_few > 1 && sufficient - too_few > sufficient / kIntegerMax) {
    const double middle = std::floor(too_few + (sufficient - too_few) / 2);
    if (reaches(middle)) {
      sufficient = middle;
    } else {
      too_few = middle;
    }
  }
  return {hamming_radius, sufficient, bit_accuracy(sufficient), true};
}

/// Compares whether the target is reached, then the number of locations, then the accuracy.
bool is_better(const Plan& plan, const Plan& other) {
  if (plan.reaches_target != other.reaches_target) {
    return plan.reaches_target;
  }
  if (plan.hard_locations != other.hard_locations) {
    return plan.hard_locations < other.hard_locations;
  }
  return plan.bit_accuracy > other.bit_accuracy;
}

Plan best_of(const PlanRequest& request, int64_t first, int64_t last, int64_t step) {
  std::vector<Plan> plans(static_cast<size_t>((last - first) / step + 1));
  parallel_for(static_cast<int64_t>(plans.size()), 1, [&](int64_t index, int64_t) {
    plans[static_cast<size_t>(index)] = plan_with_radius(request, first + index * step);
  });
  return *std::min_element(plans.begin(), plans.end(), is_better);
}

} // namespace

Plan plan_memory(const PlanRequest& request) {
  check("mneme::theory::plan_memory", request);
  if (request.hamming_radius) {
    return plan_with_radius(request, *request.hamming_radius);
  }
  // Larger circles than half of the bits contain most of the space, so that patterns share almost all
  // locations.
  constexpr int64_t kCoarseRadii = 100;
  constexpr int64_t kRefinement = 10; // radii that are tried between two of the coarser search
  const int64_t max = request.bits / 2;
  int64_t step = std::max<int64_t>(1, max / kCoarseRadii);
  Plan best = best_of(request, 0, max, step);
  do {
    const int64_t finer = step <= kRefinement ? 1 : step / kRefinement;
    best = best_of(request, std::max<int64_t>(0, best.hamming_radius - step),
                   std::min(max, best.hamming_radius + step), finer);
    step = finer;
  } while (step > 1);
  return best;
}

} // namespace mneme::theory
