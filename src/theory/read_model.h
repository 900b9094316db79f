// SPDX-License-Identifier: MIT

/// One read of a sparse distributed memory beyond the normal distribution: the error averaged over the number
/// of hard locations that the cue reaches, with the moments that `one_reads` leaves out.
#pragma once

#include <cstdint>

#include "mneme/theory/one_read_error.h"

namespace mneme::theory {

/// What holds for given bits, radius and distance of the cue, whatever the numbers of locations and patterns.
/// Derivation: docs/theory/one_read_error.md.
class ReadModel {
public:
  static constexpr double kCountMax = 1e30; ///< locations or patterns: fourth powers are still doubles

  /// Requires what `SdmParameters` requires, and 0 <= distance <= bits. Cost O(n)
  ReadModel(int64_t bits, int64_t hamming_radius, int64_t distance);

  /// Expected share of wrong bits after one read, of memories of this many locations and patterns, 1 .. kCountMax.
  /// Cost: some tens of microseconds
  double wrong_share(double hard_locations, double patterns, Storage storage) const;

private:
  /// The same for a cue that reaches so many locations.
  double wrong_share_reaching(double reached, double patterns, Storage storage) const;

  double bits_, distance_;
  double p_;               ///< space fraction
  double rho_ = 0;         ///< share of the locations reached that the stored address reaches too
  double rho_squared_ = 0; ///< the same for a random address: mean of its square, third and fourth power
  double rho_cubed_ = 0;
  double rho_fourth_ = 0;
  double lean_ = 0;        ///< a = E[1 - 2 K / n]: how a location reached leans towards each bit of the cue
  double lean_shared_ = 0; ///< the same for one shared with the stored address, on bits that were kept
};

} // namespace mneme::theory
