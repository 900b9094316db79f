// SPDX-License-Identifier: MIT

/// Expected numbers of hard locations that two addresses activate together, where each location compares only
/// some selected coordinates (Jaeckel's designs). That of an address and itself is the number that it
/// activates.
#pragma once

#include <cstdint>
#include <vector>

namespace mneme::theory {

/// Selected-coordinate design: each location has k random coordinates with random assigned values, and is
/// activated by addresses that differ from these values in at most `hamming_radius` of them. Entry v of the
/// result, v = 0 .. bits, is for two addresses that are v bits apart.
///
/// Formula  lambda(v) = sum_a P(A = a) lambda_k(a), A the number of selected coordinates among the v bits
///          (hypergeometric), lambda_k the number of locations of k bits that two addresses at distance a
///          share (shared_locations.h). With radius 0: r 2^-k C(n - v, k) / C(n, k)
/// Accuracy 1e-10 relative up to 10 000 bits
/// Errors   UsageError unless 1 <= bits <= 10 000 000, 1 <= coordinates <= bits,
///          0 <= hamming_radius <= coordinates, 1 <= hard_locations <= 1e100
/// Cost     O(bits coordinates)
/// Source   Jaeckel 1989, "An alternative design for a sparse distributed memory" (RIACS TR 89.28)
std::vector<double> selected_coordinate_locations(int64_t bits, double hard_locations, int64_t coordinates,
                                                  int64_t hamming_radius = 0);

/// Hyperplane design: each location has k random coordinates, and is activated by addresses that are 1 in all
/// of them. Entry c of the result, c = 0 .. bits, is for two addresses with c common ones; an address with w
/// ones activates entry w.
///
/// Formula  lambda(c) = r C(c, k) / C(n, k)
/// Errors   as above
/// Cost     O(bits coordinates)
/// Source   Jaeckel 1989, "A class of designs for a sparse distributed memory" (RIACS TR 89.30)
std::vector<double> hyperplane_locations(int64_t bits, double hard_locations, int64_t coordinates);

} // namespace mneme::theory
