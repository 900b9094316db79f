// SPDX-License-Identifier: MIT

/// Expected number of hard locations shared by two addresses. It is the signal of a sparse distributed memory
/// if one address was written and the other is read, and the noise if they are unrelated.
#pragma once

#include <cstdint>
#include <vector>

namespace mneme::theory {

/// Expected numbers lambda(v) of random hard locations within the radius of two addresses that are v bits
/// apart, and their means over the distance V of two random addresses, V ~ Binomial(n, 1/2). The means differ
/// from lambda(n / 2), because the few pairs that happen to be near share the most locations.
struct SharedLocations {
  std::vector<double> at_distance; ///< lambda(v) for v = 0 .. bits, non-increasing
  double mean = 0;                 ///< E lambda(V) = r p^2, p the space fraction
  double mean_square = 0;          ///< E lambda(V)^2
  double alignment = 0;            ///< E lambda(V) (1 - 2 V / n) = r (C(n-1, d) / 2^n)^2
};

/// Formula lambda(v) = r / 2^n * I(v), I the circle intersection; r hard_locations, d hamming_radius
/// Accuracy 1e-11 relative up to 10 000 bits
/// Errors  UsageError unless 1 <= bits <= 10 000 000, 0 <= hamming_radius <= bits,
///         1 <= hard_locations <= 1e100
/// Cost    O(n) for all distances
SharedLocations shared_locations(int64_t bits, double hard_locations, int64_t hamming_radius);

} // namespace mneme::theory
