// SPDX-License-Identifier: MIT

#include "mneme/memory/continuous_sdm.h"

namespace mneme {

AssociateOptions<RealPatterns> continuous_sdm(int64_t size, int64_t hamming_radius,
                                              std::optional<FiniteLocations> locations) {
  return {
      .similarity = Cosine{},
      .separation =
          CapIntersection{.size = size, .hamming_radius = hamming_radius, .locations = std::move(locations)},
      .projection = Normalise{}};
}

AssociateOptions<RealPatterns> continuous_binary_sdm(int64_t size, int64_t hamming_radius,
                                                     std::optional<FiniteLocations> locations) {
  return {.similarity = Hamming{},
          .separation = CircleIntersection{.bits = size,
                                           .hamming_radius = hamming_radius,
                                           .locations = std::move(locations)},
          .projection = Normalise{}};
}

} // namespace mneme
