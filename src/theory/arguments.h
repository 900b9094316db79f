// SPDX-License-Identifier: MIT

/// Argument checks shared by all functions of this module.
#pragma once

#include <algorithm>
#include <cstdint>

#include "mneme/theory/sdm_parameters.h"

namespace mneme::theory {

constexpr int64_t kBitsMax = 10'000'000;   ///< keeps O(bits) computations within about a second
constexpr int64_t kExactBitsMax = 100'000; ///< limit for exact integers of that many bits
constexpr double kCountMax = 1e100;        ///< its third power is still a finite double
constexpr double kCosineSlack = 1e-4;      ///< tolerance for cosines outside [-1, 1] by rounding

/// Errors  UsageError unless bits_min <= bits <= bits_max
void check_bits(const char* where, int64_t bits, int64_t bits_min, int64_t bits_max);
/// Errors  UsageError unless 0 <= hamming_radius <= bits
void check_radius(const char* where, int64_t bits, int64_t hamming_radius);
/// Errors  UsageError unless 0 <= distance <= bits
void check_distance(const char* where, int64_t bits, int64_t distance);
/// Errors  UsageError if the log is NaN or infinite
void check_log_hard_locations(const char* where, double log_hard_locations);

/// Errors  UsageError, with the name of the count, unless 1 <= count <= max
void check_count(const char* where, const char* name, double count, double max = kCountMax);
/// Errors  UsageError if a parameter is outside its range in `SdmParameters`
void check_parameters(const char* where, const SdmParameters& parameters);

/// Errors  UsageError that names the cosine, always
[[noreturn]] void throw_invalid_cosine(const char* where, double cosine);

/// Cosine clamped to [-1, 1].
///
/// Errors  UsageError for NaN and beyond kCosineSlack
inline double checked_cosine(const char* where, double cosine) {
  if (!(cosine >= -1 - kCosineSlack && cosine <= 1 + kCosineSlack)) {
    throw_invalid_cosine(where, cosine);
  }
  return std::clamp(cosine, -1.0, 1.0);
}

} // namespace mneme::theory
