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

/// Bits that a cue has wrong.
int64_t distance_of(const PlanRequest& request) {
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
    throw UsageError(
        fmt::format("{}: noise is {}, but it is a share of the bits, from 0 to 1.", where, request.noise));
  }
  if (!(request.target > 0.5 && request.target < 1)) {
    throw UsageError(
        fmt::format("{}: target is {}, but it is a share of right bits above 0.5, which guessing "
                    "gives, and below 1, which nothing is sure to give.",
                    where, request.target));
  }
  const double kept = 1 - static_cast<double>(distance_of(request)) / static_cast<double>(request.bits);
  if (request.target <= kept) {
    throw UsageError(fmt::format("{}: target is {}, but cues have {:g} of their bits right already.\n"
                                 "  Give a target above that, or more noise.",
                                 where, request.target, kept));
  }
}

/// The fewest locations of this radius that reach the target, or, where none do, the most allowed.
Plan plan_with_radius(const PlanRequest& request, int64_t hamming_radius) {
  const ReadModel model(request.bits, hamming_radius);
  const auto right_share = [&](double hard_locations) {
    return 1 - model.wrong_share(distance_of(request), hard_locations, request.patterns, request.storage);
  };
  const auto reaches = [&](double hard_locations) { return right_share(hard_locations) >= request.target; };
  const double most = std::floor(request.hard_locations_max);
  double enough = 1, too_few = 0;
  while (!reaches(enough)) {
    if (enough >= most) {
      return {hamming_radius, most, right_share(most), false};
    }
    too_few = enough;
    enough = std::min(2 * enough, most);
  }
  constexpr double kWhole = 0x1p52; // beyond, the next double is more than 1 away
  while (enough - too_few > 1 && enough - too_few > enough / kWhole) {
    const double middle = std::floor(too_few + (enough - too_few) / 2);
    (reaches(middle) ? enough : too_few) = middle;
  }
  return {hamming_radius, enough, right_share(enough), true};
}

/// Reaching the target counts first, then few locations, then right bits.
bool is_better(const Plan& plan, const Plan& other) {
  if (plan.reaches_target != other.reaches_target) {
    return plan.reaches_target;
  }
  if (plan.hard_locations != other.hard_locations) {
    return plan.hard_locations < other.hard_locations;
  }
  return plan.right_share > other.right_share;
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
  // Circles of more than half of the bits hold most of the space: they tell nothing apart.
  constexpr int64_t kRadiiTried = 100;
  const int64_t most = request.bits / 2, step = std::max<int64_t>(1, most / kRadiiTried);
  const Plan near = best_of(request, 0, most, step);
  return best_of(request, std::max<int64_t>(0, near.hamming_radius - step),
                 std::min(most, near.hamming_radius + step), 1);
}

} // namespace mneme::theory
