// SPDX-License-Identifier: MIT

/// Simulations of hard locations that two addresses share.
#pragma once

#include <cstdint>
#include <vector>

#include "mneme/core/random.h"

namespace mneme::experiments {

struct LocationSimulation {
  int64_t bits, hard_locations, hamming_radius;
  std::vector<int64_t> distances;
  int64_t epochs; ///< fresh locations (and patterns) each
};

/// Locations in both circles of a random centre and of a copy of it with so many bits flipped: by epoch, by
/// distance.
std::vector<std::vector<int64_t>> shared_by_simulation(const LocationSimulation& simulation,
                                                       const Random& random);

/// Signal and noise of a read at one distance, over epochs.
struct SimulatedRead {
  double signal = 0;          ///< mean number of locations that query and target share
  double noise_deviation = 0; ///< root of the sum of all patterns' variances
};

enum class Query {
  copy,      ///< the target stays as it was stored
  same_array ///< the published mistake: bits are flipped in the stored pattern itself, for good
};

/// For each distance a random target among `patterns` is damaged and read.
std::vector<SimulatedRead> reads_by_simulation(const LocationSimulation& simulation, int64_t patterns,
                                               Query query, const Random& random);

} // namespace mneme::experiments
