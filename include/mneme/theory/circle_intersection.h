// SPDX-License-Identifier: MIT

/// Number of binary addresses in the intersection of two Hamming circles: exact, or as a logarithm.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace mneme::theory {

/// Number of addresses within `hamming_radius` of both of two addresses that differ in `distance` bits, as a
/// decimal string.
///
/// Formula I(v) = I(n) + sum of L(j) over the odd j in (v, n], with L(j) = C(j-1, (j-1)/2) C(n-j, d-(j-1)/2)
///         and I(n) = sum of C(n, k) over k in [n-d, d]. L(j) is the decrease of I from distance j-1 to j.
///         All terms are positive, so there is no cancellation; I(2k-1) = I(2k), and I(v) = 0 for v > 2d
/// Units   bits n, hamming_radius d and distance v in bits; a circle includes its boundary
/// Errors  UsageError unless 0 <= hamming_radius <= bits, 0 <= distance <= bits, 1 <= bits <= 100 000
/// Cost    O(n) operations on integers of n bits
/// Source  Kanerva 1988, "Sparse Distributed Memory", appendix B (the lune form, there as A - sum of L)
std::string circle_intersection_count(int64_t bits, int64_t hamming_radius, int64_t distance);

/// The counts at several distances, in the time of one.
///
/// Errors  as `circle_intersection_count`; Interrupted
std::vector<std::string> circle_intersection_counts(int64_t bits, int64_t hamming_radius,
                                                    std::span<const int64_t> distances);

/// Natural logarithm of that count; -infinity exactly where it is 0.
///
/// Accuracy relative 1e-12 in the logarithm, 1e-12 in the count itself (up to 10 000 bits)
/// Errors  as `circle_intersection_count`, with bits up to 10 000 000
/// Cost    O(n)
double log_circle_intersection(int64_t bits, int64_t hamming_radius, int64_t distance);

/// The logarithms at all distances 0 .. bits: bits + 1 numbers, non-increasing. Cost O(n) for all together.
std::vector<double> log_circle_intersections(int64_t bits, int64_t hamming_radius);

} // namespace mneme::theory
