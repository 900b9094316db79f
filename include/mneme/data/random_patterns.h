// SPDX-License-Identifier: MIT

/// Random patterns. Pattern i uses stream i of the generator, so it does not depend on how many are asked
/// for.
#pragma once

#include <cstdint>

#include "mneme/core/patterns.h"
#include "mneme/core/random.h"

namespace mneme::data {

/// Every bit 0 or 1 with equal chance.
///
/// Errors  UsageError if a size is negative or cannot be held
BitPatterns random_bits(int64_t count, int64_t bits, const Random& random);

/// Points of the unit sphere, every direction with equal chance: normal deviates, scaled to length 1.
///
/// Errors  UsageError if count < 0, size < 1, or they cannot be held
RealPatterns random_sphere(int64_t count, int64_t size, const Random& random);

/// Numbers of [low, high), all with equal chance.
///
/// Errors  UsageError if count < 0, size < 0, low is not below high, or they cannot be held
RealPatterns random_uniform(int64_t count, int64_t size, double low, double high, const Random& random);

} // namespace mneme::data
