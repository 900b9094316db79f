// SPDX-License-Identifier: MIT

/// The checks that every function of this room makes on what it is given.
#pragma once

#include <cstdint>

#include "mneme/theory/sdm_parameters.h"

namespace mneme::theory {

constexpr int64_t kBitsMax = 10'000'000;   ///< O(bits) work and memory stay within a second or so
constexpr int64_t kExactBitsMax = 100'000; ///< the same for whole numbers of that many bits
constexpr double kCountMax = 1e100;        ///< its square, times as much again, is still a double
constexpr double kCosineSlack = 1e-4;      ///< how far rounding may carry a cosine out of [-1, 1]

/// Errors  UsageError unless bits_min <= bits <= bits_max
void check_bits(const char* where, int64_t bits, int64_t bits_min, int64_t bits_max);
/// Errors  UsageError unless 0 <= hamming_radius <= bits
void check_radius(const char* where, int64_t bits, int64_t hamming_radius);
/// Errors  UsageError unless 0 <= distance <= bits
void check_distance(const char* where, int64_t bits, int64_t distance);
/// Errors  UsageError if the log is NaN or infinite
void check_log_hard_locations(const char* where, double log_hard_locations);

/// Errors  UsageError, with the name of the count, unless 1 <= count <= most
void check_count(const char* where, const char* name, double count, double most = kCountMax);
/// Errors  UsageError as `SdmParameters` says
void check_parameters(const char* where, const SdmParameters& parameters);

[[noreturn]] void refuse_cosine(const char* where, double cosine);

/// The cosine, brought back into [-1, 1]. Errors  UsageError beyond the slack and for NaN
inline double checked_cosine(const char* where, double cosine) {
  if (!(cosine >= -1 - kCosineSlack && cosine <= 1 + kCosineSlack)) {
    refuse_cosine(where, cosine);
  }
  return cosine > 1 ? 1 : cosine < -1 ? -1 : cosine;
}

} // namespace mneme::theory
