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

constexpr int64_t kFirst = 4; // patterns: with fewer there is little to mistake one for

[[noreturn]] void refuse(const std::string& what) {
  throw UsageError("mneme::trials::hopfield_capacity_trial: " + what + "\n  Give a number within.");
}

void check(const HopfieldCapacityTrialOptions& options) {
  const auto above = [](const char* name, double number, double least, bool included) {
    if (!(included ? number >= least : number > least) || !std::isfinite(number)) {
      refuse(fmt::format("{} is {}, but must be a finite number {} {}.", name, number,
                         included ? "of at least" : "above", least));
    }
  };
  above("size", static_cast<double>(options.size), 2, true);
  above("radius_factor", options.radius_factor, 0, false);
  above("beta", options.beta, 0, false);
  above("distance", options.distance, 0, true);
  above("error", options.error, 0, false);
  above("cues", static_cast<double>(options.cues), 1, true);
  above("stored_max", static_cast<double>(options.stored_max), kFirst, true);
  if (!(options.share > 0 && options.share < 1)) {
    refuse(fmt::format("share is {}, but must lie between 0 and 1, ends excluded.", options.share));
  }
}

double share_recalled(const RealPatterns& stored, const RealPatterns& directions, double radius,
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

/// Where the line between the last two shares passes the one wanted.
std::optional<double> crossing(const std::vector<RecalledShare>& shares, double wanted) {
  if (shares.size() < 2 || shares.back().share >= wanted) {
    return std::nullopt;
  }
  const RecalledShare& before = shares[shares.size() - 2];
  const double from = std::log(static_cast<double>(before.stored)),
               to = std::log(static_cast<double>(shares.back().stored));
  return from + (to - from) * (before.share - wanted) / (before.share - shares.back().share);
}

} // namespace

HopfieldCapacityTrial hopfield_capacity_trial(const HopfieldCapacityTrialOptions& options) {
  check(options);
  const Random random(options.seed);
  const double radius = options.radius_factor * std::sqrt(static_cast<double>(options.size - 1));
  const RealPatterns directions = data::random_sphere(options.cues, options.size, random.stream(kDirections));
  HopfieldCapacityTrial trial;
  // Half steps of two: 4, 5, 8, 11, 16 ...
  const auto size_of = [](int64_t set) {
    return static_cast<int64_t>(kFirst * std::exp2(0.5 * static_cast<double>(set)));
  };
  for (int64_t set = 0; size_of(set) <= options.stored_max; ++set) {
    throw_if_interrupted();
    // Pattern i is the same whatever the count: each set holds the one before.
    const RealPatterns stored =
        normalised(data::random_sphere(size_of(set), options.size, random.stream(kPatterns)), radius);
    trial.shares.push_back({stored.count(), share_recalled(stored, directions, radius, options)});
    if (trial.shares.back().share < options.share) {
      break;
    }
  }
  trial.log_capacity = crossing(trial.shares, options.share);
  return trial;
}

} // namespace mneme::trials
