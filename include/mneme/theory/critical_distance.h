// SPDX-License-Identifier: MIT

/// Critical distance: the largest distance of a cue from a stored pattern from which reads converge to the
/// pattern. Beyond it a read increases the distance.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "mneme/theory/one_read_error.h"
#include "mneme/theory/sdm_parameters.h"
#include "mneme/theory/signal_to_noise.h"

namespace mneme::theory {

/// Range of distances from which a read reduces the distance to the stored pattern.
struct CriticalDistance {
  int64_t distance = 0; ///< largest such distance; 0 if there is none
  int64_t first = 0;    ///< smallest such distance; 0 if `distance` is 0. Reads from it may end below it
};

/// Critical distance of a curve of expected distances: after[v] is the distance after one read from distance
/// v, for v = 0 .. half of the bits.
///
/// A read reduces the distance at v >= 1 if after[v] < v. The range starts at the first such v. Circle
/// intersections are stairs two bits wide (I(2k-1) = I(2k)), so a single v at the foot of a stair does not
/// end the range. It ends before the first two consecutive v, or between the first two feet v and v + 2, at
/// which a read does not reduce the distance. A range that starts more than half way along the curve is
/// ignored: near the distance of unrelated patterns, any trace of the stored pattern reduces the distance,
/// but reads end in noise.
/// Errors  UsageError for an empty curve, or a value that is negative, NaN or infinite
CriticalDistance critical_distance(std::span<const double> after);

/// Critical distance of a memory, from the closed formula g of the error of one read (`read_statistics`).
///
/// It predicts the distance beyond which one read increases the distance. Repeated reads converge only from a
/// smaller one: simulated at 1000 bits, 10^6 locations, radius 451 and 10^4 patterns, 231 for one read, 205
/// for convergence of half of the cues; at 256 bits, 4000 locations, radius 109 and 50 patterns, 104 and 71.
///
/// In memories with few patterns a read reduces all distances. The result is therefore at most the distance
/// at which the stored pattern is the nearest one with a probability of at least 1/2, with m - 1 other random
/// patterns: (1 - F(v))^(m-1) >= 1/2, where F is the space fraction.
/// Errors  UsageError for invalid `SdmParameters`
CriticalDistance critical_distance(const SdmParameters& parameters,
                                   Storage storage = Storage::autoassociative);

/// Critical distance of a memory, from the error of one read that is valid for small memories too
/// (`bit_error_rates_after_read`), with the same limit. Differences below 1e-6 bits count as rounding
/// errors.
///
/// Errors  as `bit_error_rates_after_read`
/// Cost    some tens of microseconds per bit
CriticalDistance critical_distance_by_bit_error_rate(const SdmParameters& parameters,
                                                     Storage storage = Storage::autoassociative);

/// Published curve of expected distances after one read: n (1 - Phi(signal / noise)) at v = 0 .. n/2; NaN
/// where both are 0, as published.
///
/// Errors  UsageError as `signal_to_noise`
std::vector<double> published_distances_after_read(const SdmParameters& parameters,
                                                   const SignalToNoiseOptions& options = {
                                                       .noise = NoiseModel::jaeckel});

struct PublishedCriticalDistance {
  int64_t distance = 0;
  bool forced_to_zero = false; ///< set to 0 because a read from half the distance increases it
  bool is_default = false;     ///< 4 because the rule finds no distance
};

/// Published rule for such a curve, special cases included. With e(v) = after[v] - v:
/// - if no e(v) reaches 0.01: the last distance; or, with more than one NaN, the number of other values;
/// - else one less than the first v >= 5 with e(v) > 0; 4 if there is none;
/// - but 0 if after[v] > v at half of the result, rounded down.
///
/// For small radii this is the first distance without any shared location, 2 d + 1, not a crossing.
/// Errors  UsageError for an empty curve, or a value that is negative or infinite
/// Source  later code of the authors of Bricken & Pehlevan 2021, which reproduces the numbers of the paper
PublishedCriticalDistance published_critical_distance(std::span<const double> after);

} // namespace mneme::theory
