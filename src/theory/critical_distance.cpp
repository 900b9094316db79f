// SPDX-License-Identifier: MIT

#include "mneme/theory/critical_distance.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/theory/space_fraction.h"
#include "theory/arguments.h"
#include "theory/normal.h"

namespace mneme::theory {
namespace {

void check_curve(const char* where, std::span<const double> after, bool nan_is_allowed) {
  if (after.empty()) {
    throw UsageError(
        fmt::format("{}: the curve is empty, but it needs at least the value at distance 0.", where));
  }
  for (size_t v = 0; v < after.size(); ++v) {
    const bool allowed_nan = nan_is_allowed && std::isnan(after[v]);
    if (!allowed_nan && !(after[v] >= 0 && std::isfinite(after[v]))) {
      throw UsageError(
          fmt::format("{}: the value at distance {} is {}, but it must be a finite number of at least 0.",
                      where, v, after[v]));
    }
  }
}

/// Largest distance at which the stored pattern is nearest to the cue with a probability of at least 1/2, if
/// the other patterns are random.
int64_t nearest_pattern_distance(const SdmParameters& parameters) {
  const double others = parameters.patterns - 1;
  if (!(others > 0)) {
    return parameters.bits;
  }
  const double fraction = -std::expm1(-std::numbers::ln2 / others); // within it, one of the others is nearer
  const int64_t radius = hamming_radius_for_space_fraction(parameters.bits, fraction);
  return space_fraction(parameters.bits, radius) > fraction ? std::max<int64_t>(radius - 1, 0) : radius;
}

CriticalDistance limited(CriticalDistance critical, const SdmParameters& parameters) {
  critical.distance = std::min(critical.distance, nearest_pattern_distance(parameters));
  return critical.distance < std::max<int64_t>(critical.first, 1) ? CriticalDistance{} : critical;
}

} // namespace

CriticalDistance critical_distance(std::span<const double> after) {
  check_curve("mneme::theory::critical_distance", after, false);
  const auto reduces = [&](size_t v) { return v < after.size() && after[v] < static_cast<double>(v); };
  size_t first = 1;
  while (first < after.size() && !reduces(first)) {
    ++first;
  }
  if (first > (after.size() - 1) / 2) {
    return {};
  }
  size_t last = first;
  while (reduces(last + 1) || reduces(last + 2)) {
    const bool is_foot = !reduces(last + 1), next_is_foot = is_foot && !reduces(last + 3);
    last += is_foot ? 2 : 1;
    if (next_is_foot) {
      break;
    }
  }
  return {.distance = static_cast<int64_t>(last), .first = static_cast<int64_t>(first)};
}

CriticalDistance critical_distance(const SdmParameters& parameters, Storage storage) {
  check_parameters("mneme::theory::critical_distance", parameters);
  const std::vector<ReadStatistics> reads = read_statistics(parameters, storage);
  std::vector<double> after;
  for (int64_t v = 0; v <= parameters.bits / 2; ++v) {
    after.push_back(reads[static_cast<size_t>(v)].wrong_bits);
  }
  return limited(critical_distance(after), parameters);
}

CriticalDistance critical_distance_by_bit_error_rate(const SdmParameters& parameters, Storage storage) {
  constexpr double kRounding = 1e-6; // bits
  check_parameters("mneme::theory::critical_distance_by_bit_error_rate", parameters);
  std::vector<int64_t> distances(static_cast<size_t>(parameters.bits / 2 + 1));
  std::iota(distances.begin(), distances.end(), 0);
  std::vector<double> after = bit_error_rates_after_read(parameters, distances, storage);
  for (size_t v = 0; v < after.size(); ++v) {
    const auto before = static_cast<double>(v);
    after[v] *= static_cast<double>(parameters.bits);
    if (std::abs(after[v] - before) < kRounding) {
      after[v] = before;
    }
  }
  return limited(critical_distance(after), parameters);
}

std::vector<double> published_distances_after_read(const SdmParameters& parameters,
                                                   const SignalToNoiseOptions& options) {
  check_parameters("mneme::theory::published_distances_after_read", parameters);
  const std::vector<SignalToNoise> reads = signal_to_noise(parameters, options);
  std::vector<double> after;
  for (int64_t v = 0; v <= parameters.bits / 2; ++v) {
    const SignalToNoise& read = reads[static_cast<size_t>(v)];
    const bool undefined = read.signal == 0 && read.noise_deviation == 0;
    after.push_back(undefined ? std::numeric_limits<double>::quiet_NaN()
                              : static_cast<double>(parameters.bits) * normal_cdf(-read.ratio));
  }
  return after;
}

PublishedCriticalDistance published_critical_distance(std::span<const double> after) {
  check_curve("mneme::theory::published_critical_distance", after, true);
  const auto excess = [&](size_t v) {
    return after[v] - static_cast<double>(v);
  }; // comparisons with NaN are false
  constexpr double kExcessMin = 0.01;
  constexpr size_t kFirstDistance = 5;

  size_t numbers = 0;
  bool always_reduces = true;
  for (size_t v = 0; v < after.size(); ++v) {
    numbers += !std::isnan(after[v]);
    always_reduces = always_reduces && !(excess(v) >= kExcessMin);
  }
  size_t distance = kFirstDistance - 1;
  bool is_default = false;
  if (always_reduces) {
    distance = after.size() - numbers > 1 ? numbers : after.size() - 1;
  } else {
    size_t v = kFirstDistance;
    while (v < after.size() && !(excess(v) > 0)) {
      ++v;
    }
    is_default = v >= after.size();
    distance = is_default ? distance : v - 1;
  }
  const size_t half = distance / 2;
  if (half < after.size() && excess(half) > 0) {
    return {.distance = 0, .forced_to_zero = true};
  }
  return {.distance = static_cast<int64_t>(distance), .is_default = is_default};
}

} // namespace mneme::theory
