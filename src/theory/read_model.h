// SPDX-License-Identifier: MIT

/// Bit error rate of one read of a sparse distributed memory beyond the normal approximation: averaged over
/// the number of hard locations that the cue activates, with the moments that `read_statistics` omits.
#pragma once

#include <cstdint>
#include <vector>

#include "mneme/theory/one_read_error.h"

namespace mneme::theory {

/// Quantities that depend on bits and radius only, precomputed for any distance and any number of locations
/// and patterns. Derivation: docs/theory/one_read_error.md.
class ReadModel {
public:
  static constexpr double kCountMax = 1e30; ///< locations or patterns: fourth powers are finite doubles

  /// Requires bits and radius in the ranges of `SdmParameters`. Cost O(n)
  ReadModel(int64_t bits, int64_t hamming_radius);

  /// Expected fraction of wrong bits after one read with a cue at `distance`, 0 .. bits, of memories with the
  /// given numbers of locations and patterns, 1 .. kCountMax. Cost some tens of microseconds, and O(bits) for
  /// each number of locations that may all be without a pattern
  double bit_error_rate(int64_t distance, double hard_locations, double patterns, Storage storage) const;
  /// Probability that a read at a stored address has no wrong bit, as if the errors of the bits were
  /// independent for a given number of activated locations. A read that activates no location has no result.
  double all_right_probability(double hard_locations, double patterns, Storage storage) const;

private:
  /// Quantities that depend on the distance of the cue.
  struct Cue {
    double flipped; ///< fraction of its bits that differ from the stored address
    double rho;     ///< fraction of its activated locations that the stored address activates too
    /// `bit_correlation_` of those shared locations, in bits that are not flipped.
    double bit_correlation_shared;
  };
  Cue cue_at(int64_t distance) const;
  /// Mean of a function of the number of locations that a cue activates.
  template <class ValueOf> double mean_over_activated(double hard_locations, ValueOf value_of) const;
  /// Probability that no stored pattern is in any of the activated locations. Cost O(n), less where it is 0.
  double empty_probability(const Cue& cue, double activated, double patterns) const;
  /// Bit error rate for cues that activate the given number of locations, at least 1.
  double bit_error_rate_given(const Cue& cue, double activated, double patterns, Storage storage) const;

  int64_t bits_;
  double p_;                       ///< space fraction
  std::vector<double> log_shared_; ///< log of the number of addresses in both circles, by distance
  /// log_shared_ in the n - 1 other bits, for addresses that agree and for those that differ in one bit in
  /// which the cue equals the stored address.
  std::vector<double> log_shared_agreeing_, log_shared_differing_;
  double rho_squared_ = 0; ///< means of rho^2, rho^3 and rho^4 for random addresses
  double rho_cubed_ = 0;
  double rho_fourth_ = 0;
  struct Distance {
    double probability;    ///< that a random address has this distance
    double log_not_shared; ///< log(1 - rho)
  };
  std::vector<Distance> at_distance_; ///< [bits + 1]
  /// a = E[1 - 2 K / n], K the distance of an activated location from the cue: correlation of their bits.
  double bit_correlation_ = 0;
};

} // namespace mneme::theory
