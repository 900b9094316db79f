// SPDX-License-Identifier: MIT

#include "mneme/trials/hopfield_capacity.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"
#include "mneme/data/random_patterns.h"
#include "mneme/memory/hopfield_network.h"

namespace mneme::trials {
namespace {

enum Stream : uint64_t { kPatterns, kDirections };

constexpr int64_t kFirst = 4; // patterns in the first set; with fewer there are hardly any competitors

[[noreturn]] void fail(const std::string& what) {
  throw UsageError("mneme::trials::hopfield_capacity_trial: " + what + "\n  Choose a value in this range.");
}

void check(const HopfieldCapacityTrialOptions& options) {
  const auto above = [](const char* name, double number, double min, bool included) {
    if (!(included ? number >= min : number > min) || !std::isfinite(number)) {
      fail(fmt::format("{} is {}, but must be a finite number {} {}.", name, number,
                       included ? "of at least" : "above", min));
    }
  };
  above("size", static_cast<double>(options.size), 2, true);
  above("radius_factor", options.radius_factor, 0, false);
  above("beta", options.beta, 0, false);
  above("distance", options.distance, 0, true);
  above("error", options.error, 0, false);
  above("cues", static_cast<double>(options.cues), 1, true);
  above("stored_max", static_cast<double>(options.stored_max), kFirst, true);
  if (!(options.recall_target > 0 && options.recall_target < 1)) {
    fail(fmt::format("recall_target is {}, but must be between 0 and 1 (exclusive).", options.recall_target));
  }
}

/// Fraction of cues that are recalled.
double measure_recall(const RealPatterns& stored, const RealPatterns& directions, double radius,
                      const HopfieldCapacityTrialOptions& options) {
  const int64_t cues = std::min(options.cues, stored.count());
  RealPatterns states = slice(stored, 0, cues);
  for (int64_t i = 0; i < cues; ++i) {
    std::ranges::transform(states[i], directions[i], states[i].begin(), [&](double x, double direction) {
      return x + options.distance * radius * direction;
    });
  }
  const RealPatterns readout = associate(states, stored, modern_hopfield(options.beta)).readout;
  int64_t recalled = 0;
  for (int64_t i = 0; i < cues; ++i) {
    double square = 0;
    for (size_t k = 0; k < readout[i].size(); ++k) {
      square += std::pow(readout[i][k] - stored[i][k], 2);
    }
    recalled += std::sqrt(square) <= options.error * radius ? 1 : 0;
  }
  return static_cast<double>(recalled) / static_cast<double>(cues);
}

/// ln of the number of patterns at which the line between the last two points crosses the target.
std::optional<double> crossing(const std::vector<RecallPoint>& points, double target) {
  if (points.size() < 2 || points.back().recalled >= target) {
    return std::nullopt;
  }
  const RecallPoint& before = points[points.size() - 2];
  const double from = std::log(static_cast<double>(before.stored)),
               to = std::log(static_cast<double>(points.back().stored));
  return from + (to - from) * (before.recalled - target) / (before.recalled - points.back().recalled);
}

} // namespace

HopfieldCapacityTrial hopfield_capacity_trial(const HopfieldCapacityTrialOptions& options) {
  check(options);
  const Random random(options.seed);
  const double radius = options.radius_factor * std::sqrt(static_cast<double>(options.size - 1));
  const RealPatterns directions = data::random_sphere(options.cues, options.size, random.stream(kDirections));
  HopfieldCapacityTrial trial;
  // Steps of a factor sqrt(2): 4, 5, 8, 11, 16 ...
  const auto size_of = [](int64_t set) {
    return static_cast<int64_t>(kFirst * std::exp2(0.5 * static_cast<double>(set)));
  };
  for (int64_t set = 0; size_of(set) <= options.stored_max; ++set) {
    throw_if_interrupted();
    // Pattern i does not depend on the number of patterns, so each set contains the previous one.
    const RealPatterns stored =
        normalised(data::random_sphere(size_of(set), options.size, random.stream(kPatterns)), radius);
    trial.points.push_back({stored.count(), measure_recall(stored, directions, radius, options)});
    if (trial.points.back().recalled < options.recall_target) {
      break;
    }
  }
  trial.log_capacity = crossing(trial.points, options.recall_target);
  return trial;
}

} // namespace mneme::trials
