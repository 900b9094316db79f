// SPDX-License-Identifier: MIT

/// Random patterns. Pattern i uses stream i of the random generator, so it does not depend on the number of
/// patterns.
#pragma once

#include <cstdint>

#include "mneme/core/patterns.h"
#include "mneme/core/random.h"

namespace mneme::data {

/// Uniform random bits: each is 0 or 1 with probability 1/2.
///
/// Errors  UsageError if a size is negative or too large to allocate
BitPatterns random_bits(int64_t count, int64_t bits, const Random& random);

/// Uniform random points on the unit sphere: standard normal vectors, normalised to length 1.
///
/// Errors  UsageError if count < 0, size < 1, or the sizes are too large to allocate
RealPatterns random_sphere(int64_t count, int64_t size, const Random& random);

/// Uniform random numbers in [low, high).
///
/// Errors  UsageError if count < 0, size < 0, low >= high, high - low is not finite, or the sizes are too
///         large to allocate
RealPatterns random_uniform(int64_t count, int64_t size, double low, double high, const Random& random);

} // namespace mneme::data
