// SPDX-License-Identifier: MIT

#include "theory/arguments.h"

#include <cmath>

#include <fmt/format.h>

#include "mneme/core/error.h"

namespace mneme::theory {

void check_bits(const char* where, int64_t bits, int64_t bits_min, int64_t bits_max) {
  if (bits < bits_min || bits > bits_max) {
    throw UsageError(
        fmt::format("{}: bits is {}, but it must be between {} and {}.", where, bits, bits_min, bits_max));
  }
}

void check_radius(const char* where, int64_t bits, int64_t hamming_radius) {
  if (hamming_radius < 0 || hamming_radius > bits) {
    throw UsageError(fmt::format("{}: hamming_radius is {}, but patterns have {} bits.\n"
                                 "  The radius is in bits, between 0 and the number of bits.",
                                 where, hamming_radius, bits));
  }
}

void check_distance(const char* where, int64_t bits, int64_t distance) {
  if (distance < 0 || distance > bits) {
    throw UsageError(fmt::format("{}: distance is {}, but two patterns of {} bits differ in 0 to {} bits.",
                                 where, distance, bits, bits));
  }
}

void check_log_hard_locations(const char* where, double log_hard_locations) {
  if (!std::isfinite(log_hard_locations)) {
    throw UsageError(fmt::format("{}: log_hard_locations is {}, but it must be finite.\n"
                                 "  It is the natural logarithm of a positive number of hard locations.",
                                 where, log_hard_locations));
  }
}

void check_count(const char* where, const char* name, double count, double max) {
  if (!(count >= 1 && count <= max)) {
    throw UsageError(
        fmt::format("{}: {} is {}, but it must be between 1 and {:g}.", where, name, count, max));
  }
}

void check_parameters(const char* where, const SdmParameters& parameters) {
  check_bits(where, parameters.bits, 1, kBitsMax);
  check_radius(where, parameters.bits, parameters.hamming_radius);
  check_count(where, "hard_locations", parameters.hard_locations);
  check_count(where, "patterns", parameters.patterns);
}

void throw_invalid_cosine(const char* where, double cosine) {
  throw UsageError(fmt::format("{}: the cosine is {}, but it must be between -1 and 1.\n"
                               "  Normalise both patterns before taking their dot product.",
                               where, cosine));
}

} // namespace mneme::theory
