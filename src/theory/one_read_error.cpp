// SPDX-License-Identifier: MIT

#include "mneme/theory/one_read_error.h"

#include <cmath>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/theory/shared_locations.h"
#include "theory/arguments.h"
#include "theory/normal.h"
#include "theory/read_model.h"

namespace mneme::theory {
namespace {

/// Probability that a sum with this mean and standard deviation has the wrong sign; 1/2 if it is always 0.
double probability_of_wrong_sign(double mean, double deviation) {
  if (deviation == 0) {
    return 0.5;
  }
  return normal_cdf(-mean / deviation);
}

} // namespace

std::vector<ReadStatistics> read_statistics(const SdmParameters& parameters, Storage storage) {
  check_parameters("mneme::theory::read_statistics", parameters);
  const SharedLocations shared =
      shared_locations(parameters.bits, parameters.hard_locations, parameters.hamming_radius);
  const double others = parameters.patterns - 1;
  const double bias = storage == Storage::autoassociative ? others * shared.alignment : 0;
  std::vector<ReadStatistics> reads;
  for (int64_t distance = 0; distance <= parameters.bits; ++distance) {
    ReadStatistics read;
    read.signal = shared.at_distance[static_cast<size_t>(distance)];
    read.bias = bias;
    read.noise_deviation = std::sqrt(read.signal + others * (shared.mean + shared.mean_square));
    const auto flipped = static_cast<double>(distance);
    const auto kept = static_cast<double>(parameters.bits - distance);
    read.wrong_bits = kept * probability_of_wrong_sign(read.signal + bias, read.noise_deviation) +
                      flipped * probability_of_wrong_sign(read.signal - bias, read.noise_deviation);
    reads.push_back(read);
  }
  return reads;
}

std::vector<double> bit_error_rates_after_read(const SdmParameters& parameters,
                                               std::span<const int64_t> distances, Storage storage) {
  const char* where = "mneme::theory::bit_error_rates_after_read";
  check_parameters(where, parameters);
  check_count(where, "hard_locations", parameters.hard_locations, ReadModel::kCountMax);
  check_count(where, "patterns", parameters.patterns, ReadModel::kCountMax);
  const ReadModel model(parameters.bits, parameters.hamming_radius);
  std::vector<double> error_rates;
  for (const int64_t distance : distances) {
    check_distance(where, parameters.bits, distance);
    error_rates.push_back(
        model.bit_error_rate(distance, parameters.hard_locations, parameters.patterns, storage));
  }
  return error_rates;
}

std::optional<double> capacity_after_read(const SdmParameters& parameters, double probability,
                                          Storage storage) {
  const char* where = "mneme::theory::capacity_after_read";
  check_parameters(where, parameters);
  check_count(where, "hard_locations", parameters.hard_locations, ReadModel::kCountMax);
  if (!(probability > 0 && probability < 1)) {
    throw UsageError(
        fmt::format("{}: the probability is {}, but it must be above 0 and below 1.", where, probability));
  }
  const ReadModel model(parameters.bits, parameters.hamming_radius);
  const auto suffices = [&](double patterns) {
    return model.all_right_probability(parameters.hard_locations, patterns, storage) >= probability;
  };
  if (!suffices(1)) {
    return 0;
  }
  // The error rate rises with the number of patterns, and may fall again with very many.
  constexpr double kFactor = 1.25;
  double holds = 1, fails = kFactor;
  while (suffices(fails)) {
    holds = fails;
    fails *= kFactor;
    if (fails > ReadModel::kCountMax) {
      return std::nullopt;
    }
  }
  while (fails - holds > 0.5 && fails - holds > 1e-9 * holds) {
    const double middle = (holds + fails) / 2;
    (suffices(middle) ? holds : fails) = middle;
  }
  return std::floor(suffices(std::round(holds)) ? std::round(holds) : holds);
}

} // namespace mneme::theory
