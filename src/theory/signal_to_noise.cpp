// SPDX-License-Identifier: MIT

#include "mneme/theory/signal_to_noise.h"

#include <cmath>
#include <limits>

#include "mneme/theory/book_intersection.h"
#include "mneme/theory/shared_locations.h"
#include "mneme/theory/space_fraction.h"
#include "theory/arguments.h"
#include "theory/best_radius.h"

namespace mneme::theory {
namespace {

/// Standard deviation in the book's model, at all distances. The fractions p and h may be so small that their
/// squares are 0.
double book_deviation(const SdmParameters& parameters) {
  const double p = space_fraction(parameters.bits, parameters.hamming_radius);
  const double h = book_intersection_density(parameters.bits, parameters.hamming_radius, 0.5);
  const double r = parameters.hard_locations;
  return std::sqrt(r) * std::sqrt(parameters.patterns) *
         std::hypot(p, h * std::sqrt(r / (4 * static_cast<double>(parameters.bits))));
}

/// Variance of the other patterns, which does not depend on the distance.
double variance_of_others(const SdmParameters& parameters, const SharedLocations& shared,
                          const SignalToNoiseOptions& options, int64_t unrelated) {
  const double others = parameters.patterns - 1;
  if (options.noise == NoiseModel::jaeckel) {
    const double lambda = shared.at_distance[static_cast<size_t>(unrelated)];
    return others * (lambda + lambda * lambda);
  }
  return others * (shared.mean + shared.mean_square);
}

double ratio_of(double signal, double deviation) {
  if (signal == 0) {
    return 0;
  }
  return deviation > 0 ? signal / deviation : std::numeric_limits<double>::infinity();
}

} // namespace

std::vector<SignalToNoise> signal_to_noise(const SdmParameters& parameters,
                                           const SignalToNoiseOptions& options) {
  const char* where = "mneme::theory::signal_to_noise";
  check_parameters(where, parameters);
  const int64_t bits = parameters.bits, radius = parameters.hamming_radius;
  const int64_t unrelated = options.unrelated_distance.value_or(bits / 2);
  check_distance(where, bits, unrelated);

  const SharedLocations shared = shared_locations(bits, parameters.hard_locations, radius);
  const bool is_book = options.noise == NoiseModel::book;
  const double others = variance_of_others(parameters, shared, options, unrelated),
               of_book = is_book ? book_deviation(parameters) : 0;
  std::vector<SignalToNoise> reads;
  for (int64_t v = 0; v <= bits; ++v) {
    const double lambda = shared.at_distance[static_cast<size_t>(v)];
    const double deviation = is_book ? of_book : std::sqrt(lambda + others);
    const double signal = options.book_intersection
                              ? parameters.hard_locations * std::exp(log_book_intersection(bits, radius, v))
                              : lambda;
    reads.push_back({.signal = signal, .noise_deviation = deviation, .ratio = ratio_of(signal, deviation)});
  }
  return reads;
}

int64_t best_hamming_radius_for_signal_to_noise(const SdmParameters& parameters) {
  SdmParameters tried = parameters;
  tried.hamming_radius = 0; // has no effect, and may be anything
  check_parameters("mneme::theory::best_hamming_radius_for_signal_to_noise", tried);
  return climb_to_best_radius(
      hamming_radius_for_signal_to_noise(parameters.bits, parameters.patterns, parameters.hard_locations),
      parameters.bits, [&](int64_t radius) {
        tried.hamming_radius = radius;
        return signal_to_noise(tried).front().ratio;
      });
}

} // namespace mneme::theory
