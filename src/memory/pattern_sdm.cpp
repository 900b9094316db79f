// SPDX-License-Identifier: MIT

#include "mneme/memory/pattern_sdm.h"

namespace mneme {

AssociateOptions<BitPatterns> pattern_sdm(int64_t bits, int64_t hamming_radius) {
  return {.similarity = Hamming{},
          .separation = CircleIntersection{.bits = bits, .hamming_radius = hamming_radius}};
}

AssociateOptions<BitPatterns> pattern_sdm(int64_t bits, int64_t hamming_radius, FiniteLocations locations) {
  return {.similarity = Hamming{},
          .separation = CircleIntersection{
              .bits = bits, .hamming_radius = hamming_radius, .locations = std::move(locations)}};
}

} // namespace mneme
