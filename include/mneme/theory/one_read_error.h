// SPDX-License-Identifier: MIT

/// Expected number of wrong bits after one read of a sparse distributed memory, by corrected formulas that
/// full-size simulations confirm.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "mneme/theory/sdm_parameters.h"

namespace mneme::theory {

/// Data stored at the addresses.
enum class Storage {
  autoassociative,  ///< the addresses themselves; the noise is then biased towards the bits of the cue
  heteroassociative ///< unrelated data
};

/// Statistics of one read with a cue at some distance from a stored address.
struct ReadStatistics {
  double signal = 0; ///< lambda, number of hard locations shared with the stored address
  double bias = 0;   ///< B, contribution of other patterns in favour of the cue's bits; 0 for unrelated data
  double noise_deviation = 0; ///< sigma, standard deviation of the noise
  double wrong_bits = 0;      ///< g, expected number of wrong bits
};

/// Read statistics of cues that differ in D = 0 .. bits bits: bits + 1 entries.
///
/// Formula g(D) = (n-D) Phi(-(lambda(D) + B) / sigma) + D Phi(-(lambda(D) - B) / sigma), with
///         sigma^2 = lambda(D) + (m-1) (E lambda + E lambda^2) and B = (m-1) E lambda(V) (1 - 2 V / n), means
///         over the distance V of random patterns (`shared_locations.h`). The published formulas assume that
///         all other patterns are at distance n / 2 and omit B, so that predicted critical distances are
///         wrong by up to 40 bits
/// Accuracy 1 to 3 % below simulations beyond D = 0.14 n at 1000 bits, 10^6 locations, 10^4 patterns; the
///         normal distribution requires some tens of shared locations
/// Errors  UsageError for invalid `SdmParameters`
/// Cost    O(n)
std::vector<ReadStatistics> read_statistics(const SdmParameters& parameters,
                                            Storage storage = Storage::autoassociative);

/// Expected bit error rate (fraction of wrong bits) after one read from each of the distances, valid for
/// small memories too: g(D) averaged over the number of hard locations that a cue activates, with the
/// covariances and the fourth cumulant that g omits. A read that activates no location returns the cue; one
/// that activates only locations without any pattern has half of its bits wrong.
///
/// Accuracy within 6 % of simulations with 10 to 10 000 patterns of 64 to 1000 bits, where the error of g is
///         up to 25 % (docs/theory/one_read_error.md)
/// Errors  UsageError for invalid `SdmParameters`, more than 1e30 locations or patterns, or a distance
///         outside 0 .. bits
/// Cost    O(n), plus some tens of microseconds per distance, or up to some tens of O(n) if few patterns are
///         near a cue
std::vector<double> bit_error_rates_after_read(const SdmParameters& parameters,
                                               std::span<const int64_t> distances,
                                               Storage storage = Storage::autoassociative);

/// Largest number of patterns up to which all bits are right with this probability after one read from a
/// stored address; 0 if not even one is. Empty if more patterns never make it less probable: with
/// autoassociative storage they return any cue unchanged, also a stored address.
///
/// Formula  mean over the number of activated locations of (1 - e)^n, with the error rate e at distance 0
///          of `bit_error_rates_after_read`, except that a read that activates no location has no right bit.
///          `capacity` is the published number, which neglects that other patterns favour the bits of the
///          cue: at 256 bits, 10^5 locations and a radius of 103, it is 10762 patterns at a probability of
///          1/2, where simulations recall 94 %
/// Units    `parameters.patterns` is not used
/// Errors   as `bit_error_rates_after_read`, and UsageError unless 0 < probability < 1
/// Cost     O(n), plus some milliseconds
std::optional<double> capacity_after_read(const SdmParameters& parameters, double probability,
                                          Storage storage = Storage::autoassociative);

} // namespace mneme::theory
