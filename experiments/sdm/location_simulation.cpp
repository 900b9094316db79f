// SPDX-License-Identifier: MIT

#include "experiments/sdm/location_simulation.h"

#include <algorithm>
#include <cmath>

#include "mneme/core/parallel.h"
#include "mneme/data/corruption.h"
#include "mneme/data/random_patterns.h"

namespace mneme::experiments {
namespace {

/// Streams of random numbers by purpose.
enum class Purpose : uint64_t { locations = 1, patterns = 2, targets = 3, flips = 4 };

Random stream_of(const Random& epoch, Purpose purpose) {
  return epoch.stream(static_cast<uint64_t>(purpose));
}

/// Flag per location: 1 if it is within the radius of pattern `index`.
std::vector<uint8_t> reached(const BitPatterns& locations, const BitPatterns& patterns, int64_t index,
                             int64_t radius) {
  std::vector<uint8_t> within(static_cast<size_t>(locations.count()));
  for (int64_t k = 0; k < locations.count(); ++k) {
    within[static_cast<size_t>(k)] = hamming_distance(locations, k, patterns, index) <= radius ? 1 : 0;
  }
  return within;
}

int64_t count_shared(const std::vector<uint8_t>& first, const std::vector<uint8_t>& second) {
  int64_t count = 0;
  for (size_t k = 0; k < first.size(); ++k) {
    count += first[k] & second[k];
  }
  return count;
}

} // namespace

std::vector<std::vector<int64_t>> shared_by_simulation(const LocationSimulation& simulation,
                                                       const Random& random) {
  std::vector<std::vector<int64_t>> counts(static_cast<size_t>(simulation.epochs));
  parallel_for(simulation.epochs, 1, [&](int64_t begin, int64_t end) {
    for (int64_t e = begin; e < end; ++e) {
      for (size_t i = 0; i < simulation.distances.size(); ++i) {
        const Random own = random.stream(static_cast<uint64_t>(e)).stream(i);
        const BitPatterns locations =
            data::random_bits(simulation.hard_locations, simulation.bits, stream_of(own, Purpose::locations));
        const BitPatterns centre = data::random_bits(1, simulation.bits, stream_of(own, Purpose::patterns));
        const BitPatterns copy =
            data::flip_bits(centre, simulation.distances[i], stream_of(own, Purpose::flips));
        counts[static_cast<size_t>(e)].push_back(
            count_shared(reached(locations, centre, 0, simulation.hamming_radius),
                         reached(locations, copy, 0, simulation.hamming_radius)));
      }
    }
  });
  return counts;
}

std::vector<SimulatedRead> reads_by_simulation(const LocationSimulation& simulation, int64_t patterns,
                                               Query query, const Random& random) {
  // [epoch][distance][pattern] number of shared locations; the target is first, then the others in order.
  std::vector<std::vector<std::vector<int64_t>>> counts(static_cast<size_t>(simulation.epochs));
  parallel_for(simulation.epochs, 1, [&](int64_t begin, int64_t end) {
    for (int64_t e = begin; e < end; ++e) {
      const Random own = random.stream(static_cast<uint64_t>(e));
      const BitPatterns locations =
          data::random_bits(simulation.hard_locations, simulation.bits, stream_of(own, Purpose::locations));
      BitPatterns stored = data::random_bits(patterns, simulation.bits, stream_of(own, Purpose::patterns));
      std::vector<std::vector<uint8_t>> within;
      for (int64_t i = 0; i < patterns; ++i) {
        within.push_back(reached(locations, stored, i, simulation.hamming_radius));
      }
      Random targets = stream_of(own, Purpose::targets);
      for (size_t d = 0; d < simulation.distances.size(); ++d) {
        const auto target = static_cast<int64_t>(targets.below(static_cast<uint64_t>(patterns)));
        const BitPatterns cue = data::flip_bits(slice(stored, target, target + 1), simulation.distances[d],
                                                stream_of(own, Purpose::flips).stream(d));
        const std::vector<uint8_t> activated = reached(locations, cue, 0, simulation.hamming_radius);
        std::vector<int64_t> row = {count_shared(activated, within[static_cast<size_t>(target)])};
        for (int64_t i = 0; i < patterns; ++i) {
          if (i != target) {
            row.push_back(count_shared(activated, within[static_cast<size_t>(i)]));
          }
        }
        counts[static_cast<size_t>(e)].push_back(std::move(row));
        if (query == Query::same_array) {
          std::ranges::copy(cue[0], stored[target].begin());
          within[static_cast<size_t>(target)] = activated;
        }
      }
    }
  });
  std::vector<SimulatedRead> reads;
  const auto epochs = static_cast<double>(simulation.epochs);
  for (size_t d = 0; d < simulation.distances.size(); ++d) {
    SimulatedRead& read = reads.emplace_back();
    for (size_t i = 0; i < static_cast<size_t>(patterns); ++i) {
      double mean = 0, squares = 0;
      for (const auto& epoch : counts) {
        mean += static_cast<double>(epoch[d][i]) / epochs;
      }
      for (const auto& epoch : counts) {
        squares += (static_cast<double>(epoch[d][i]) - mean) * (static_cast<double>(epoch[d][i]) - mean);
      }
      read.noise_deviation += squares / epochs;
      read.signal = i == 0 ? mean : read.signal;
    }
    read.noise_deviation = std::sqrt(read.noise_deviation);
  }
  return reads;
}

} // namespace mneme::experiments
