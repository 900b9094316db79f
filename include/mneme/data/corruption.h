// SPDX-License-Identifier: MIT

/// Corruption of patterns: makes noisy queries (cues) from stored patterns. Pattern i uses stream i of the
/// random generator, so its noise does not depend on the other patterns. All functions return a corrupted
/// copy.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "mneme/core/patterns.h"
#include "mneme/core/random.h"
#include "mneme/data/image.h"

namespace mneme::data {

/// Flips exactly `flips` distinct bits of every pattern.
///
/// Errors  UsageError if flips < 0 or flips > bits
BitPatterns flip_bits(const BitPatterns& patterns, int64_t flips, const Random& random);

/// Flips numbers in [0, 1], such as pixels: x becomes 1 - x at exactly `flips` distinct positions of every
/// pattern.
///
/// Errors  UsageError if flips < 0 or flips > size, or if a number is outside [0, 1] (with pattern and
///         position)
RealPatterns flip_bits(const RealPatterns& patterns, int64_t flips, const Random& random);

/// Rotates every pattern in a random direction, so that its cosine with the original is `cosine`. Norms are
/// kept.
///
/// Formula  u = q / |q|, v uniform in [-1, 1]^size, w = v - (v.u) u scaled to length 1,
///          result = (cosine u + sqrt(1 - cosine^2) w) |q|
/// Errors   UsageError if cosine is not in [-1, 1], size < 2, or a pattern is all zeros or not finite (with
///          its index)
RealPatterns cosine_noise(const RealPatterns& patterns, double cosine, const Random& random);

/// Rotates one pattern as `cosine_noise` does, towards a given direction (v in the formula).
///
/// Errors  UsageError as for `cosine_noise`, and if the sizes differ or the direction is parallel to the
///         pattern
std::vector<double> rotate_towards(std::span<const double> pattern, double cosine,
                                   std::span<const double> direction);

/// Sets a fraction of every pattern to 0: complete image rows from the bottom up if `shape` is given,
/// otherwise numbers from the end. fraction = 0.5 keeps the upper half of an image. The number of rows (or
/// numbers) is rounded to the nearest integer, halves up.
///
/// Errors  UsageError if fraction is not in [0, 1], if a size of the shape is below 1 (grey images have 1
///         channel), or if height * width * channels is not the size of a pattern
BitPatterns mask(const BitPatterns& patterns, double fraction, const ImageShape& shape = {});
RealPatterns mask(const RealPatterns& patterns, double fraction, const ImageShape& shape = {});

/// Sets a fraction of the positions of every pattern to 0 or 1 with probability 1/2 each. Positions are
/// distinct; their number is rounded to the nearest integer, halves up.
///
/// Errors  UsageError if fraction is not in [0, 1]
BitPatterns salt_and_pepper(const BitPatterns& patterns, double fraction, const Random& random);
RealPatterns salt_and_pepper(const RealPatterns& patterns, double fraction, const Random& random);

} // namespace mneme::data
