// SPDX-License-Identifier: MIT

/// Makes queries out of stored patterns by damaging them. Pattern i uses stream i of the generator, so its
/// damage does not depend on the other patterns. All functions return a damaged copy.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "mneme/core/patterns.h"
#include "mneme/core/random.h"
#include "mneme/data/image.h"

namespace mneme::data {

/// Flips exactly `flips` different bits of every pattern.
///
/// Errors  UsageError if flips < 0 or flips > bits
BitPatterns flip_bits(const BitPatterns& patterns, int64_t flips, const Random& random);

/// The same for numbers in [0, 1], such as pixels: x becomes 1 - x.
///
/// Errors  UsageError if flips < 0 or flips > size, or if a number lies outside [0, 1] (pattern and position)
RealPatterns flip_bits(const RealPatterns& patterns, int64_t flips, const Random& random);

/// Turns every pattern away from itself by the angle whose cosine is `cosine`, keeping its length.
///
/// Formula  u = q / |q|, v uniform in [-1, 1]^size, w = v - (v.u) u scaled to length 1,
///          result = (cosine u + sqrt(1 - cosine^2) w) |q|
/// Errors   UsageError if cosine is not in [-1, 1], size < 2, a pattern is all zeros or not finite (its
/// index)
RealPatterns cosine_noise(const RealPatterns& patterns, double cosine, const Random& random);

/// The same for one pattern and a direction (v in the formula) that is given.
///
/// Errors  UsageError as above, and if the sizes differ or the direction lies along the pattern
std::vector<double> turned(std::span<const double> pattern, double cosine, std::span<const double> direction);

/// Sets a share of every pattern to 0: whole rows of images from the bottom up, else numbers from the end.
/// share = 0.5 leaves the upper half of an image. The number of rows (numbers) is rounded, halves up.
///
/// Errors  UsageError if share is not in [0, 1] or the shape does not have as many numbers as a pattern
BitPatterns mask(const BitPatterns& patterns, double share, const ImageShape& shape = {});
RealPatterns mask(const RealPatterns& patterns, double share, const ImageShape& shape = {});

/// Sets a share of every pattern (rounded, halves up; different places) to 0 or 1 with equal chance.
///
/// Errors  UsageError if share is not in [0, 1]
BitPatterns salt_and_pepper(const BitPatterns& patterns, double share, const Random& random);
RealPatterns salt_and_pepper(const RealPatterns& patterns, double share, const Random& random);

} // namespace mneme::data
