// SPDX-License-Identifier: MIT

#include "mneme/theory/signal_to_noise.h"

#include <cmath>
#include <limits>

#include "mneme/theory/book_intersection.h"
#include "mneme/theory/shared_locations.h"
#include "mneme/theory/space_fraction.h"
#include "theory/arguments.h"

namespace mneme::theory {
namespace {

/// Variance that does not depend on the distance: that of the other patterns, or all of it in the book's
/// model.
double variance_of_others(const SdmParameters& parameters, const SharedLocations& shared,
                          const SignalToNoiseOptions& options, int64_t unrelated) {
  const double others = parameters.patterns - 1;
  switch (options.noise) {
  case NoiseModel::averaged:
    return others * (shared.mean + shared.mean_square);
  case NoiseModel::jaeckel: {
    const double lambda = shared.at_distance[static_cast<size_t>(unrelated)];
    return others * (lambda + lambda * lambda);
  }
  case NoiseModel::book:
    break;
  }
  const double p = space_fraction(parameters.bits, parameters.hamming_radius);
  const double h = book_intersection_density(parameters.bits, parameters.hamming_radius, 0.5);
  const double r = parameters.hard_locations;
  return r * parameters.patterns * (p * p + h * h * r / (4 * static_cast<double>(parameters.bits)));
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
  const double others = variance_of_others(parameters, shared, options, unrelated);
  std::vector<SignalToNoise> reads;
  for (int64_t v = 0; v <= bits; ++v) {
    const double lambda = shared.at_distance[static_cast<size_t>(v)];
    const double deviation = std::sqrt(options.noise == NoiseModel::book ? others : lambda + others);
    const double signal = options.book_intersection
                              ? parameters.hard_locations * std::exp(log_book_intersection(bits, radius, v))
                              : lambda;
    reads.push_back({.signal = signal, .noise_deviation = deviation, .ratio = ratio_of(signal, deviation)});
  }
  return reads;
}

} // namespace mneme::theory
