// SPDX-License-Identifier: MIT

/// One read of a sparse distributed memory beyond the normal distribution: the error averaged over the number
/// of hard locations that the cue reaches, with the moments that `one_reads` leaves out.
#pragma once

#include <cstdint>
#include <vector>

#include "mneme/theory/one_read_error.h"

namespace mneme::theory {

/// What holds for given bits and radius, whatever the distance and the numbers of locations and patterns.
/// Derivation: docs/theory/one_read_error.md.
class ReadModel {
public:
  static constexpr double kCountMax = 1e30; ///< locations or patterns: fourth powers are still doubles

  /// Requires what `SdmParameters` requires. Cost O(n)
  ReadModel(int64_t bits, int64_t hamming_radius);

  /// Expected share of wrong bits after one read from `distance` bits away, 0 .. bits, of memories of so many
  /// locations and patterns, 1 .. kCountMax. Cost some tens of microseconds
  double wrong_share(int64_t distance, double hard_locations, double patterns, Storage storage) const;

private:
  /// What depends on the distance.
  struct Cue {
    double flipped;     ///< share of its bits
    double rho;         ///< share of the locations reached that the stored address reaches too
    double lean_shared; ///< as `lean_` for those, on bits that were kept
  };
  Cue cue_at(int64_t distance) const;
  /// The share for cues that reach so many locations.
  double wrong_share_reaching(const Cue& cue, double reached, double patterns, Storage storage) const;

  int64_t bits_;
  double p_;                       ///< space fraction
  std::vector<double> log_shared_; ///< addresses within both circles, by distance: logarithms
  /// The same in n - 1 bits, for addresses that agree in one bit that was kept, and for those that do not.
  std::vector<double> log_shared_agreeing_, log_shared_differing_;
  double rho_squared_ = 0; ///< rho for random addresses: mean of its square, third and fourth power
  double rho_cubed_ = 0;
  double rho_fourth_ = 0;
  double lean_ = 0; ///< a = E[1 - 2 K / n]: how a location reached leans towards each bit of the cue
};

} // namespace mneme::theory
