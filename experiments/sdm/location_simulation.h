// SPDX-License-Identifier: MIT

/// Simulations of the hard locations within the radius of two addresses.
#pragma once

#include <cstdint>
#include <vector>

#include "mneme/core/random.h"

namespace mneme::experiments {

struct LocationSimulation {
  int64_t bits, hard_locations, hamming_radius;
  std::vector<int64_t> distances;
  int64_t epochs; ///< number of repetitions, each with new locations (and patterns)
};

/// Number of locations within the radius of both a random centre and a copy of it with flipped bits,
/// [epoch][distance].
std::vector<std::vector<int64_t>> shared_by_simulation(const LocationSimulation& simulation,
                                                       const Random& random);

/// Signal and noise of a read at one distance, over epochs.
struct SimulatedRead {
  double signal = 0;          ///< mean number of locations within the radius of both query and target
  double noise_deviation = 0; ///< square root of the sum of the variances of all patterns
};

enum class Query {
  copy,      ///< the query is a copy of the target
  same_array ///< mistake of the published code: bits are flipped permanently in the stored pattern itself
};

/// For each distance, reads with a noisy query of a random target out of `patterns` patterns.
std::vector<SimulatedRead> reads_by_simulation(const LocationSimulation& simulation, int64_t patterns,
                                               Query query, const Random& random);

} // namespace mneme::experiments
