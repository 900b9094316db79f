// SPDX-License-Identifier: MIT

#include "mneme/theory/selected_coordinates.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/theory/shared_locations.h"
#include "theory/arguments.h"
#include "theory/log_binomial.h"

namespace mneme::theory {
namespace {

void check(const char* where, int64_t bits, double hard_locations, int64_t coordinates) {
  check_bits(where, bits, 1, kBitsMax);
  check_count(where, "hard_locations", hard_locations);
  if (coordinates < 1 || coordinates > bits) {
    throw UsageError(fmt::format("{}: {} selected coordinates were given, but it must be in 1 .. {} (bits).",
                                 where, coordinates, bits));
  }
}

} // namespace

std::vector<double> selected_coordinate_locations(int64_t bits, double hard_locations, int64_t coordinates,
                                                  int64_t hamming_radius) {
  const char* where = "mneme::theory::selected_coordinate_locations";
  check(where, bits, hard_locations, coordinates);
  check_radius(where, coordinates, hamming_radius);
  const std::vector<double> of_selected =
      shared_locations(coordinates, hard_locations, hamming_radius).at_distance;
  const auto n = static_cast<double>(bits), k = static_cast<double>(coordinates);
  const double log_selections = log_binomial(n, k);
  std::vector<double> locations(static_cast<size_t>(bits) + 1, 0.0);
  for (int64_t v = 0; v <= bits; ++v) {
    const auto apart = static_cast<double>(v);
    double sum = 0;
    for (int64_t a = std::max<int64_t>(0, coordinates - (bits - v)); a <= std::min(v, coordinates); ++a) {
      const auto differing = static_cast<double>(a);
      if (const double shared = of_selected[static_cast<size_t>(a)]; shared > 0) {
        sum += shared * std::exp(log_binomial(apart, differing) + log_binomial(n - apart, k - differing) -
                                 log_selections);
      }
    }
    locations[static_cast<size_t>(v)] = sum;
  }
  return locations;
}

std::vector<double> hyperplane_locations(int64_t bits, double hard_locations, int64_t coordinates) {
  check("mneme::theory::hyperplane_locations", bits, hard_locations, coordinates);
  std::vector<double> locations(static_cast<size_t>(bits) + 1, 0.0);
  for (int64_t common = coordinates; common <= bits; ++common) {
    double fraction = 1;
    for (int64_t i = 0; i < coordinates; ++i) {
      fraction *= static_cast<double>(common - i) / static_cast<double>(bits - i);
    }
    locations[static_cast<size_t>(common)] = hard_locations * fraction;
  }
  return locations;
}

} // namespace mneme::theory
